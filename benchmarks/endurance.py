"""Does anything grow: 100,000 frames in one run, 40 sessions one after the other, 200 corrections of one project.

    python benchmarks/endurance.py frames                  # 100,000 small frames, looked at from outside
    python benchmarks/endurance.py sessions corrections    # in processes of their own
    python benchmarks/endurance.py draw --markdown docs/reliability.md    # curves and a table of it all

Measured are resident memory, open files, threads, and bytes on the disk. What was measured is kept in `--samples`, so
that parts can be done on different days.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image
from projects import write_section

HEIGHT, WIDTH = 64, 96
Sample = dict[str, float]


def square(t: int) -> tuple[slice, slice]:
    """Where the object is on a frame: to and fro."""
    left = 10 + abs(t % 100 - 50)
    return slice(20, 44), slice(left, left + 24)


def make_clip(path: Path, num_frames: int) -> None:
    """A bright square that slides over noise."""
    ground = np.random.default_rng(0).integers(0, 120, (HEIGHT, WIDTH, 3), np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(25), options={"preset": "ultrafast"})
        stream.height, stream.width, stream.pix_fmt = HEIGHT, WIDTH, "yuv420p"
        for t in range(num_frames):
            frame = ground.copy()
            frame[square(t)] = (230, 200, 40)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))


def label(t: int) -> np.ndarray:
    """The object's mask (uint8, h w)."""
    labels = np.zeros((HEIGHT, WIDTH), np.uint8)
    labels[square(t)] = 1
    return labels


def look(pid: int | str = "self") -> Sample:
    """What a process holds now: MiB resident, open files, threads."""
    home = Path(f"/proc/{pid}")
    pages = int((home / "statm").read_text().split()[1])
    return {"mib": pages * os.sysconf("SC_PAGE_SIZE") / 2**20, "files": len(os.listdir(home / "fd")),  # noqa: PTH208
            "threads": len(os.listdir(home / "task"))}  # fmt: skip  # noqa: PTH208


def disk(folder: Path) -> float:
    """Bytes of all files under a folder; what goes while it is looked at counts nothing."""
    total = 0
    for home, _, names in os.walk(folder):
        for name in names:
            try:
                total += (Path(home) / name).stat().st_size
            except FileNotFoundError:
                continue
    return float(total)


def frames(num_frames: int) -> list[Sample]:
    """The whole command on a long film, looked at every few seconds."""
    with tempfile.TemporaryDirectory(prefix="devos-endurance-") as home:
        clip, first, out = Path(home) / "long.mp4", Path(home) / "first.png", Path(home) / "out"
        make_clip(clip, num_frames)
        Image.fromarray(label(0)).save(first)
        command = [
            sys.executable,
            "-m",
            "devos",
            "segment",
            str(clip),
            "-m",
            str(first),
            "-o",
            str(out),
            "--size",
            "64",
        ]
        with (Path(home) / "said.txt").open("w") as said:
            process = subprocess.Popen(command, stdout=said, stderr=said)
            samples, begun = [], time.monotonic()
            while process.poll() is None:
                time.sleep(max(2.0, num_frames / 5000))
                done = len(os.listdir(out / "masks")) if (out / "masks").is_dir() else 0  # noqa: PTH208
                if done:
                    samples.append(_seen(process.pid, out, done, time.monotonic() - begun))
                    print(json.dumps(samples[-1]), file=sys.stderr, flush=True)
        if process.returncode:
            raise SystemExit((Path(home) / "said.txt").read_text()[-2000:])
        found = len(list((out / "masks").iterdir()))
        assert found == num_frames, f"{found} masks of {num_frames} frames"
        samples = [one for one in samples if one]
        samples[-1]["whole"] = num_frames  # it was looked at a little before its end
        return samples


def _seen(pid: int, out: Path, done: int, seconds: float) -> Sample:
    try:
        held = look(pid)
    except FileNotFoundError:
        return {}
    if not held["mib"]:  # it has just ended
        return {}
    return held | {"at": done, "seconds": seconds, "disk": disk(out), "kept": disk(out / "project")}


def sessions(count: int) -> list[Sample]:
    """One network, one video after the other."""
    import devos

    segmenter, samples = devos.load(size=64), []
    ground = np.random.default_rng(0).integers(0, 120, (HEIGHT, WIDTH, 3), np.uint8)
    for number in range(1, count + 1):
        session = segmenter.session()
        for t in range(50):
            frame = ground.copy()
            frame[square(t)] = (230, 200, 40)
            session.step(frame, label(0) if t == 0 else None)
        samples.append(look() | {"at": number})
    return samples


