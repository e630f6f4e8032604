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
from PIL import Image

import devos
from devos.evaluation.measures.metrics import boundary_accuracy, region_similarity
from devos.io import open_video
from devos.pipeline.project import Project
from devos.pipeline.segment import drained
from devos.project import snapshots


def correction(video: Path, mask: Path) -> None:
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
        print(f"{summary.num_frames} frames, {len(summary.object_ids)} objects, object {wanted} corrected at frame 40: "
              f"full run {whole_s:.1f} s, correction {correct_s:.1f} s ({correct_s / whole_s:.2f}), "
              f"undo {undo_s:.1f} s; "
              f"every other object's pixels equal: {kept}; mask files with the same bytes: {same}; "
              f"after undo all bytes as before: {_files(out) == before}")  # fmt: skip


def _files(out: Path) -> dict[str, str]:
    files = (path for path in out.rglob("*") if path.is_file() and path.relative_to(out).parts[0] != "project")
    return {str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files
            if path.name != "timings.json"}  # fmt: skip


def sides(roots: list[Path]) -> None:
    """J&F of all frames between the first and the last, which are given: forwards alone, and from both sides."""
    segmenter, rows = devos.load(), []
    print("| sequence | forward | both |\n| --- | --- | --- |")
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
        print(f"| {frames.name} | {scores[0]:.1f} | {scores[1]:.1f} |", flush=True)
    print(f"| mean | {statistics.mean(r[0] for r in rows):.1f} | {statistics.mean(r[1] for r in rows):.1f} |")


def _score(found: Path, truth: Path) -> float:
    predicted = np.asarray(Image.open(found)) > 0
    wanted = np.asarray(Image.open(truth).convert("L")) > 127
    return (region_similarity(predicted, wanted) + boundary_accuracy(predicted, wanted)) / 2


def backwards(num_frames: int = 10_000) -> None:
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
            seconds = {}
            for way, frames in (("forward", video.read_range()), ("backward", video.backwards())):
                begun, peaks = time.perf_counter(), []
                for count, _ in enumerate(frames, start=1):
                    if count % 1000 == 0:
                        peaks.append(_resident_mb())
                seconds[way] = time.perf_counter() - begun
                print(f"{way}: {count} frames in {seconds[way]:.1f} s; MiB resident after each 1,000: {peaks}")
            print(f"ratio {seconds['backward'] / seconds['forward']:.2f}; peak {_peak_mb()} MiB")


def _resident_mb() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() // 2**20


def _peak_mb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def cost(video: Path, mask: Path, repeats: int) -> None:
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
        print(
            f"frames/s with snapshots {rates[True]}, without {rates[False]}; "
            f"median ratio {statistics.median(pairs):.3f}"
        )
        print("bytes on disk:", {name: f"{size / 1e6:.1f} MB" for name, size in kept.items()})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["correction", "sides", "backwards", "cost"])
    parser.add_argument("--video", type=Path)
    parser.add_argument("--mask", type=Path)
    parser.add_argument("--root", type=Path, action="append")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--frames", type=int, default=10_000)
    options = parser.parse_args()
    if options.what == "correction":
        correction(options.video, options.mask)
    elif options.what == "sides":
        sides(options.root)
    elif options.what == "backwards":
        backwards(options.frames)
    else:
        cost(options.video, options.mask, options.repeats)


if __name__ == "__main__":
    main()
