"""A project on disk: where each part of it lies, and the few ways in which it changes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from devos.errors import InputError, OutputError
from devos.io.files import (
    LOCK_FILE,
    MASKS_FOLDER,
    OBJECTS_FILE,
    OVERLAY_FILE,
    PROJECT_FOLDER,
    RUN_FILE,
    TIMINGS_FILE,
    output_error,
    replacing,
    sync,
    write_json,
)
from devos.project.content import DAMAGED, Content, sha256_of
from devos.project.history import FINISHED, Annotation, History, Locks, Step
from devos.project.lock import locked
from devos.project.record import ProjectRecord
from devos.project.results import FrameResult, ResultTable
from devos.project.snapshots import Snapshots


class ProjectFolder:
    """The folder OUT of a run: what a person takes away in it, and all else in `OUT/project`.

    masks/FRAME.png, overlay.mp4, objects.csv, run.json      results now
    project/project.json                                     the video, the network, the settings (`ProjectRecord`)
    project/history/                                         every step, and what it changed (`History`)
    project/content/                                         given masks, and results that were replaced (`Content`)
    project/snapshots/                                       states of the session to go on from (`Snapshots`)
    project/recording.mkv                                    the video, if it came but once (`io.live`)
    project/probabilities/                                   of each result, if they are kept (`Probabilities`)
    project/scratch/                                         what a step needs until it is done
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.inner = self.path / PROJECT_FOLDER
        self.masks = self.path / MASKS_FOLDER
        self.overlay = self.path / OVERLAY_FILE
        self.table = self.path / OBJECTS_FILE
        self.run_record = self.path / RUN_FILE
        self.timings = self.path / TIMINGS_FILE
        self.history = History(self.inner / "history")
        self.content = Content(self.inner / "content")
        self.snapshots = Snapshots(self.inner / "snapshots")
        self.scratch = self.inner / "scratch"
        self.recording = self.inner / "recording.mkv"
        """The video, where it came but once."""
        self._overlay_note = self.inner / "overlay.json"

    @property
    def exists(self) -> bool:
        """Whether there is a project here."""
        return (self.inner / "project.json").is_file()

    @property
    def record(self) -> ProjectRecord:
        """What it is about; InputError if there is no project here."""
        return ProjectRecord.read(self.inner / "project.json")

    def create(self, record: ProjectRecord) -> None:
        """Begin a project; the folder is there and was found fit for it."""
        try:
            self.inner.mkdir(parents=True, exist_ok=True)
            # first of all: a folder without it, and with nothing else, is one in which nothing was begun
            write_json(self.inner / "project.json", record.as_json(), durable=True)
            for folder in (self.history.folder, self.content.folder, self.masks):
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise output_error(self.inner, error) from error

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the project's lock; OutputError if another process does."""
        with locked(self.inner / LOCK_FILE, self.path):
            yield

    # what was said

    def annotations(self, upto: int | None = None) -> list[Annotation]:
        """Everything that was said of frames, in order; after so many steps."""
        return [annotation for step in self._steps(upto) for annotation in step.annotations]

    def locks(self) -> Locks:
        """What may not be changed."""
        given = [step.locks for step in self.history.steps() if step.locks is not None]
        return given[-1] if given else Locks()

    def open_step(self) -> Step | None:
        """The last step, if it was cut off or stopped before it was done."""
        head = self.history.head
        step = self.history[head] if head else None
        return step if step is not None and step.status != FINISHED else None

    def _steps(self, upto: int | None) -> Sequence[Step]:
        return [step for step in self.history.steps() if upto is None or step.number <= upto]

    # results

    def mask_path(self, name: str) -> Path:
        """The mask of a frame of this name."""
        return self.masks / f"{name}.png"

    def mask_file(self, result: FrameResult) -> Path:
        """A file that has this very mask: in the content, if it was replaced since, else among the results."""
        kept = self.content.path(result.mask)
        return kept if kept.is_file() else self.mask_path(result.name)

    def show(self, before: ResultTable, after: ResultTable) -> list[int]:
        """Make the masks those of another table, keeping what is replaced; gives the frames that changed.

        Whatever is cut off in between is made good by doing it again.
        """
        changed = [i for i in {*before, *after} if before.get(i) != after.get(i)]
        for index in sorted(changed):
            old, new = before.get(index), after.get(index)
            if old is not None and (new is None or new.mask != old.mask):
                self.keep_replaced(old)
            if new is None:
                with suppress(FileNotFoundError):
                    self.mask_path(old.name).unlink()  # type: ignore[union-attr]
            elif old is None or new.mask != old.mask:
                self._put_back(new)
        with suppress(OSError):
            sync(self.masks)
        return sorted(changed)

    def show_again(self, before: ResultTable, now: ResultTable) -> None:
        """Where a frame's file is not the mask that it should be now, put it back, or remove it."""
        for index in sorted({*before, *now}):
            result = now.get(index)
            if result is not None and result.mask in self.content:
                self._put_back(result)

    def keep_replaced(self, result: FrameResult) -> None:
        """Keep the mask that a frame has, before another one may take its place."""
        if result.mask not in self.content:
            self.content.keep(result.mask, self.mask_path(result.name))

    def _put_back(self, result: FrameResult) -> None:
        path = self.mask_path(result.name)
        if path.is_file() and sha256_of(path.read_bytes()) == result.mask:
            return
        content = self.content.get(result.mask)
        with replacing(path, durable=True) as temporary:
            temporary.write_bytes(content)

    # the overlay

    def shown_by_overlay(self) -> list[tuple[int, str]]:
        """Which frame with which mask the overlay shows, in turn; nothing where that is not known for sure."""
        try:
            pairs = json.loads(self._overlay_note.read_text(encoding="utf-8"))["frames"]
            return [(int(index), str(mask)) for index, mask in pairs]
        except DAMAGED:
            return []

    def note_overlay(self, results: Sequence[FrameResult] | None) -> None:
        """Remember what the overlay shows; None: it is about to show something else."""
        if results is None:
            self._overlay_note.unlink(missing_ok=True)
        else:
            write_json(self._overlay_note, {"frames": [[one.index, one.mask] for one in results]})

    def clear_scratch(self) -> None:
        """Remove what only a step that is done needed."""
        shutil.rmtree(self.scratch, ignore_errors=True)


def require(path: str | Path) -> ProjectFolder:
    """The project in a folder; InputError if there is none."""
    folder = ProjectFolder(path)
    if not folder.path.is_dir():
        raise InputError(f"{folder.path}: no such folder; give one that devos segment wrote")
    folder.record  # noqa: B018  says what is wrong with it
    return folder


def writable(folder: ProjectFolder) -> None:
    """OutputError where nothing can be written."""
    probe = folder.inner / "lock"
    try:
        probe.open("a").close()
    except OSError as error:
        raise OutputError(f"{folder.path}: cannot be written ({error.strerror}); give yourself the right to, or copy "
                          "the project") from error  # fmt: skip