def corrections(count: int) -> list[Sample]:
    """One project of 60 frames, corrected again and again at frames that chance chooses."""
    import devos
    from devos.pipeline.segment import drained

    rng = np.random.default_rng(3)
    with tempfile.TemporaryDirectory(prefix="devos-endurance-") as home:
        clip, out, samples = Path(home) / "clip.mp4", Path(home) / "out", []
        make_clip(clip, 60)
        project = devos.Project.create(out, clip, size=64)
        project.annotate(0, label(0))
        drained(project.run())
        for number in range(1, count + 1):
            t = int(rng.integers(1, 59))
            mask = np.roll(label(t), int(rng.integers(-6, 7)), 0)
            drained(project.correct({t: mask}, objects=[1], last=min(59, t + 8)))
            samples.append(look() | {"at": number, "disk": disk(out), "kept": disk(out / "project")})
        return samples


def in_a_process(work: Any, count: int) -> list[Sample]:
    """Measured where nothing else was done before."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(work, (count,))


KINDS = {
    "frames": ("frames in one run", frames, 100_000),
    "sessions": ("sessions, one after the other", sessions, 40),
    "corrections": ("corrections of one project", corrections, 200),
}


def draw(found: dict[str, list[Sample]], picture: Path) -> None:
    """A column for each kind; a row each for memory, open files and bytes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 6.6), layout="constrained")
    axes = figure.subplots(3, len(found), squeeze=False, sharex="col")
    for column, (kind, samples) in enumerate(found.items()):
        at = [one["at"] for one in samples]
        memory, files, room = axes[:, column]
        memory.plot(at, [one["mib"] for one in samples], color="#1f5fa8")
        files.step(at, [one["files"] for one in samples], color="#1f5fa8", label="open files", where="post")
        files.step(at, [one["threads"] for one in samples], color="#c05a1e", label="threads", where="post")
        if "disk" in samples[0]:
            room.plot(at, [one["disk"] / 1e6 for one in samples], color="#1f5fa8", label="all")
            room.plot(at, [one["kept"] / 1e6 for one in samples], color="#c05a1e", label="project/")
            room.legend(frameon=False)
        else:
            room.text(0.5, 0.5, "writes nothing", ha="center", va="center", transform=room.transAxes, color="#666")
            room.set_yticks([])
        files.legend(frameon=False)
        room.set_xlabel(KINDS[kind][0])
        for axis in (memory, files, room):
            axis.set_ylim(0, 1.15 * axis.dataLim.ymax if axis.has_data() and axis.lines else 1)
            axis.spines[["top", "right"]].set_visible(False)
            axis.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    for axis, name in zip(axes[:, 0], ("MiB resident", "open", "MB on disk"), strict=True):
        axis.set_ylabel(name)
    figure.savefig(picture, dpi=110)


def table(found: dict[str, list[Sample]]) -> str:
    """The same in figures: after a tenth, at the middle, at the end."""
    lines = ["| | MiB resident after a tenth, half, all | open files | threads | MB on disk | of them `project/` |",
             "| --- | --- | --- | --- | --- | --- |"]  # fmt: skip
    for kind, samples in found.items():
        three = [samples[max(0, round(part * len(samples)) - 1)] for part in (0.1, 0.5, 1)]

        def row(key: str, scale: float = 1, three: list[Sample] = three) -> str:
            if key not in three[0]:
                return "-"
            values = [f"{one[key] / scale:,.{1 if scale > 1 else 0}f}" for one in three]
            return values[0] if len(set(values)) == 1 else ", ".join(values)

        what = f"{samples[-1].get('whole', samples[-1]['at']):,.0f} {KINDS[kind][0]}"
        lines.append(f"| {what} | {row('mib')} | {row('files')} | {row('threads')} | {row('disk', 1e6)} | "
                     f"{row('kept', 1e6)} |")  # fmt: skip
    if run := found.get("frames"):
        last = run[-1]
        lines += ["", f"The long run: frames of {WIDTH}x{HEIGHT} at `--size 64`, the whole command with its overlay, "
                  f"{last['at'] / last['seconds']:.0f} frames a second beside other work."]  # fmt: skip
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="+", choices=[*KINDS, "draw"])
    parser.add_argument("--count", type=int, help="how many, in place of the usual number")
    parser.add_argument("--samples", type=Path, default=Path("endurance.json"))
    parser.add_argument("--picture", type=Path, default=Path("docs/endurance.png"))
    parser.add_argument("--markdown", type=Path, help="the page to put the results into")
    given = parser.parse_args()
    for kind in given.what:
        known = json.loads(given.samples.read_text()) if given.samples.exists() else {}
        if kind == "draw":
            found = {name: known[name] for name in KINDS if name in known}
            draw(found, given.picture)
            text = f"![Memory, open files and disk]({given.picture.name})\n\n{table(found)}"
            print(text)
            if given.markdown:
                write_section(given.markdown, "Long", text)
            continue
        _, work, usual = KINDS[kind]
        samples = in_a_process(work, given.count or usual) if kind != "frames" else work(given.count or usual)
        known = json.loads(given.samples.read_text()) if given.samples.exists() else {}
        given.samples.write_text(json.dumps(known | {kind: samples}))


if __name__ == "__main__":
    main()
