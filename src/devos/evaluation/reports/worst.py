"""Where a method fails on a sequence: its worst frames, and the frames on which an object is not followed at all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from devos.data.catalog import VideoInfo
from devos.evaluation.measures.metrics import Mask
from devos.evaluation.measures.pairs import saved_pair
from devos.evaluation.rules.protocols import Protocol
from devos.evaluation.rules.quality import ObjectQuality, SequenceScore

_MOST_OF_A_LAPSE = 0.1
"""No frame with a higher J can be a lapse."""


@dataclass(frozen=True)
class Lapses:
    """The scored frames on which nothing of one object is right, by what happened; indices of frames, rising."""

    lost: tuple[int, ...] = ()
    """It is to be seen, but nothing was predicted for it."""
    elsewhere: tuple[int, ...] = ()
    """It is to be seen, but all that was predicted for it lies elsewhere."""
    invented: tuple[int, ...] = ()
    """It is not to be seen, but something was predicted for it."""

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

    Neighbours look alike, so two of them lie apart, measured in evaluated frames, by at least the number of those over
    twice `count`, and never side by side; one long bad stretch is shown once or twice, and then the next worst.
    """
    values = frame_values(score)
    place = {frame: position for position, frame in enumerate(values)}
    apart = max(2, len(values) // (2 * count))
    chosen: list[int] = []
    for frame in sorted(values, key=lambda frame: (values[frame], frame)):
        if len(chosen) == count or values[frame] >= 1:
            break
        if all(abs(place[frame] - place[other]) >= apart for other in chosen):
            chosen.append(frame)
    return sorted(chosen)


def find_lapses(score: SequenceScore, video: VideoInfo, predicted: Path, protocol: Protocol) -> dict[int, Lapses]:
    """The lapses of each object that has any, from the masks in PREDICTED/SEQUENCE/FRAME.png.

    Only the masks of frames with a J of 0.1 or less are read: without any overlap J is 0, or under mose2, whose J is
    smoothed, 1 over the pixels of both masks and one more, so that specks of less than nine pixels are passed over
    there. A frame without a file counts as one on which nothing was predicted.
    """
    finds = {object_id: _Finds() for object_id in score.objects}
    for frame, object_ids in sorted(_hardly_found(score).items()):
        truth, prediction = saved_pair(video, predicted, frame, protocol, score.matches)
        for object_id in object_ids:
            finds[object_id].add(frame, truth == object_id, None if prediction is None else prediction == object_id)
    lapses = {object_id: find.result() for object_id, find in finds.items()}
    return {object_id: lapse for object_id, lapse in lapses.items() if lapse}


class _Finds:
    """What is gathered of one object's lapses."""

    def __init__(self) -> None:
        self._lost: list[int] = []
        self._elsewhere: list[int] = []
        self._invented: list[int] = []

    def add(self, frame: int, truth: Mask, predicted: Mask | None) -> None:
        if predicted is None or not predicted.any():
            kind = self._lost if truth.any() else None
        elif not truth.any():
            kind = self._invented
        else:
            kind = None if (truth & predicted).any() else self._elsewhere
        if kind is not None:
            kind.append(frame)

    def result(self) -> Lapses:
        return Lapses(lost=tuple(self._lost), elsewhere=tuple(self._elsewhere), invented=tuple(self._invented))


def _hardly_found(score: SequenceScore) -> dict[int, list[int]]:
    """By frame, the objects of which perhaps nothing was found there."""
    below: dict[int, list[int]] = {}
    for object_id, quality in score.objects.items():
        for frame, region, _ in _by_frame(quality):
            if region <= _MOST_OF_A_LAPSE:
                below.setdefault(frame, []).append(object_id)
    return below


def _by_frame(quality: ObjectQuality) -> Iterator[tuple[int, float, float]]:
    """Index of the frame, J, F of each evaluated frame."""
    return zip(quality.frames, quality.region.values, quality.boundary.values, strict=True)
