"""How well one predicted mask covers one true mask: J and F, and how a list of them is summed up.

Pure functions of masks, exact to the numbers of the official DAVIS programs (Perazzi et al. 2016; Martin et al. 2004
for the boundary). A mask is a boolean array of the frame's height and width.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

from devos.evaluation.measures.bits import Bits
from devos.frames import FrameSize

BOUNDARY_TOLERANCE = 0.008
"""How far apart two boundaries may lie and still agree, as a share of the frame's diagonal."""

RECALL_THRESHOLD = 0.5
"""A frame counts as found when its value is above this, strictly."""

Mask = Bool[np.ndarray, "h w"]
Widening = Callable[[Bits], Bits]
"""From a boundary to all that is near it."""


class MaskScores(NamedTuple):
    """How well one mask fits on one frame, both in [0, 1]."""

    region: float
    """J, intersection over union."""
    boundary: float
    """F, the harmonic mean of the boundary's precision and recall."""


@dataclass(frozen=True)
class Statistics:
    """One measure of one object over the evaluated frames of one sequence."""

    mean: float
    """In [0, 1]."""
    recall: float
    """Share of the frames whose value is above 0.5."""
    decay: float
    """Mean of the first quarter less mean of the last one: above 0 if the mask gets worse with time."""
    values: tuple[float, ...]
    """Of each evaluated frame, in the order of time."""

    @classmethod
    def of(cls, values: Sequence[float]) -> Statistics:
        """Sum up the values of the frames, which are in the order of time."""
        if not values:
            raise ValueError("no values: at least one evaluated frame is needed")
        found = sum(value > RECALL_THRESHOLD for value in values)
        first, last = (values[start : end + 1] for start, end in _first_and_last_quarter(len(values)))
        decay = _mean(first) - _mean(last)
        return cls(mean=_mean(values), recall=found / len(values), decay=decay, values=tuple(values))


def score_mask(predicted: Mask, truth: Mask, frame: FrameSize | None = None) -> MaskScores:
    """J and F of one object on one frame.

    `frame` is its size where the masks are no more than a window of it. Such a window holds both of them, and one pixel
    more on each side as far as the frame goes.
    """
    frame = frame or FrameSize(*truth.shape)
    areas = MaskAreas.of(predicted, truth, frame)
    radius = boundary_radius(frame)
    return MaskScores(areas.region, *boundary_agreements(predicted, truth, areas, lambda edge: edge.widen(radius)))


class MaskAreas(NamedTuple):
    """How many pixels two masks of one frame cover."""

    predicted: int
    truth: int
    both: int
    frame: int
    """Pixels of the whole frame."""

    @classmethod
    def of(cls, predicted: Mask, truth: Mask, frame: FrameSize) -> MaskAreas:
        """Count the pixels of a predicted and of a true mask."""
        areas = _count(predicted), _count(truth)
        return cls(*areas, _count(predicted & truth) if all(areas) else 0, frame.height * frame.width)

    @property
    def either(self) -> int:
        """The union."""
        return self.predicted + self.truth - self.both

    @property
    def region(self) -> float:
        """J: the intersection's share of the union, 1 if both masks are empty."""
        return self.both / self.either if self.either else 1.0


def boundary_agreements(predicted: Mask, truth: Mask, areas: MaskAreas, *widenings: Widening) -> list[float]:
    """F for each of several ways to widen the boundaries, by what still counts as near."""
    if not areas.predicted or not areas.truth:
        # An empty mask has no boundary, and neither has one that fills the frame.
        other = max(areas.predicted, areas.truth)
        return [1.0 if other in (0, areas.frame) else 0.0] * len(widenings)
    # Outside both masks nothing can count, and one pixel around them holds all of both boundaries. Where the window
    # ends at the frame's border the border's rules apply in it as they do in the frame, so the numbers are the same.
    window = window_of(predicted, truth)
    edges = Bits.of(predicted[window]).boundary(), Bits.of(truth[window]).boundary()
    return [_agreement(*edges, widen) for widen in widenings]


@dataclass(frozen=True)
class Outline:
    """All that is needed of a mask to measure it against several others of the same frame."""

    mask: Mask
    edge: Mask
    """Its boundary."""
    near: Mask
    """All that counts as near to its boundary."""
    area: int
    length: int
    """Pixels of the boundary."""
    window: tuple[int, int, int, int]
    """Top, bottom, left and right of a rectangle that holds all three; the bottom and the right are outside."""

    @classmethod
    def of(cls, mask: Mask, frame: FrameSize) -> Outline:
        """Draw a mask's boundary and what is near to it; the mask may be a window of its frame, as for `score_mask`."""
        radius = boundary_radius(frame)
        left, top, width, height = cv2.boundingRect(mask.view(np.uint8))
        margin = radius + 1
        top, bottom = max(top - margin, 0), min(top + height + margin, mask.shape[0])
        left, right = max(left - margin, 0), min(left + width + margin, mask.shape[1])
        edge, near = np.zeros_like(mask), np.zeros_like(mask)
        edge[top:bottom, left:right] = boundary_map(mask[top:bottom, left:right])
        near[top:bottom, left:right] = widen(edge[top:bottom, left:right], radius)
        return cls(mask, edge, near, _count(mask), _count(edge), (top, bottom, left, right))


