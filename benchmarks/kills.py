"""Kill runs, corrections, undo and redo at random moments, go on, and compare all bytes with an unbroken run's.

`python benchmarks/projects.py kills` runs it and makes a table of it.

Each trial works in a process of its own, forked from one that has the network loaded, and gets SIGKILL at a random
moment; up to two more kills hit what goes on after it. Compared are all masks, the table, the record and the overlay.
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import torch

import devos
from devos.engine.segmenter import Segmenter
from devos.io.labels import write_label_png
from devos.pipeline.project import Project
from devos.pipeline.segment import drained

NUM_FRAMES, HEIGHT, WIDTH = 90, 96, 128
KINDS = ("segment", "both", "correct", "undo", "redo", "remove")


def make_clip(folder: Path, num_frames: int) -> tuple[Path, Path, dict[int, np.ndarray]]:
    """A film of three discs, the masks of its first frame, and those of every tenth frame."""
    noise = np.random.default_rng(0).integers(0, 120, (HEIGHT, WIDTH, 3), np.uint8)
    truth = {}
    with av.open(str(folder / "clip.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.height, stream.width, stream.pix_fmt = HEIGHT, WIDTH, "yuv420p"
        for t in range(num_frames):
            rgb, labels = noise.copy(), np.zeros((HEIGHT, WIDTH), np.uint8)
            places = [(20 + t % 80, 24), (100 - t % 80, 50), (40 + t % 40, 78)]
            for label, place in enumerate(places, start=1):
                cv2.circle(rgb, place, 12, (80 * label, 240 - 60 * label, 40), -1)
                cv2.circle(labels, place, 12, label, -1)
            truth[t] = labels.astype(np.uint16)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")))
        container.mux(stream.encode(None))
    (folder / "masks").mkdir()
    for t in (0, num_frames - 1):
        write_label_png(folder / "masks" / f"{t:05d}.png", truth[t])
    write_label_png(folder / "first.png", truth[0])
    return folder / "clip.mp4", folder / "first.png", truth


def digest(out: Path) -> dict[str, str]:
    """Every file that a person takes away, by its SHA-256."""
    files = sorted(path for path in out.rglob("*") if path.is_file() and path.relative_to(out).parts[0] != "project")
    return {str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files
            if path.name != "timings.json"}  # fmt: skip


def in_a_fork(work: Callable[[], Any], kill_after_s: float | None) -> bool:
    """Do something in a process of its own, and kill it after a while; whether it had ended before."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        except BaseException as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
        finally:
            os._exit(code)
    if kill_after_s is not None:
        until = time.monotonic() + kill_after_s
        while time.monotonic() < until:
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                return _ended(status)
            time.sleep(0.001)
        os.kill(child, signal.SIGKILL)
    return _ended(os.waitpid(child, 0)[1])


def _ended(status: int) -> bool:
    if os.WIFSIGNALED(status):
        return False
    if os.WEXITSTATUS(status):
        raise SystemExit("a trial failed by itself; see above")
    return True


class Trials:
    """Everything that the trials share: the clip, the network, and folders to begin from and to end in."""

    def __init__(self, folder: Path, segmenter: Segmenter, kinds: tuple[str, ...], num_frames: int) -> None:
        self.folder, self.segmenter = folder, segmenter
        self.clip, self.first, self.truth = make_clip(folder, num_frames)
        self.starts: dict[str, Path | None] = {}
        self.wanted: dict[str, dict[str, str]] = {}
        self.seconds: dict[str, float] = {}
        done = folder / "done"
        in_a_fork(lambda: self.segment(done), None)
        corrected = self._copy(done, "corrected")
        in_a_fork(lambda: self.correct(corrected), None)
        undone = self._copy(corrected, "undone")
        in_a_fork(lambda: Project.open(undone, model=self.segmenter).undo(), None)
        self.starts = {"segment": None, "both": None, "correct": done, "undo": corrected, "redo": undone,
                       "remove": done}  # fmt: skip
        for kind in kinds:
            begun, out = time.monotonic(), self._begin(kind, f"whole-{kind}")
            in_a_fork(lambda kind=kind, out=out: self.work(kind, out), None)
            self.seconds[kind], self.wanted[kind] = time.monotonic() - begun, digest(out)
        assert self.wanted.get("undo") in (None, digest(done))
        assert self.wanted.get("redo") in (None, digest(corrected))

    def _copy(self, source: Path, name: str) -> Path:
        shutil.copytree(source, self.folder / name)
        return self.folder / name

    def _begin(self, kind: str, name: str) -> Path:
        start = self.starts[kind]
        return self.folder / name if start is None else self._copy(start, name)

    def segment(self, out: Path, *, masks: Path | None = None, direction: str = "forward") -> None:
        """Begin, or go on with what was begun."""
        devos.segment(self.clip, masks or self.first, out, model=self.segmenter, direction=direction, resume=True)

    def correct(self, out: Path) -> None:
        """Correct the second object at frame 40, or go on with that."""
        project = Project.open(out, model=self.segmenter)
        if project.folder.history.head == 1:
            labels = project.masks[40]
            labels[labels == 2] = 0
            labels[self.truth[40] == 2] = 2
            labels[60:70, 60:70] = 2
            drained(project.correct({40: labels}))
        else:
            drained(project.run())

    def work(self, kind: str, out: Path) -> None:
        """What is killed, and what goes on after it: the same call."""
        if kind == "segment":
            self.segment(out)
        elif kind == "both":
            self.segment(out, masks=self.folder / "masks", direction="both")
        elif kind == "correct":
            self.correct(out)
        else:
            project = Project.open(out, model=self.segmenter)
            project.recover()
            head = project.folder.history.head
            if kind == "undo" and head == 2:
                project.undo()
            elif kind == "redo" and head == 1:
                project.redo()
            elif kind == "remove" and head == 1:
                project.remove([3])

    def trial(self, kind: str, number: int, chance: random.Random) -> tuple[int, bool]:
        """How many kills hit, and whether the bytes are those of an unbroken run."""
        out = self._begin(kind, f"trial-{number}")
        kills = 0
        for _ in range(3):
            if in_a_fork(lambda: self.work(kind, out), chance.uniform(0, self.seconds[kind])):
                break
            kills += 1
        in_a_fork(lambda: self.work(kind, out), None)
        same = digest(out) == self.wanted[kind]
        if same:
            shutil.rmtree(out)
        return kills, same


