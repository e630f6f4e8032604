"""Where the time of a frame goes, and how far each part is from what this machine can do.

    python benchmarks/performance.py parts --threads 1 2          # the network, part by part, on every runtime
    python benchmarks/performance.py objects sizes lengths start  # more objects, larger videos, longer ones, the start
    python benchmarks/performance.py parts --markdown docs/performance.md --json performance.json

The limit of a part is the time that its multiply-adds would take at the rate at which this machine multiplies large
matrices of float32. Times are medians over frames with a full memory; the runtimes take turns, so that other work on
the machine harms all alike. With --markdown the tables replace those between the marks in that file.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from memory import loop_video

import devos
from devos.engine.profile import config_of, profile
from devos.engine.segmenter import Segmenter
from devos.io import open_video, read_masks
from devos.pipeline.bench import bench
from devos.pipeline.demo import demo_clip
from devos.pipeline.machine import describe, use_threads
from devos.runtimes.choose import installed_runtimes

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
STAGES = {"encode": ("image encoder",), "memorise": ("identification",),
          "look, match": ("flow encoder", "ADVA", "long-term", "decoder", "between")}  # fmt: skip
"""The parts of `devos info` that each computation of a step is made of, by the beginnings of their names."""
Table = list[dict[str, Any]]


class Timed:
    """The parts of a step, with the seconds that each call takes."""

    def __init__(self, parts: Any) -> None:
        self._parts = parts
        self.spent: dict[str, list[float]] = {"encode": [], "look, match": [], "memorise": []}

    def encode(self, *inputs: Any) -> Any:
        return self._call("encode", self._parts.encode, inputs)

    def look(self, *inputs: Any) -> Any:
        return self._call("look, match", self._parts.look, inputs)

    def match(self, *inputs: Any) -> Any:
        output = self._call("look, match", self._parts.match, inputs)
        self.spent["look, match"].append(self.spent["look, match"].pop() + self.spent["look, match"].pop())
        return output

    def values(self, *inputs: Any) -> Any:
        return self._call("memorise", self._parts.values, inputs)

    def keys(self, *inputs: Any) -> Any:
        return self._parts.keys(*inputs)

    def _call(self, name: str, function: Callable[..., Any], inputs: tuple[Any, ...]) -> Any:
        begun = time.perf_counter()
        output = function(*inputs)
        self.spent[name].append(time.perf_counter() - begun)
        return output


def matrix_rate(side: int = 1024, repeats: int = 15) -> float:
    """Multiply-adds a second, in 1e9, of the best of several products of large float32 matrices."""
    a, b = torch.randn(side, side), torch.randn(side, side)
    return side**3 / min(_seconds(lambda: a @ b) for _ in range(repeats)) / 1e9


def bandwidth(mebibytes: int = 256, repeats: int = 7) -> float:
    """Bytes a second, in 1e9, read and written, of the best of several copies of a large block."""
    source = torch.ones(mebibytes << 18)
    target = torch.empty_like(source)
    return 2 * source.nbytes / min(_seconds(lambda: target.copy_(source)) for _ in range(repeats)) / 1e9


def _seconds(work: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def parts_table(options: argparse.Namespace) -> Table:
    """Encode, look and match, and memorise on every runtime, of the whole frame (no focus), beside their limit."""
    config = config_of(options.model)
    video, masks = demo_clip()
    with open_video(video) as reader:
        counted = profile(config, reader.size, size=options.size)
    work = {stage: sum(p.multiply_adds for p in counted.parts if p.name.startswith(begins))
            for stage, begins in STAGES.items()}  # fmt: skip
    rows: Table = []
    for threads in options.threads:
        torch.set_num_threads(threads)
        rate = matrix_rate()
        spent = _spent(options, video, masks)
        for name, seconds in spent.items():
            for stage, values in seconds.items():
                ms, limit = 1000 * statistics.median(values), work[stage] / rate / 1e6
                rows.append({"threads": threads, "runtime": name, "part": stage, "multiply-adds, G": work[stage] / 1e9,
                             "ms": ms, "limit, ms": limit, "of the limit": limit / ms})  # fmt: skip
            whole = 1000 * sum(statistics.median(values) for values in seconds.values())
            rows.append({"threads": threads, "runtime": name, "part": "all", "multiply-adds, G":
                         sum(work.values()) / 1e9, "ms": whole, "limit, ms": sum(work.values()) / rate / 1e6,
                         "of the limit": sum(work.values()) / rate / 1e6 / whole})  # fmt: skip
        rows.append({"threads": threads, "runtime": "machine", "part": f"{rate:.0f} G multiply-adds/s, "
                     f"{bandwidth():.1f} GB/s"})  # fmt: skip
    return rows


def _spent(options: argparse.Namespace, video: Path, masks: Path) -> dict[str, dict[str, list[float]]]:
    """For each runtime the seconds of each computation, on frames with a full memory. The runtimes take turns."""
    timed: dict[str, Timed] = {}
    sessions = {}
    for name in (name for name, there in installed_runtimes().items() if there):
        segmenter: Segmenter = devos.load(options.model, size=options.size, runtime=name, memory_every=1, focus=False)
        timed[name] = Timed(segmenter.parts or segmenter.model)
        sessions[name] = replace(segmenter, parts=timed[name]).session()
    with open_video(video) as reader:
        given = read_masks(masks, reader)
        for frame in itertools.islice(reader, options.frames):
            for session in sessions.values():
                session.step(frame, given.get(frame.index))
    full = next(iter(sessions.values()))._policy.max_entries + 1
    return {name: {stage: values[full:] for stage, values in watch.spent.items()} for name, watch in timed.items()}


def objects_table(options: argparse.Namespace) -> Table:
    """The network and the whole job with 1, 10 and 50 objects."""
    video, masks = demo_clip()
    return [_bench_row(options, video, masks, objects=count) for count in (1, 10, 50)]


def sizes_table(options: argparse.Namespace) -> Table:
    """The whole job on the same film at 480p, at 720p and at 1080p."""
    video, masks = demo_clip()
    with tempfile.TemporaryDirectory() as folder:
        rows = [_bench_row(options, video, masks, objects=1)]
        for height in (720, 1080):
            larger = Path(folder) / f"{height}p.mp4"
            _enlarge(video, larger, height)
            rows.append(_bench_row(options, larger, masks, objects=1))
    return rows


def lengths_table(options: argparse.Namespace) -> Table:
    """Milliseconds a frame on 100 and on 2,000 frames."""
    video, masks = demo_clip()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for count in (100, 2000):
            longer = Path(folder) / f"{count}.mp4"
            loop_video(video, longer, count)
            rows.append(_bench_row(options, longer, masks, objects=None, repeats=1, frames=60))
    return rows


def start_table(options: argparse.Namespace) -> Table:
    """Seconds from the start of a fresh process to two masks, with no graphs kept and with those of the run before."""
    rows = []
    program = (
        "import time; begun = time.time(); import sys, devos; from devos.pipeline.demo import demo_clip; "
        "from devos.io import open_video, read_masks; video, mask = demo_clip(); "
        f"segmenter = devos.load({options.model!r}, size={options.size}, runtime=sys.argv[1]); ready = time.time(); "
        "reader = open_video(video); frames = iter(reader); session = segmenter.session(); "
        "session.step(next(frames), read_masks(mask, reader)[0]); session.step(next(frames)); "
        "print(ready - begun, time.time() - begun)"
    )
    for name in (name for name, there in installed_runtimes().items() if there):
        with tempfile.TemporaryDirectory() as cache:
            for state in ("cold", "warm", "warm"):
                done = subprocess.run([sys.executable, "-c", program, name], env={**os.environ, "DEVOS_CACHE": cache},
                                      stdout=subprocess.PIPE, text=True, check=True)  # fmt: skip
                ready, masks = map(float, done.stdout.split())
                rows.append({"runtime": name, "cache": state, "ready, s": ready, "two masks, s": masks})
    return rows


def _bench_row(options: argparse.Namespace, video: Path, masks: Path, *, objects: int | None,
               repeats: int | None = None, frames: int | None = None) -> dict[str, Any]:  # fmt: skip
    report = bench(video, masks, lambda: devos.load(options.model, size=options.size, runtime=options.runtime),
                   objects=objects, frames=frames or options.frames, repeats=repeats or options.repeats)  # fmt: skip
    return {"frames": report.num_frames, "video": report.frame, "objects": report.num_objects,
            "runtime": report.settings.get("runtime"), "threads": report.machine["threads"],
            "network, ms": 1000 / report.network_fps, "whole job, ms": 1000 / report.fps,
            "whole job, frames/s": report.fps, "peak, MiB": report.peak_mib}  # fmt: skip


def _enlarge(video: Path, target: Path, height: int) -> None:
    import av

    with av.open(str(video)) as source, av.open(str(target), "w") as container:
        stream = source.streams.video[0]
        out = container.add_stream("libx264", rate=stream.average_rate)
        out.height, out.width, out.pix_fmt = height, round(stream.width * height / stream.height / 2) * 2, "yuv420p"
        for frame in source.decode(stream):
            container.mux(out.encode(frame.reformat(out.width, out.height, "yuv420p")))
        container.mux(out.encode(None))


TABLES: dict[str, Callable[[argparse.Namespace], Table]] = {
    "parts": parts_table, "objects": objects_table, "sizes": sizes_table, "lengths": lengths_table,
    "start": start_table,
}  # fmt: skip


def markdown(tables: dict[str, Table], machine: dict[str, Any]) -> Iterator[str]:
    """Every table as text."""
    yield (f"{machine['cpu']}, {machine['cores']} cores, load {machine['load_average'][0]}; "
           f"torch {machine['versions']['torch']}, devos {machine['versions']['devos']}")  # fmt: skip
    for name, rows in tables.items():
        columns = list(dict.fromkeys(column for row in rows for column in row))
        yield ""
        yield f"**{name}**: {' '.join((TABLES[name].__doc__ or '').split())}"
        yield ""
        yield f"| {' | '.join(columns)} |"
        yield f"|{' --- |' * len(columns)}"
        yield from (f"| {' | '.join(_cell(column, row.get(column, '')) for column in columns)} |" for row in rows)


def _cell(column: str, value: Any) -> str:
    if column == "of the limit" and value != "":
        return f"{value:.0%}"
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def main() -> None:
    """Parse, measure, tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", nargs="+", choices=TABLES)
    parser.add_argument("--model", default="devos-t", help="a name or a weights file")
    parser.add_argument("--size", type=int, default=384, help="short side at which the network works")
    parser.add_argument(
        "--threads", type=int, nargs="+", default=[2], help="for `parts` several; else the first counts"
    )
    parser.add_argument(
        "--runtime", default="auto", help="for all tables but `parts` and `start`, which take every one"
    )
    parser.add_argument("--frames", type=int, default=30, help="frames for the network alone")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--markdown", type=Path, help="replace the tables in this file")
    options = parser.parse_args()
    use_threads(max(options.threads))
    torch.set_num_threads(options.threads[0])
    machine = describe(torch.device("cpu"), options.threads[0])
    tables = {name: TABLES[name](options) for name in options.tables}
    text = "\n".join(markdown(tables, machine))
    print(text)
    if options.json:
        options.json.write_text(json.dumps({"machine": machine, **tables}, indent=2) + "\n", encoding="utf-8")
    if options.markdown:
        before, _, rest = options.markdown.read_text(encoding="utf-8").partition(BEGIN)
        after = rest.partition(END)[2]
        options.markdown.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
