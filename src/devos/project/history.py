"""What a person did, step by step, and what each step changed: enough to take any of it back, and to do it again."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from devos.errors import InputError
from devos.io.files import output_error, replacing, write_json
from devos.project.content import DAMAGED, checked_id, checked_name, checked_sha256, whole
from devos.project.results import FrameResult, ResultTable

RUNNING, STOPPED, FINISHED = "running", "stopped", "finished"


@dataclass(frozen=True)
class Annotation:
    """What a person said of some objects on one frame."""

    frame: int
    name: str
    """The frame's."""
    objects: tuple[int, ...]
    """Those that are named; one without a pixel is not on this frame."""
    mask: str
    """SHA-256 of a label PNG of these objects."""
    source: str
    """The file it came from, as the person named it."""
    first: int
    """The range that it is meant for, in frames."""
    last: int | None
    """The last one included; None: to the end."""

    @staticmethod
    def from_json(values: dict[str, Any]) -> Annotation:
        """From what is in a step's file; one of `DAMAGED` for anything else."""
        checked = {"name": checked_name(values["name"]), "mask": checked_sha256(values["mask"]),
                   "frame": whole(values["frame"]), "objects": tuple(map(checked_id, values["objects"])),
                   "first": whole(values["first"]), "last": _end(values["last"])}  # fmt: skip
        return Annotation(**{**values, **checked})


@dataclass(frozen=True)
class Removal:
    """An object that a person wanted gone from some frames."""

    object_id: int
    first: int
    last: int | None

    @staticmethod
    def from_json(values: dict[str, Any]) -> Removal:
        """From what is in a step's file; one of `DAMAGED` for anything else."""
        object_id = checked_id(values["object_id"])
        return Removal(
            **{**values, "object_id": object_id, "first": whole(values["first"]), "last": _end(values["last"])}
        )

    def holds(self, frame: int) -> bool:
        """Whether it is gone from a frame."""
        return self.first <= frame and (self.last is None or frame <= self.last)


@dataclass(frozen=True)
class Locks:
    """What no later step may change."""

    objects: tuple[int, ...] = ()
    frames: tuple[tuple[int, int], ...] = ()
    """Ranges, the last frame of each included."""

    def holds(self, frame: int) -> bool:
        """Whether a frame is locked."""
        return any(first <= frame <= last for first, last in self.frames)


@dataclass(frozen=True)
class Step:
    """One thing that a person did."""

    number: int
    what: str
    """segment, correct, follow, remove or lock."""
    annotations: tuple[Annotation, ...] = ()
    removals: tuple[Removal, ...] = ()
    locks: Locks | None = None
    """From this step on; None: as before."""
    checked: tuple[int, ...] = ()
    """Frames that were found to look right."""
    plan: dict[str, Any] = field(default_factory=dict)
    """What there was to do, as the pipeline has it (`Plan.as_json`)."""
    passes_done: int = 0
    """How many passes of the plan are behind it."""
    status: str = RUNNING
    error: str = ""
    """Why it stopped, if it did."""
    notes: tuple[str, ...] = ()
    """What the person was told of it."""

    @staticmethod
    def from_json(values: dict[str, Any]) -> Step:
        """From what is in a step's file; one of `DAMAGED` for anything else."""
        locks, plan = values["locks"], values["plan"]
        if locks is not None:
            locks = Locks(
                tuple(map(checked_id, locks["objects"])), tuple((whole(a), whole(b)) for a, b in locks["frames"])
            )
        if not isinstance(plan, dict):
            raise TypeError("a step without a plan")
        return Step(
            **{**values, "number": whole(values["number"]), "passes_done": whole(values["passes_done"]), "locks": locks,
               "annotations": tuple(Annotation.from_json(one) for one in values["annotations"]),
               "removals": tuple(Removal.from_json(one) for one in values["removals"]),
               "checked": tuple(map(whole, values["checked"])), "notes": tuple(map(str, values["notes"]))}
        )  # fmt: skip


def _end(value: object) -> int | None:
    return None if value is None else whole(value)


@dataclass(frozen=True)
class Skipped:
    """A bad frame that was left out."""

    frame: str
    """The name that it would have had."""
    reason: str


_Change = tuple[int, FrameResult | None]
"""A frame's index and its result from then on; None: it has none any more."""