def score_outlines(predicted: Outline, truth: Outline) -> MaskScores:
    """J and F of one object on one frame, as `score_mask` has them."""
    tops, bottoms, lefts, rights = zip(predicted.window, truth.window, strict=True)
    shared = slice(max(tops), max(*tops, min(bottoms))), slice(max(lefts), max(*lefts, min(rights)))
    both = _count(predicted.mask[shared] & truth.mask[shared])
    either = predicted.area + truth.area - both
    region = both / either if either else 1.0
    if predicted.length == 0 or truth.length == 0:
        return MaskScores(region, 1.0 if predicted.length == truth.length else 0.0)
    precision = _count(predicted.edge[shared] & truth.near[shared]) / predicted.length
    recall = _count(truth.edge[shared] & predicted.near[shared]) / truth.length
    return MaskScores(region, harmonic_mean(precision, recall))


def region_similarity(predicted: Mask, truth: Mask) -> float:
    """J, the intersection over union, in [0, 1]. Two empty masks agree fully: 1."""
    union = _count(predicted | truth)
    return 1.0 if union == 0 else _count(predicted & truth) / union


def boundary_accuracy(predicted: Mask, truth: Mask) -> float:
    """F, the harmonic mean of the boundary's precision and recall, in [0, 1].

    Two empty boundaries agree fully: 1; only one of them empty: 0. A mask that fills the frame has no boundary.
    """
    return score_mask(predicted, truth).boundary


def boundary_radius(size: FrameSize) -> int:
    """How far apart two boundaries may lie on a frame of this size and still agree, in whole pixels."""
    return math.ceil(BOUNDARY_TOLERANCE * math.hypot(size.height, size.width))


def boundary_map(mask: Mask) -> Mask:
    """Pixels that differ from their right, lower, or lower right neighbour.

    The frame's last row and column know only the neighbours that they have. No boundary runs along the frame's
    border, and the map lies half a pixel up and left of the true edge: that is how the official programs draw it.
    """
    return Bits.of(mask).boundary().mask()


def widen(edge: Mask, radius: int) -> Mask:
    """Pixels within `radius` of an edge pixel, measured straight between their centres, as far as the array goes."""
    return Bits.of(edge).widen(radius).mask()


def _agreement(predicted_edge: Bits, true_edge: Bits, widen: Widening) -> float:
    num_predicted, num_true = predicted_edge.count(), true_edge.count()
    if num_predicted == 0 or num_true == 0:
        return 1.0 if num_predicted == num_true else 0.0
    precision = predicted_edge.shared_with(widen(true_edge)).count() / num_predicted
    recall = true_edge.shared_with(widen(predicted_edge)).count() / num_true
    return harmonic_mean(precision, recall)


def harmonic_mean(precision: float, recall: float) -> float:
    """F of a precision and a recall; 0 if both are."""
    return 0.0 if precision + recall == 0 else 2 * precision * recall / (precision + recall)


def window_of(*maps: Bool[np.ndarray, "h w"] | UInt8[np.ndarray, "h w"]) -> tuple[slice, slice]:
    """The rectangle around all that is not 0 in any of the maps and one pixel more, as far as they go."""
    boxes = [cv2.boundingRect(each.view(np.uint8)) for each in maps]
    boxes = [box for box in boxes if box[2]] or [(0, 0, 1, 1)]
    left, top = (max(min(box[axis] for box in boxes) - 1, 0) for axis in (0, 1))
    right, bottom = (max(box[axis] + box[axis + 2] for box in boxes) + 1 for axis in (0, 1))
    return slice(top, bottom), slice(left, right)


def _first_and_last_quarter(count: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """First and last index, both included, of the first and of the fourth quarter; neighbours share an index.

    Whole numbers of any size: the official program keeps these edges in 8 bits, so that from 257 evaluated frames on
    its quarters are the wrong frames, or none. Halves are rounded up, as it does.
    """
    edges = [((count - 1) * quarter + 2) // 4 for quarter in range(5)]
    return (edges[0], edges[1]), (edges[3], edges[4])


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _count(mask: Mask) -> int:
    return int(np.count_nonzero(mask))