def batch_trials(count: int, seed: int, folder: Path) -> list[tuple[str, int, bool]]:
    """`devos batch` over two videos in two workers: the command, or a worker, or all of them are killed; then it is
    given again until all is done. A kill each.
    """
    chance, rows = random.Random(seed), []
    source = folder / "videos"
    source.mkdir()
    clip, first, _ = make_clip(source, NUM_FRAMES)
    for name in ("a", "b"):
        shutil.copy(clip, source / f"{name}.mp4")
        shutil.copy(first, source / f"{name}.png")
    for path in (clip, first):
        path.unlink()
    shutil.rmtree(source / "masks")

    def begin(out: Path) -> subprocess.Popen[bytes]:
        command = [
            "-m",
            "devos",
            "batch",
            source,
            "-o",
            out,
            "--size",
            96,
            "--runtime",
            "torch",
            "--workers",
            2,
            "--retry",
        ]
        return subprocess.Popen([sys.executable, *map(str, command)], stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL, start_new_session=True)  # fmt: skip

    whole = folder / "batch-whole"
    begun = time.monotonic()
    assert begin(whole).wait() == 0
    seconds, wanted = time.monotonic() - begun, _projects(whole)
    while len(rows) < count:
        out = folder / f"batch-{len(rows)}"
        process = begin(out)
        time.sleep(chance.uniform(0.3, 1) * seconds)
        running = process.poll() is None
        if running:
            _kill_some_of(process, chance)
        process.wait()
        tries = 0
        while begin(out).wait() != 0 and tries < 3:
            tries += 1
        if running:
            rows.append(("batch", 1, _projects(out) == wanted))
            print(f"{len(rows):4d} kills of batch: {'same bytes' if rows[-1][2] else 'OTHER BYTES'}", flush=True)
    return rows


def _projects(out: Path) -> dict[str, str]:
    """What a person takes away of every project of a batch."""
    return {f"{name}/{file}": sha256 for name in ("a", "b") for file, sha256 in digest(out / name).items()}


def _kill_some_of(process: subprocess.Popen[bytes], chance: random.Random) -> None:
    """SIGKILL to the command, to one of its workers, or to all."""
    workers = [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]
    whom = chance.choice(["command", "worker", "all"])
    if whom == "command" or not workers:
        process.kill()
    elif whom == "worker":
        os.kill(chance.choice(workers), signal.SIGKILL)
    else:
        os.killpg(process.pid, signal.SIGKILL)


def kills(
    count: int, seed: int, kinds: tuple[str, ...] = KINDS, num_frames: int = NUM_FRAMES
) -> list[tuple[str, int, bool]]:
    """Trials until so many kills have hit; of each its kind, its kills, and whether all bytes were right."""
    torch.set_num_threads(1)
    chance, rows = random.Random(seed), []
    with tempfile.TemporaryDirectory() as folder:
        trials = Trials(Path(folder), devos.load(size=96, runtime="torch", precision="float32", device="cpu"),
                        kinds, num_frames)  # fmt: skip
        total = number = 0
        while total < count:
            kind = kinds[number % len(kinds)]
            hit, same = trials.trial(kind, number, chance)
            rows.append((kind, hit, same))
            number, total = number + 1, total + hit
            print(f"{total:4d} kills: {kind}, {hit} hit, {'same bytes' if same else 'OTHER BYTES'}", flush=True)
    return rows
