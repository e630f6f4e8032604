"""What corrections, both directions, reading backwards, snapshots and history cost and bring.

python benchmarks/projects.py correction --video VIDEO --mask MASK    one object corrected at frame 40, a full run
python benchmarks/projects.py sides --root ROOT [--root ROOT2]        first and last mask given, DAVIS layout
python benchmarks/projects.py backwards                               10,000 frames of H.264, key pictures 250 apart
python benchmarks/projects.py cost --video VIDEO --mask MASK          bytes on disk, and snapshots on and off, paired
"""

from __future__ import annotations

import argparse
import hashlib
import resource
import statistics
import tempfile
import time
from pathlib import Path
from unittest import mock

import av
import numpy as np
from kills import KINDS, batch_trials, kills
from PIL import Image

import devos
from devos.evaluation.measures.metrics import boundary_accuracy, region_similarity
from devos.io import open_video
from devos.pipeline.project import Project
from devos.pipeline.segment import drained
from devos.project import snapshots


def correction(video: Path, mask: Path) -> str:
    """One object of those in a mask is corrected at frame 40; the others, and all frames before, stay."""
    segmenter = devos.load()
    with tempfile.TemporaryDirectory() as folder:
        devos.segment(video, mask, Path(folder) / "warm", model=segmenter, last=8)
        out = Path(folder) / "out"
        begun = time.perf_counter()
        summary = devos.segment(video, mask, out, model=segmenter)
        whole_s = time.perf_counter() - begun
        before, project = _files(out), Project.open(out, model=segmenter)
        old = {index: labels.copy() for index, labels in project.masks.items()}
        wanted = summary.object_ids[-1]
        labels = np.where(old[40] == wanted, 0, old[40])
        labels[np.roll(old[40] == wanted, 12, 1)] = wanted
        begun = time.perf_counter()
        drained(project.correct({40: labels}, objects=[wanted]))
        correct_s = time.perf_counter() - begun
        new = project.masks
        others = [i for i in summary.object_ids if i != wanted]
        kept = all(np.array_equal(old[f] == i, new[f] == i) for f in old if f != 40 for i in others)
        same = sum(before[name] == content for name, content in _files(out).items() if name.startswith("masks"))
        begun = time.perf_counter()
        project.undo()
        undo_s = time.perf_counter() - begun
        return (f"{summary.num_frames} frames, {len(summary.object_ids)} objects, object {wanted} corrected at frame "
              f"40: full run {whole_s:.1f} s, correction {correct_s:.1f} s ({correct_s / whole_s:.2f}), "
              f"undo {undo_s:.1f} s; "
              f"every other object's pixels equal: {kept}; mask files with the same bytes: {same}; "
              f"after undo all bytes as before: {_files(out) == before}")  # fmt: skip


def _files(out: Path) -> dict[str, str]:
    files = (path for path in out.rglob("*") if path.is_file() and path.relative_to(out).parts[0] != "project")
    return {str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files
            if path.name != "timings.json"}  # fmt: skip


def sides(roots: list[Path]) -> str:
    """J&F of all frames between the first and the last, which are given: forwards alone, and from both sides."""
    segmenter, rows = devos.load(), []
    lines = ["| sequence | forward | both |", "| --- | --- | --- |"]
    for frames in sorted(path for root in roots for path in (root / "JPEGImages").glob("*/*")):
        truth = Path(str(frames).replace("JPEGImages", "Annotations"))
        marks = sorted(truth.iterdir())
        scores = []
        for direction in ("forward", "both"):
            with tempfile.TemporaryDirectory() as folder:
                given = Path(folder) / "given"
                given.mkdir()
                for mark in (marks[0], marks[-1]):
                    Image.fromarray((np.asarray(Image.open(mark).convert("L")) > 127).astype(np.uint8)).save(
                        given / mark.name
                    )
                summary = devos.segment(frames, given, Path(folder) / "out", model=segmenter, direction=direction,
                                        overlay=False)  # fmt: skip
                each = [_score(summary.masks / f"{mark.stem}.png", mark) for mark in marks[1:-1]]
                scores.append(100 * statistics.mean(each))
        rows.append(scores)
        lines.append(f"| {frames.name} | {scores[0]:.1f} | {scores[1]:.1f} |")
        print(lines[-1], flush=True)
    lines.append(
        f"| **mean** | {statistics.mean(r[0] for r in rows):.1f} | {statistics.mean(r[1] for r in rows):.1f} |"
    )
    return "\n".join(lines)


def _score(found: Path, truth: Path) -> float:
    predicted = np.asarray(Image.open(found)) > 0
    wanted = np.asarray(Image.open(truth).convert("L")) > 127
    return (region_similarity(predicted, wanted) + boundary_accuracy(predicted, wanted)) / 2


