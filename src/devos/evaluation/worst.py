"""Where a method fails on a sequence: its worst frames, and the frames on which an object is not followed at all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from devos.data.catalog import VideoInfo
from devos.evaluation.pairs import saved_pair
from devos.evaluation.scoring import ObjectQuality, Protocol, SequenceScore


@dataclass(frozen=True)
class Lapses:
    """The scored frames on which one object has J = 0, by what happened; indices of frames, rising."""

    lost: tuple[int, ...] = ()
    """It is to be seen, but nothing was predicted for it."""
    elsewhere: tuple[int, ...] = ()
    """It is to be seen, but all that was predicted for it lies elsewhere."""
    invented: tuple[int, ...] = ()
    """It is not to be seen, but something was predicted for it."""
    missing: bool = False
    """It is to be seen, but no scored frame has anything predicted for it."""

    def __bool__(self) -> bool:
        return bool(self.lost or self.elsewhere or self.invented)


def frame_values(score: SequenceScore) -> dict[int, float]:
    """(J + F) / 2 of each evaluated frame, by its index: the mean over the objects that are evaluated on it."""
    values: dict[int, list[float]] = {}
    for quality in score.objects.values():
        for frame, region, boundary in _by_frame(quality):
            values.setdefault(frame, []).append((region + boundary) / 2)
    return {frame: sum(values[frame]) / len(values[frame]) for frame in sorted(values)}


def worst_frames(score: SequenceScore, count: int = 3) -> list[int]:
    """Indices of the worst frames, rising; at most `count`, none of them perfect.

    Neighbours look alike, so two of them lie apart by at least the number of evaluated frames over twice `count`,
    measured in evaluated frames; a sequence with one bad stretch shows it once or twice, and then the next worst.
    """
    values = frame_values(score)
    place = {frame: position for position, frame in enumerate(values)}
    apart = max(1, len(values) // (2 * count))
    chosen: list[int] = []
    for frame in sorted(values, key=lambda frame: (values[frame], frame)):
        if len(chosen) == count or values[frame] >= 1:
            break
        if all(abs(place[frame] - place[other]) >= apart for other in chosen):
            chosen.append(frame)
    return sorted(chosen)


def find_lapses(score: SequenceScore, video: VideoInfo, predicted: Path, protocol: Protocol) -> dict[int, Lapses]:
    """The lapses of each object that has any, from the masks in PREDICTED/SEQUENCE/FRAME.png.

    Only the masks of an object's frames with J = 0 are read; of one whose every J is 0 or 1, all. A frame without a
    file counts as one on which nothing was predicted.
    """
    wanted = {object_id: _frames_to_read(quality) for object_id, quality in score.objects.items()}
    finds = {object_id: _Finds() for object_id, frames in wanted.items() if frames}
    for frame in sorted(set().union(*wanted.values())):
        truth, prediction = saved_pair(video, predicted, frame, protocol)
        seen = set(np.unique(truth).tolist())
        found = set() if prediction is None else set(np.unique(prediction).tolist())
        for object_id, find in finds.items():
            if frame in wanted[object_id]:
                find.add(frame, object_id in seen, object_id in found, wanted[object_id][frame])
    lapses = {object_id: find.result(score.objects[object_id]) for object_id, find in finds.items()}
    return {object_id: lapse for object_id, lapse in lapses.items() if lapse}


class _Finds:
    """What is gathered of one object's lapses."""

    def __init__(self) -> None:
        self._lost: list[int] = []
        self._elsewhere: list[int] = []
        self._invented: list[int] = []
        self._num_absent = 0

    def add(self, frame: int, is_seen: bool, is_predicted: bool, region: float) -> None:
        self._num_absent += not is_predicted
        if region > 0:
            return
        kind = self._invented if not is_seen else self._elsewhere if is_predicted else self._lost
        kind.append(frame)

    def result(self, quality: ObjectQuality) -> Lapses:
        return Lapses(
            lost=tuple(self._lost),
            elsewhere=tuple(self._elsewhere),
            invented=tuple(self._invented),
            missing=bool(self._lost) and self._num_absent == len(quality.frames),
        )


def _frames_to_read(quality: ObjectQuality) -> dict[int, float]:
    """J of the frames, by index, that may be lapses, or may show that the object is nowhere."""
    regions = {frame: region for frame, region, _ in _by_frame(quality)}
    if 0 not in regions.values():
        return {}
    if set(regions.values()) <= {0.0, 1.0}:
        return regions
    return {frame: region for frame, region in regions.items() if region == 0}


def _by_frame(quality: ObjectQuality) -> Iterator[tuple[int, float, float]]:
    """Index of the frame, J, F of each evaluated frame."""
    return zip(quality.frames, quality.region.values, quality.boundary.values, strict=True)
