"""An open project: what a person does to it, done by one thread; what it is, told to every page that looks at it."""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import ExitStack, closing
from pathlib import Path
from threading import Lock as Mutex
from threading import Thread
from typing import TypeVar

import numpy as np
from jaxtyping import UInt16

from devos.app import exporting, telling
from devos.app.bounded import Bounded
from devos.app.known import Known
from devos.app.marking import Marking
from devos.app.messages import (
    Busy,
    Check,
    Edit,
    Export,
    Exported,
    Follow,
    FrameDone,
    Lock,
    MaskMessage,
    Move,
    Proxied,
    Remove,
    Rename,
    State,
    Timeline,
)
from devos.app.news import News
from devos.app.pictures import Pictures
from devos.app.proxy import Proxy
from devos.app.worker import Worker
from devos.engine.marker import Marker
from devos.errors import DevosError, OptionError
from devos.frames import MaskFrame
from devos.io.labels import read_label_png
from devos.pipeline.project import Project
from devos.pipeline.status import frames_to_look_at
from devos.project.names import read_names, write_names

_Answer = TypeVar("_Answer")


class ConflictError(DevosError):
    """The project is no longer as the page has seen it."""


class Desk:
    """One project, one worker. Everything public may be called by any thread."""

    def __init__(self, key: str, project: Project, marker: Callable[[], Marker]) -> None:
        self.key, self.project = key, project
        self.news = News()
        self._stack = ExitStack()
        self.proxy = Proxy(project.folder.inner / "proxy")
        self.pictures = Pictures(self._stack.enter_context(project.video_open()), self.proxy.give_way)
        self._marking = Marking(self.pictures, marker)
        self._mutex = Mutex()
        self._revision = time.time_ns() // 1_000_000
        self._busy: Busy | None = None
        self._live: dict[int, MaskFrame] = {}
        self._last_follow: Follow | None = None
        self._notes: list[str] = []
        self._seen: object = None
        self._pngs: Bounded[np.ndarray] = Bounded()
        self._read()
        self._worker = Worker(f"devos app {key}", self._look_for_others)
        Thread(target=self.pictures.prepare, daemon=True, name="devos app key frames").start()
        self.proxy.begin(self.pictures.reader.path, project.record.choices, self._tell_proxy)

    # what it is

    @property
    def state(self) -> State:
        """The whole of it, for the page."""
        with self._mutex:
            return telling.state(self.key, self.project, self._known, self._look_at, self._names, self._revision,
                                 self.num_frames, self.proxy, self._busy, self._notes)  # fmt: skip

    @property
    def num_frames(self) -> int:
        """Frames of the video, as far as is known."""
        known = self.pictures.end if self.pictures.end is not None else self.pictures.reader.num_frames
        return max(known or 1, max(self._known.results, default=0) + 1)

    def timeline(self) -> Timeline:
        """How each object does on each frame."""
        with self._mutex:
            return telling.timeline(self._known, self._live, self._revision, self.num_frames)

    def mask(self, frame: int, *, before: bool = False) -> MaskMessage:
        """What is where on a frame. IndexError beyond the end."""
        if self.pictures.end is not None and frame >= self.pictures.end:
            raise IndexError(frame)
        with self._mutex:
            known, live, revision = self._known, frame in self._live, self._revision
        labels = known.before(frame) if before else self._labels(known, frame, live)
        name = known.name_of(frame) or telling.frame_label(self.pictures.reader, frame)
        return telling.mask(known, frame, name, labels, revision)

    def _labels(self, known: Known, frame: int, live: bool) -> UInt16[np.ndarray, "h w"]:
        if not live:
            return known.labels(frame)
        return read_label_png(known.folder.mask_path(telling.frame_label(self.pictures.reader, frame)))

    # what is done to it

    def edit(self, edit: Edit) -> Future[MaskMessage]:
        """A click, a box or a stroke. Ends a run that is on its way."""

        def job() -> MaskMessage:
            labels, source = self._marking.apply(edit, self._known)
            self.project.annotate(edit.frame, labels, objects=[edit.object], source=source)
            self._read_steps()
            return self.mask(edit.frame)

        self.proxy.give_way()
        return self._worker.submit(job, after=self._tell_steps)

    def give(self, frame: int, png: Path, name: str) -> Future[MaskMessage]:
        """A mask PNG for a frame, as `devos segment` takes it."""

        def job() -> MaskMessage:
            labels, notes = self._marking.given(frame, png, self._known)
            self.project.annotate(frame, labels, source=name)
            self._changed(notes)
            return self.mask(frame)

        return self._worker.submit(job)

    def look(self, frame: int) -> None:
        """See a frame before it is clicked."""
        if self._busy is None:
            self._worker.submit(lambda: self._marking.look(frame), interrupts=False)

    def follow(self, wish: Follow) -> None:
        """Begin to follow; told as it goes."""
        self._busy = Busy("start", 0, 0, 0, None)
        self._worker.submit(lambda: self._told(lambda: self._follow(wish)))

    def stop(self) -> None:
        """End what is on its way, within a frame."""
        self._worker.stop()

    def undo(self, wish: Move) -> Future[State]:
        """Take the last step back."""
        return self._change(self.project.undo, wish.revision)

    def redo(self, wish: Move) -> Future[State]:
        """Do it again."""
        return self._change(self.project.redo, wish.revision)

    def lock(self, wish: Lock) -> Future[State]:
        """Lock, or let go."""
        return self._change(lambda: self.project.lock(wish.objects, wish.frames, unlock=wish.unlock))

    def remove(self, wish: Remove) -> Future[State]:
        """Take an object out."""
        return self._change(lambda: self.project.remove([wish.object]))

    def check(self, wish: Check) -> Future[State]:
        """Frames that look right."""
        return self._change(lambda: self.project.check_off(wish.frames))

    def rename(self, wish: Rename) -> Future[State]:
        """An object's name."""
        return self._change(lambda: write_names(self.project.folder, {**self._names, wish.object: wish.name.strip()}))

    def export(self, wish: Export, folder: Path | None) -> Future[Exported]:
        """Results to a folder, or to a file for a download."""

        def told(done: int, total: int) -> None:
            self._busy = Busy("export", 0, done, total, None)
            self.news.tell("busy", self._busy)
            if self._worker.is_stopped:
                raise OptionError("the export was stopped")

        def job() -> Exported:
            try:
                url = f"api/p/{self.key}/download/"
                return exporting.export(
                    self.project, folder, url, overlay=wish.overlay, formats=wish.formats, told=told
                )
            finally:
                self._busy = None
                self._changed()

        return self._worker.submit(job)

    def close(self) -> None:
        """End what is on its way, keep it, and let go of the video."""
        self._worker.close()
        self.proxy.close()
        self.pictures.close()
        self._stack.close()

    # in the worker's thread

    def _change(self, what: Callable[[], object], revision: int | None = None) -> Future[State]:
        def job() -> State:
            if revision is not None and revision != self._revision:
                raise ConflictError("the project has changed since this page saw it, perhaps in another tab; look "
                                    "at it, then try again")  # fmt: skip
            what()
            self._changed()
            return self.state

        return self._worker.submit(job)

    def _told(self, job: Callable[[], None]) -> None:
        """Do what nobody waits for, and tell how it failed, if it does."""
        try:
            job()
        except DevosError as error:
            self.news.tell("failed", {"error": str(error)})
        except Exception:
            traceback.print_exc(file=sys.stderr)
            self.news.tell("failed", {"error": "a mistake of devos; what it was is printed where the server runs"})

    def _follow(self, wish: Follow) -> None:
        begun, done = 0.0, 0
        try:
            self._busy = Busy("start", 0, 0, 0, None)
            self.news.tell("busy", self._busy)
            total = self._num_to_follow(wish)
            with closing(self._run(wish)) as frames:
                for masks in frames:
                    begun = begun or time.monotonic()
                    done += 1
                    taken = time.monotonic() - begun
                    left = taken / (done - 1) * max(0, total - done) if done > 1 else None
                    with self._mutex:
                        self._live[masks.index] = masks
                    self._busy = Busy("follow", masks.index, done, max(total, done), left)
                    self.news.tell("frame", FrameDone(masks.index, telling.scores(masks)))
                    self.news.tell("busy", self._busy)
                    if self._worker.is_stopped:
                        break
        finally:
            self._busy = None
            self._changed(self.project.notes)

    def _run(self, wish: Follow):  # type: ignore[no-untyped-def]
        """The project's generator; a run that was stopped goes on where the same is asked for again."""
        same = self._last_follow == wish and self.project.folder.open_step() is not None
        self._last_follow = wish
        if same:
            return self.project.run()
        return self.project.run(wish.first, wish.last, direction=wish.direction)

    def _num_to_follow(self, wish: Follow) -> int:
        plan = self.project.todo(direction=wish.direction, first=wish.first, last=wish.last)
        end = self.num_frames - 1
        return sum((end if one.last is None else one.last) - one.first + 1 for one in plan.passes)

    def _read_steps(self) -> None:
        """Take note of a step that changed no result: as much as an answer needs, the rest when it was given."""
        known = Known.read(self.project.folder, self.pictures.reader.size, self._pngs)
        with self._mutex:
            self._known = known
            self._live = {}
            self._revision += 1

    def _tell_steps(self) -> None:
        """The rest."""
        look_at = frames_to_look_at(self.project)
        with self._mutex:
            self._look_at, self._notes, self._seen = look_at, [], self._signature()
        self.news.tell("state", self.state)

    def _changed(self, notes: list[str] | tuple[str, ...] = ()) -> None:
        """Read the project again, and tell."""
        self._notes = list(notes)
        self._read()
        self.news.tell("state", self.state)

    def _read(self) -> None:
        folder = self.project.folder
        known = Known.read(folder, self.pictures.reader.size, self._pngs)
        look_at, names = frames_to_look_at(self.project), read_names(folder)
        with self._mutex:
            self._known, self._look_at, self._names = known, look_at, names
            self._live = {}
            self._revision += 1
            self._seen = self._signature()

    def _signature(self) -> object:
        """Another one where another process has changed the project."""
        folder = self.project.folder.history.folder
        return sorted((path.name, path.stat().st_mtime_ns) for path in folder.iterdir())

    def _tell_proxy(self) -> None:
        """The small copy has grown; where it shows how long the video is, that is told too."""
        self.news.tell("proxy", Proxied(self.proxy.num_frames, self.proxy.cuts))

    def _look_for_others(self) -> None:
        if self._signature() != self._seen:
            self._changed()
