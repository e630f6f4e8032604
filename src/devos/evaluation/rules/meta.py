"""What a benchmark's own files say of its videos beside their masks: meta.json, and which of them are unseen."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from devos.errors import InputError

_LAYOUT = 'expected {"videos": {NAME: {"objects": {ID: {...}}}}}, as YouTube-VOS, MOSE v2 and LVOS have it'


@dataclass(frozen=True)
class FrameRange:
    """The frames on which LVOS scores an object, by the numbers that their files are named after."""

    start: int
    end: int
    """Not visited any more."""
    num_frames: int
    """How many frames the range has by the file's own account; the last of them is not scored."""


@dataclass(frozen=True)
class ObjectMeta:
    """What is said of one object."""

    category: str | None = None
    frames: FrameRange | None = None


@dataclass(frozen=True)
class Meta:
    """What is known of a data set beside its masks; all of it may be unknown."""

    videos: Mapping[str, Mapping[int, ObjectMeta]] = field(default_factory=dict)
    """The objects to score in each video; a video that is not there has those that its masks show."""
    unseen_sequences: frozenset[str] | None = None
    """Sequences whose objects are of classes that the training set does not have; None if it is not known."""
    unseen_categories: frozenset[str] | None = None
    """Such classes; None if they are not known."""

    def objects(self, video: str) -> Mapping[int, ObjectMeta]:
        """What is said of the objects of a video; empty if nothing is."""
        return self.videos.get(video, {})

    def seen(self, video: str, object_id: int) -> bool | None:
        """Whether an object's class is in the training set; None if it is not known."""
        if self.unseen_sequences is not None:
            return video not in self.unseen_sequences
        category = self.objects(video).get(object_id, ObjectMeta()).category
        if self.unseen_categories is None or category is None:
            return None
        return category not in self.unseen_categories


def read_meta(
    path: Path | None,
    *,
    unseen_sequences: Iterable[str] | None = None,
    unseen_categories: Iterable[str] | None = None,
) -> Meta:
    """Read meta.json, if there is one, and add which sequences or classes are unseen, if that is known.

    Sequences decide where both are given. InputError if the file is none.
    """
    videos = {} if path is None else {name: _objects(path, name, entry) for name, entry in _videos(path).items()}
    sequences, classes = (
        None if names is None else frozenset(names) for names in (unseen_sequences, unseen_categories)
    )
    return Meta(videos, sequences, classes)


def read_names(path: Path) -> tuple[str, ...]:
    """The names in a list, one a line, such as LVOS's unseen_videos.txt."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read ({error}); give a text file with one name a line") from error
    return tuple(line.strip() for line in lines if line.strip())


def categories(meta: Meta) -> frozenset[str]:
    """Every class that the file names: of a training set's file, those that are seen."""
    named = (one.category for objects in meta.videos.values() for one in objects.values())
    return frozenset(category for category in named if category is not None)


def _videos(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} cannot be read as JSON ({error}); {_LAYOUT}") from error
    videos = content.get("videos") if isinstance(content, dict) else None
    if not isinstance(videos, dict):
        raise InputError(f"{path} has no videos; {_LAYOUT}")
    return videos


def _objects(path: Path, name: str, entry: Any) -> dict[int, ObjectMeta]:
    """The objects of one video: a list of ids (MOSE v2), or more on each (YouTube-VOS, LVOS)."""
    try:
        objects = entry["objects"]
        if isinstance(objects, list):
            objects = {object_id: {} for object_id in objects}
        return {int(object_id): _object(said) for object_id, said in objects.items()}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{path}: the entry of {name} is not understood ({type(error).__name__}: {error}); {_LAYOUT}"
        ) from error


def _object(said: Any) -> ObjectMeta:
    frames = said.get("frame_range")
    if frames is not None:
        frames = FrameRange(int(frames["start"]), int(frames["end"]), int(frames["frame_nums"]))
    category = said.get("category")
    return ObjectMeta(None if category is None else str(category), frames)