class History:
    """The steps of a project, in a folder: `0001.json` says what was done, `0001.frames.jsonl` what came of it.

    `head.json` says how many of them stand; those beyond it have been undone and may be done again.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._read: dict[int, tuple[tuple[int, ...], list[_Change | Skipped]]] = {}
        """Of each step the lines that were read last, with what told that file from a later one."""
        self._steps: dict[int, tuple[tuple[int, ...], Step]] = {}
        """The same of the steps themselves."""
        self._table: tuple[object, ResultTable] = (None, ResultTable())
        """The results that were put together last, with the files that they came from."""

    @property
    def head(self) -> int:
        """How many steps stand."""
        return self._head()["steps"] or 0

    @property
    def came_from(self) -> int | None:
        """How many stood before, while the results are still being brought to where they are now; else None."""
        return self._head()["came_from"]

    def set_head(self, number: int, *, came_from: int | None = None) -> None:
        """Let so many steps stand. From here on a crash does not take it back."""
        write_json(self.folder / "head.json", {"steps": number, "came_from": came_from}, durable=True)

    def _head(self) -> dict[str, int | None]:
        path = self.folder / "head.json"
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            came_from = values["came_from"]
            return {"steps": whole(values["steps"]), "came_from": _end(came_from)}
        except FileNotFoundError:
            return {"steps": 0, "came_from": None}
        except DAMAGED as error:
            raise _damaged(path, error) from error

    def __len__(self) -> int:
        """Steps that there are, undone ones too."""
        return len(list(self.folder.glob("[0-9]*[0-9].json")))

    def __getitem__(self, number: int) -> Step:
        path = self._step_file(number)
        try:
            state = _state(path)
            if number not in self._steps or self._steps[number][0] != state:
                self._steps[number] = state, Step.from_json(json.loads(path.read_text(encoding="utf-8")))
            return self._steps[number][1]
        except DAMAGED as error:
            raise _damaged(path, error) from error

    def steps(self) -> Iterator[Step]:
        """Those that stand, first to last."""
        for number in range(1, self.head + 1):
            yield self[number]

    def begin(self, step: Step) -> Step:
        """Add a step, after those that stand; what was undone is forgotten. From here on a crash loses nothing."""
        head = self.head
        for number in range(head + 1, len(self) + 1):
            for path in (self._step_file(number), self._frames_file(number)):
                with suppress(FileNotFoundError):
                    path.unlink()
        step = replace(step, number=head + 1)
        self.write(step)
        self.set_head(step.number)
        return step

    def write(self, step: Step) -> None:
        """Write what is known of a step, in place of what was."""
        self._steps.pop(step.number, None)
        write_json(self._step_file(step.number), asdict(step), durable=True)

    def changes(self, number: int) -> list[_Change]:
        """What a step has changed so far: each frame's index and its result from then on. Half a line is none."""
        return [one for one in self._lines(number) if not isinstance(one, Skipped)]

    def skipped(self, number: int) -> list[Skipped]:
        """The frames that a step left out."""
        return [one for one in self._lines(number) if isinstance(one, Skipped)]

    def _lines(self, number: int) -> list[_Change | Skipped]:
        path = self._frames_file(number)
        try:
            state = _state(path)
            if number not in self._read or self._read[number][0] != state:
                self._read[number] = state, list(_parsed(path))
            return self._read[number][1]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise _damaged(path, error) from error

    def keep_changes(self, number: int, wanted: Callable[[int], bool]) -> None:
        """Forget what a step changed on some frames, and the frames that it left out after the last of the others."""
        lines: list[str] = []
        pending: list[str] = []
        for one in self._lines(number):
            if isinstance(one, Skipped):
                pending.append(_skipped_line(one))
            elif wanted(one[0]):
                lines += [*pending, _line(*one)]
                pending = []
        with replacing(self._frames_file(number), durable=True) as temporary:
            temporary.write_text("".join(lines), encoding="utf-8")

    def results(self, upto: int | None = None) -> ResultTable:
        """Every frame's result after so many steps; after all that stand unless told."""
        numbers = range(1, (self.head if upto is None else upto) + 1)
        lines = [self._lines(number) for number in numbers]
        files = [(number, self._read[number][0]) for number, found in zip(numbers, lines, strict=True) if found]
        if self._table[0] != files:
            changes = (one for found in lines for one in found if not isinstance(one, Skipped))
            self._table = files, ResultTable().with_changes(changes)
        return self._table[1]

    def journal(self, number: int) -> Journal:
        """To add to a step's changes, line by line."""
        return Journal(self._frames_file(number))

    def _step_file(self, number: int) -> Path:
        return self.folder / f"{number:04d}.json"

    def _frames_file(self, number: int) -> Path:
        return self.folder / f"{number:04d}.frames.jsonl"


class Journal:
    """A file to which a line is added for each frame that has changed, on the disk's way as soon as it is written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file = path.open("a", encoding="utf-8")
        except OSError as error:
            raise output_error(path, error) from error

    def add(self, index: int, result: FrameResult | None) -> None:
        """Add a frame's new result; OutputError on a full disk, which leaves no half line that counts."""
        self._write(_line(index, result))

    def add_skipped(self, skipped: Skipped) -> None:
        """Add a frame that was left out."""
        self._write(_skipped_line(skipped))

    def _write(self, line: str) -> None:
        try:
            self._file.write(line)
            self._file.flush()
        except OSError as error:
            with suppress(OSError):
                self._file.close()
            raise output_error(self._path, error) from error

    def sync(self) -> None:
        """Return when all of it is on the disk."""
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            raise output_error(self._path, error) from error

    def close(self) -> None:
        """No more is added."""
        with suppress(OSError):
            self._file.close()


def _state(path: Path) -> tuple[int, ...]:
    """What tells a file from a later one of its name."""
    facts = path.stat()
    return facts.st_ino, facts.st_mtime_ns, facts.st_size


def _parsed(path: Path) -> Iterator[_Change | Skipped]:
    """The whole lines of a step's file; half a line at its end is none."""
    text = path.read_bytes()
    try:
        for line in text[: text.rfind(b"\n") + 1].splitlines():
            values = json.loads(line)
            if isinstance(values, dict):
                yield Skipped(**values["skipped"])
            else:
                yield int(values[0]), None if values[2] is None else FrameResult.from_json(values)
    except DAMAGED as error:
        raise _damaged(path, error) from error


def _line(index: int, result: FrameResult | None) -> str:
    values = [index, None, None, []] if result is None else result.as_json()
    return json.dumps(values, ensure_ascii=False, separators=(",", ":")) + "\n"


def _skipped_line(skipped: Skipped) -> str:
    return json.dumps({"skipped": asdict(skipped)}, ensure_ascii=False) + "\n"


def _damaged(path: Path, error: Exception) -> InputError:
    return InputError(f"{path}: a project's file that cannot be read ({str(error)[:80] or type(error).__name__}); "
                      "put it back from a copy, or begin anew with --overwrite")  # fmt: skip
