"""How well one predicted mask covers one true mask: J and F, and how a list of them is summed up.

Pure functions of masks, exact to the numbers of the official DAVIS programs (Perazzi et al. 2016; Martin et al. 2004
for the boundary). A mask is a boolean array of the frame's height and width.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

from devos.frames import FrameSize

BOUNDARY_TOLERANCE = 0.008
"""How far apart two boundaries may lie and still agree, as a share of the frame's diagonal."""

RECALL_THRESHOLD = 0.5
"""A frame counts as found when its value is above this, strictly."""

Mask = Bool[np.ndarray, "h w"]


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


def score_mask(predicted: Mask, truth: Mask) -> MaskScores:
    """J and F of one object on one frame."""
    # Outside both masks nothing can count, and one pixel around them holds all of both boundaries. Where the window
    # ends at the frame's border the border's rules apply in it as they do in the frame, so the numbers are the same.
    window = _window(predicted, truth)
    radius = boundary_radius(FrameSize(*truth.shape))
    predicted, truth = predicted[window], truth[window]
    return MaskScores(region_similarity(predicted, truth), _boundary_agreement(predicted, truth, radius))


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
    edge = np.zeros_like(mask)
    edge[:, :-1] |= mask[:, :-1] ^ mask[:, 1:]
    edge[:-1, :] |= mask[:-1, :] ^ mask[1:, :]
    edge[:-1, :-1] |= mask[:-1, :-1] ^ mask[1:, 1:]
    return edge


def _boundary_agreement(predicted: Mask, truth: Mask, radius: int) -> float:
    predicted_edge, true_edge = boundary_map(predicted), boundary_map(truth)
    num_predicted, num_true = _count(predicted_edge), _count(true_edge)
    if num_predicted == 0 or num_true == 0:
        return 1.0 if num_predicted == num_true else 0.0
    precision = _count(predicted_edge & _widen(true_edge, radius)) / num_predicted
    recall = _count(true_edge & _widen(predicted_edge, radius)) / num_true
    return 0.0 if precision + recall == 0 else 2 * precision * recall / (precision + recall)


def _widen(edge: Mask, radius: int) -> Mask:
    """Pixels within `radius` of an edge pixel, measured straight between their centres."""
    widened: np.ndarray = cv2.dilate(edge.view(np.uint8), _disk(radius))
    return widened.view(np.bool_)


@functools.cache
def _disk(radius: int) -> UInt8[np.ndarray, "side side"]:
    steps = np.arange(-radius, radius + 1)
    return (steps[:, None] ** 2 + steps[None, :] ** 2 <= radius**2).astype(np.uint8)


def _window(predicted: Mask, truth: Mask) -> tuple[slice, slice]:
    """The rectangle around both masks and one pixel more on each side, as far as the frame goes."""
    either = predicted | truth
    left, top, width, height = cv2.boundingRect(either.view(np.uint8))
    return slice(max(top - 1, 0), top + height + 1), slice(max(left - 1, 0), left + width + 1)


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
