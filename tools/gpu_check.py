"""What a GPU makes of devos, in ten minutes: do its masks agree with the CPU's, and how fast is what.

    python tools/gpu_check.py -o gpu            # beside a copy of the repository; writes gpu/table.md
    python tools/gpu_check.py -o check --device cpu --size 64 --frames 4 --no-compile --no-tests    # without a GPU

First the tests that need CUDA. Then the demo clip is followed by torch on the CPU in float32, and on the device in each
precision: every mask must overlap the CPU's by more than 0.99 (IoU). Then frames a second of the network alone: each
precision, compiled (with CUDA graphs, where there is CUDA), and with several videos at once. What no longer fits into
the time is left out and told. Exit code 1 if a test fails or masks differ; what cannot be had is a line of the table.
"""

# ruff: noqa: E402

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "src"))

import numpy as np
import torch

import devos
from devos.engine.segmenter import Segmenter
from devos.errors import DevosError
from devos.frames import Frame
from devos.io import open_video, read_masks
from devos.pipeline.demo import demo_clip
from devos.pipeline.machine import describe
from devos.runtimes.half import HALVES

LEAST_IOU = 0.99
TESTS = ("tests/engine/test_gpu.py",)
"""They are skipped where there is no CUDA."""
Row = dict[str, Any]


class CompiledParts:
    """What `DeVOS.step` calls, each compiled by torch; on CUDA as CUDA graphs."""

    def __init__(self, parts: Any, *, on_cuda: bool) -> None:
        self._parts, mode = parts, "reduce-overhead" if on_cuda else "default"
        self._on_cuda = on_cuda
        self._compiled = {name: torch.compile(getattr(parts, name), mode=mode)
                          for name in ("encode", "look", "match", "values", "keys")}  # fmt: skip

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*inputs: Any) -> Any:
            if self._on_cuda:
                torch.compiler.cudagraph_mark_step_begin()
            return _own(self._compiled[name](*inputs))

        return call


def _own(value: Any) -> Any:
    """A copy of what a CUDA graph gave: the next replay writes to the same memory."""
    if isinstance(value, torch.Tensor):
        return value.clone()
    if isinstance(value, dict):
        return {key: _own(one) for key, one in value.items()}
    if isinstance(value, tuple):
        parts = [_own(one) for one in value]
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    if hasattr(value, "__dataclass_fields__"):
        return replace(value, **{name: _own(getattr(value, name)) for name in value.__dataclass_fields__})
    return value