def backwards(num_frames: int = 10_000) -> str:
    """The whole of a long film, forwards and backwards: seconds and memory."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "long.mp4"
        noise = np.random.default_rng(0).integers(0, 255, (240, 320, 3), np.uint8)
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate=25, options={"preset": "superfast", "sc_threshold": "0"})
            stream.height, stream.width, stream.pix_fmt, stream.gop_size = 240, 320, "yuv420p", 250
            for index in range(num_frames):
                picture = av.VideoFrame.from_ndarray(np.roll(noise, index, 1), format="rgb24")
                container.mux(stream.encode(picture))
            container.mux(stream.encode(None))
        with open_video(path) as video:
            seconds, lines = {}, []
            for way, frames in (("forward", video.read_range()), ("backward", video.backwards())):
                begun, peaks = time.perf_counter(), []
                for count, _ in enumerate(frames, start=1):
                    if count % 1000 == 0:
                        peaks.append(_resident_mb())
                seconds[way] = time.perf_counter() - begun
                lines.append(f"{way}: {count} frames in {seconds[way]:.1f} s; MiB resident after each 1,000: {peaks}")
            ratio = seconds["backward"] / seconds["forward"]
            return "  \n".join([*lines, f"backward to forward {ratio:.2f}; peak of the process {_peak_mb()} MiB"])


def _resident_mb() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() // 2**20


def _peak_mb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def cost(video: Path, mask: Path, repeats: int) -> str:
    """Frames a second with snapshots and without, in turn; and what lies on the disk after the run."""
    segmenter, rates = devos.load(), {True: [], False: []}
    with tempfile.TemporaryDirectory() as folder:
        devos.segment(video, mask, Path(folder) / "warm", model=segmenter, last=8)
        for repeat in range(repeats):
            for on in (True, False) if repeat % 2 else (False, True):
                out = Path(folder) / f"{repeat}-{on}"
                never = mock.patch("devos.pipeline.follow.EVERY", snapshots.EVERY if on else 10**9)
                with never:
                    rates[on].append(devos.segment(video, mask, out, model=segmenter).fps)
                sizes = {part.name: sum(f.stat().st_size for f in part.rglob("*") if f.is_file())
                         for part in (out / "project").iterdir() if part.is_dir()}  # fmt: skip
                if on:
                    kept = sizes
        pairs = [with_ / without for with_, without in zip(rates[True], rates[False], strict=True)]
        sizes = ", ".join(f"{name} {size / 1e6:.1f} MB" for name, size in kept.items())
        return (f"frames/s with snapshots {rates[True]}, without {rates[False]}, in turn; median of the ratios "
                f"{statistics.median(pairs):.3f}; on disk: {sizes}")  # fmt: skip


def kill_table(count: int, seed: int) -> str:
    """What random SIGKILLs did, by what they hit."""
    with tempfile.TemporaryDirectory() as folder:
        rows = [*kills(count, seed), *batch_trials(max(1, count // 10), seed, Path(folder))]
    lines = ["| killed | trials | kills | ended in the same bytes |", "| --- | --- | --- | --- |"]
    for kind in (*KINDS, "batch"):
        own = [row for row in rows if row[0] == kind]
        lines.append(f"| {kind} | {len(own)} | {sum(hit for _, hit, _ in own)} | {sum(same for *_, same in own)} |")
    total = f"| **all** | {len(rows)} | {sum(hit for _, hit, _ in rows)} | {sum(same for *_, same in rows)} |"
    return "\n".join([*lines, total])


HEAD = """# Reliability

What was done to devos on purpose, and what came of it. All of it is made anew, and put into this page, by one command:

    python benchmarks/reliability.py --root DAVIS      # or parts of it, by name: fuzz, faults, kills, frames, ...

What the commands promise is in [projects](projects.md). What was found is mended, and has a test of its kind.
"""


def write_section(path: Path, title: str, text: str) -> None:
    """Put a part into the page in place of what it said before."""
    parts = (path.read_text() if path.exists() else HEAD).split("\n## ")
    kept = [part for part in parts[1:] if not part.startswith(f"{title}\n")]
    path.write_text("\n## ".join([parts[0].rstrip() + "\n", *kept, f"{title}\n\n{text.strip()}\n"]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["all", "kills", "correction", "sides", "backwards", "cost"])
    parser.add_argument("--video", type=Path)
    parser.add_argument("--mask", type=Path)
    parser.add_argument("--root", type=Path, action="append")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--frames", type=int, default=10_000)
    parser.add_argument("--count", type=int, default=100, help="kills")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--markdown", type=Path, help="the page to put the results into")
    options = parser.parse_args()
    parts = {
        "kills": ("Killed at random moments", lambda: kill_table(options.count, options.seed)),
        "correction": ("A correction against a full run", lambda: correction(options.video, options.mask)),
        "sides": ("Both directions", lambda: sides(options.root)),
        "backwards": ("Backwards through a long film", lambda: backwards(options.frames)),
        "cost": ("What snapshots and history cost", lambda: cost(options.video, options.mask, options.repeats)),
    }
    for name, (title, run) in parts.items():
        if options.what in ("all", name):
            text = run()
            print(f"{title}\n{text}", flush=True)
            if options.markdown is not None:
                write_section(options.markdown, title, text)


if __name__ == "__main__":
    main()
