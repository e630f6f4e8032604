"""Identity swaps: how often, and for how long, one object goes under another's id.

J and F fall when a method takes one object for another, but they do not say that this is why. The count here is that
of identity switches in tracking (Bernardin and Stiefelhagen 2008, CLEAR MOT), brought to masks. It is no measure of
any official VOS program.

On one frame, the *covering id* of a true object is the predicted id on more than half of its true pixels; it has none
where background, or no id alone, has that many, and where the object is not to be seen. An object starts under its own
id, because it was given. It *swaps* on a frame whose covering id is neither its own nor the last covering id it had:
to stay under the wrong id, to lose it and come back under the same one, and to return to its own id are no new swaps.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from devos.data.catalog import Labels, VideoInfo
from devos.evaluation.measures.pairs import NO_MATCHES, LabelPair, Matches, label_pairs
from devos.evaluation.rules.protocols import Protocol


@dataclass(frozen=True)
class ObjectSwaps:
    """How one true object fared among the others."""

    swaps: int
    """How often it went to another wrong id."""
    first: int | None
    """Index of the frame of its first swap; None without one."""
    taken_by: tuple[int, ...]
    """The wrong ids that covered it, in the order in which they first did."""
    frames: int
    """On how many frames it is to be seen."""
    wrong_frames: int
    """On how many of these a wrong id covers it."""
    pixels: int
    """Its true pixels on all frames."""
    wrong_pixels: int
    """Those of them that have a wrong id, on any frame; background is not one."""

    @property
    def wrong_frame_share(self) -> float:
        """Share, in [0, 1], of the frames on which it is to be seen that it is covered by a wrong id."""
        return self.wrong_frames / self.frames

    @property
    def wrong_pixel_share(self) -> float:
        """Share, in [0, 1], of its true pixels that have a wrong id."""
        return self.wrong_pixels / self.pixels


@dataclass(frozen=True)
class SwapScore:
    """Identity swaps of one sequence."""

    objects: Mapping[int, ObjectSwaps]
    """By true object id, rising; only objects that are to be seen on some frame."""

    @property
    def swaps(self) -> int:
        """Of all objects."""
        return sum(one.swaps for one in self.objects.values())

    @property
    def wrong_pixel_share(self) -> float:
        """Share, in [0, 1], of all objects' true pixels that have a wrong id; 0 without any object."""
        pixels = sum(one.pixels for one in self.objects.values())
        return sum(one.wrong_pixels for one in self.objects.values()) / pixels if pixels else 0.0


def identity_swaps(truth: Iterable[Labels], predicted: Iterable[Labels]) -> SwapScore:
    """Swaps between two series of label maps of one length and size, frame by frame in order, counted from 0.

    0 is background; void must have been made background before. ValueError if one series is longer than the other.
    """
    return _count(LabelPair(*numbered) for numbered in _numbered(truth, predicted))


def sequence_swaps(
    video: VideoInfo, predicted: Iterable[Labels], protocol: Protocol, *, matches: Matches = NO_MATCHES
) -> SwapScore:
    """Swaps on a sequence, between its first frame, which is given, and its last, which is not scored.

    `predicted` has one label map for each frame of the video; `matches` are those of the sequence's score. MaskError
    where a map has another size than the true one.
    """
    return _count(label_pairs(video, predicted, protocol, matches))


def _numbered(truth: Iterable[Labels], predicted: Iterable[Labels]) -> Iterable[tuple[int, Labels, Labels]]:
    return ((index, *pair) for index, pair in enumerate(zip(truth, predicted, strict=True)))


def _count(pairs: Iterable[LabelPair]) -> SwapScore:
    tallies: dict[int, _Tally] = {}
    for index, truth, predicted in pairs:
        for object_id in np.unique(truth[truth > 0]).tolist():
            tally = tallies.setdefault(object_id, _Tally(object_id))
            tally.add(index, predicted, truth == object_id)
    return SwapScore({object_id: tallies[object_id].result() for object_id in sorted(tallies)})


class _Tally:
    """Follows one object from frame to frame."""

    def __init__(self, object_id: int) -> None:
        self._own = self._last = object_id
        self._swapped: list[int] = []
        self._takers: dict[int, None] = {}
        self._frames = self._wrong_frames = self._pixels = self._wrong_pixels = 0

    def add(self, index: int, predicted: Labels, seen: Bool[np.ndarray, "h w"]) -> None:
        """One frame on which the object is to be seen."""
        areas = np.bincount(predicted[seen])
        pixels = int(areas.sum())
        own_pixels = int(areas[self._own]) if self._own < len(areas) else 0
        self._frames += 1
        self._pixels += pixels
        self._wrong_pixels += pixels - int(areas[0]) - own_pixels
        covering = int(areas.argmax())
        if covering == 0 or 2 * int(areas[covering]) <= pixels:
            return
        if covering != self._own:
            self._wrong_frames += 1
            self._takers[covering] = None
            if covering != self._last:
                self._swapped.append(index)
        self._last = covering

    def result(self) -> ObjectSwaps:
        return ObjectSwaps(
            swaps=len(self._swapped),
            first=self._swapped[0] if self._swapped else None,
            taken_by=tuple(self._takers),
            frames=self._frames,
            wrong_frames=self._wrong_frames,
            pixels=self._pixels,
            wrong_pixels=self._wrong_pixels,
        )