@dataclass
class Check:
    """Everything that is asked of one device, within a time."""

    options: argparse.Namespace
    begun: float = field(default_factory=time.monotonic)
    rows: list[Row] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    is_good: bool = True

    def __post_init__(self) -> None:
        video, masks = demo_clip()
        with open_video(video) as reader:
            self.given = read_masks(masks, reader)
            self.frames = list(itertools.islice(reader, self.options.frames))

    def attempt(self, name: str, work: Callable[[], Row]) -> None:
        """One line of the table, if there is time; an error is its line."""
        if time.monotonic() - self.begun > 60 * self.options.minutes:
            self.left_out.append(name)
            return
        try:
            row = {"what": name, **work()}
        except (DevosError, RuntimeError, ImportError) as error:
            row = {"what": name, "note": (str(error) or type(error).__name__).strip().splitlines()[0][:120]}
        self.rows.append(row)
        print(json.dumps(row), flush=True)

    def run(self) -> None:
        """Tests, masks, speed."""
        if self.options.tests:
            self.attempt("tests", self.tests)
        device = self.options.device
        on_cpu = self.follow(self.load("cpu", "float32"))[0]
        for precision in ("float32", *HALVES):
            self.attempt(f"{device}, {precision}", lambda p=precision: self.compare(self.load(device, p), on_cpu))
        half = "bf16" if any(row.get("frames/s") and "bf16" in row["what"] for row in self.rows) else "float32"
        if self.options.compile:
            for precision in dict.fromkeys(("float32", half)):
                self.attempt(f"{device}, {precision}, compiled",
                             lambda p=precision: self.compare(self.compiled(device, p), on_cpu))  # fmt: skip
        for count in (2, 4, 8):
            self.attempt(f"{device}, {half}, {count} videos at once",
                         lambda n=count: self.at_once(self.load(device, half), n))  # fmt: skip

    def load(self, device: str, precision: str) -> Segmenter:
        """The network, computed by torch, of whole frames, as GPUs do."""
        return devos.load(self.options.model, device=device, size=self.options.size, runtime="torch",
                          precision=precision, focus=False)  # fmt: skip

    def compiled(self, device: str, precision: str) -> Segmenter:
        """The same, compiled."""
        found = self.load(device, precision)
        return replace(found, parts=CompiledParts(found.parts or found.model, on_cuda=found.device.type == "cuda"))

    def follow(self, segmenter: Segmenter) -> tuple[list[np.ndarray], list[float]]:
        """Labels of every frame, and seconds of the network for each."""
        session, labels, seconds = segmenter.session(), [], []
        for frame in self.frames:
            before = session.timings["network"]
            labels.append(session.step(frame, self.given.get(frame.index)).labels)
            seconds.append(session.timings["network"] - before)  # masks are on the CPU: the device has done with it
        return labels, seconds

    def compare(self, segmenter: Segmenter, expected: list[np.ndarray]) -> Row:
        """How like the CPU's the masks are, how fast, and how much memory."""
        on_cuda = segmenter.device.type == "cuda"
        if on_cuda:
            torch.cuda.reset_peak_memory_stats(segmenter.device)
        labels, _ = self.follow(segmenter)
        begun = time.perf_counter()
        self.follow(segmenter)  # by now all is warm, or compiled
        seconds = time.perf_counter() - begun
        overlaps = [iou(ours, theirs) for ours, theirs in zip(labels, expected, strict=True)]
        if min(overlaps) <= LEAST_IOU:
            self.is_good = False
        row: Row = {"frames/s": len(self.frames) / seconds, "least IoU": min(overlaps),
                    "mean IoU": statistics.mean(overlaps)}  # fmt: skip
        if on_cuda:
            row["GPU, MiB"] = torch.cuda.max_memory_allocated(segmenter.device) / (1 << 20)
        if min(overlaps) <= LEAST_IOU:
            row["note"] = f"masks differ from the CPU's: IoU must be above {LEAST_IOU}"
        return row

    def at_once(self, segmenter: Segmenter, count: int) -> Row:
        """Frames a second of several videos together, each with a thread of its own."""
        with ThreadPoolExecutor(count) as pool:
            begun = time.perf_counter()
            for one in [pool.submit(self.follow, segmenter) for _ in range(count)]:
                one.result()
        return {"frames/s": count * len(self.frames) / (time.perf_counter() - begun)}

    def tests(self) -> Row:
        """The tests that need CUDA."""
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *TESTS]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        if done.returncode != 0:
            self.is_good = False
        return {"note": (done.stdout.strip().splitlines() or done.stderr.strip().splitlines() or [""])[-1]}


def iou(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Of the two maps' objects together, an id for an id; 1 where both are empty."""
    union = np.count_nonzero((ours > 0) | (theirs > 0))
    return np.count_nonzero((ours == theirs) & (ours > 0)) / union if union else 1.0


def table(check: Check, machine: dict[str, Any]) -> Iterator[str]:
    """The rows as Markdown."""
    columns = list(dict.fromkeys(name for row in check.rows for name in row))
    frame: Frame = check.frames[0]
    versions = machine["versions"]
    yield f"{machine['gpu'] or machine['cpu']}; torch {versions['torch']}, devos {versions['devos']}"
    yield f"demo clip, {len(check.frames)} frames of {frame.size}, at size {check.options.size}"
    yield ""
    yield f"| {' | '.join(columns)} |"
    yield f"|{' --- |' * len(columns)}"
    for row in check.rows:
        cells = (f"{v:.4f}" if "IoU" in n and v != "" else f"{v:.1f}" if isinstance(v, float) else str(v)
                 for n in columns for v in [row.get(n, "")])  # fmt: skip
        yield f"| {' | '.join(cells)} |"
    if check.left_out:
        yield f"\nLeft out, for the time was over: {'; '.join(check.left_out)}."


def main(arguments: list[str] | None = None) -> int:
    """Check, write, tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder for table.md and table.json")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--model", default="devos-t", help="a name or a weights file")
    parser.add_argument("--size", type=int, default=384, help="short side at which the network works")
    parser.add_argument("--frames", type=int, default=54, help="of the demo clip")
    parser.add_argument("--minutes", type=float, default=9, help="nothing is begun after so many")
    parser.add_argument("--no-compile", dest="compile", action="store_false")
    parser.add_argument("--no-tests", dest="tests", action="store_false")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    try:
        machine = describe(devos.engine.segmenter.choose_device(options.device), torch.get_num_threads())
        check = Check(options)
        check.run()
    except DevosError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    text = "\n".join(table(check, machine))
    (options.out / "table.md").write_text(text + "\n", encoding="utf-8")
    told = {"machine": machine, "rows": check.rows, "left_out": check.left_out, "good": check.is_good}
    (options.out / "table.json").write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    print(text)
    return 0 if check.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
