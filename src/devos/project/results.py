"""What is known of each frame now: which mask it has, and how each object does on it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from devos.frames import MaskFrame, ObjectScore
from devos.io.regions import Region, find_regions
from devos.project.content import checked_id, checked_name, checked_sha256, whole


class ObjectResult(NamedTuple):
    """One object on one frame."""

    object_id: int
    presence: float
    confidence: float
    region: Region | None
    """Area and box, in pixels; None where it has no pixel."""

    @property
    def score(self) -> ObjectScore:
        """How sure the network was."""
        return ObjectScore(self.object_id, self.presence, self.confidence)


@dataclass(frozen=True)
class FrameResult:
    """One frame's mask, by its content, and its objects by rising id."""

    index: int
    name: str
    mask: str
    """SHA-256 of the mask's PNG."""
    objects: tuple[ObjectResult, ...]
    cut: int | None = None
    """The first frame of a scene, where a hard cut was seen when this frame was followed."""

    @staticmethod
    def of(masks: MaskFrame, sha256: str) -> FrameResult:
        """What there is to know of masks that were written as a PNG of this content."""
        regions = find_regions(masks.labels)
        objects = tuple(
            ObjectResult(score.object_id, score.presence, score.confidence, regions.get(score.object_id))
            for score in masks.scores
        )
        return FrameResult(masks.index, masks.name, sha256, objects, masks.cut)

    @property
    def object_ids(self) -> tuple[int, ...]:
        """All that are followed on this frame, seen or not."""
        return tuple(one.object_id for one in self.objects)

    def score_of(self, object_id: int) -> ObjectScore | None:
        """Of one object; None if it is not followed here."""
        return next((one.score for one in self.objects if one.object_id == object_id), None)

    def as_json(self) -> list[Any]:
        """Plain values, short: there is one for each frame of a video."""
        objects = [[one.object_id, one.presence, one.confidence, *(one.region or ())] for one in self.objects]
        return [self.index, self.name, self.mask, objects, *([] if self.cut is None else [self.cut])]

    @staticmethod
    def from_json(values: list[Any]) -> FrameResult:
        """From what `as_json` gave; ValueError, TypeError or IndexError for anything else."""
        index, name, mask, rows, *cut = values
        objects = tuple(
            ObjectResult(
                checked_id(row[0]), float(row[1]), float(row[2]), Region(*map(int, row[3:])) if row[3:] else None
            )
            for row in rows
        )
        cuts = [whole(frame) for frame in cut[:1]]
        return FrameResult(whole(index), checked_name(name), checked_sha256(mask), objects, *cuts)


@dataclass(frozen=True)
class ResultTable(Mapping[int, FrameResult]):
    """Every frame's result now, by the frame's index."""

    frames: dict[int, FrameResult] = field(default_factory=dict)

    def __getitem__(self, index: int) -> FrameResult:
        return self.frames[index]

    def __iter__(self) -> Any:
        return iter(self._order)

    @cached_property
    def _order(self) -> list[int]:
        return sorted(self.frames)

    def __len__(self) -> int:
        return len(self.frames)

    def with_changes(self, changes: Iterable[tuple[int, FrameResult | None]]) -> ResultTable:
        """The table after some frames have changed; None: the frame has no result any more."""
        frames = dict(self.frames)
        for index, result in changes:
            if result is None:
                frames.pop(index, None)
            else:
                frames[index] = result
        return ResultTable(frames)

    @property
    def cuts(self) -> list[int]:
        """The first frames of the scenes after hard cuts, as far as they were seen while following; rising."""
        return sorted({frame.cut for frame in self.frames.values() if frame.cut is not None})

    @property
    def object_ids(self) -> tuple[int, ...]:
        """Every object on any frame, rising."""
        return tuple(sorted({object_id for frame in self.frames.values() for object_id in frame.object_ids}))
