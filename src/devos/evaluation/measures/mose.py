"""The measures of MOSE v2, as its `score.py` computes them.

J' is smoothed, F counts as near what its radius reaches, F_dot has a radius that is smaller on small objects. And there
is what becomes of an object on the frames where it is away, and on those where it is back.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import UInt8

from devos.evaluation.measures.bits import Bits
from devos.evaluation.measures.metrics import BOUNDARY_TOLERANCE, Mask, MaskAreas, Widening, boundary_agreements
from devos.frames import FrameSize

_AREA_TOLERANCE = 0.1
"""How far apart two boundaries may lie under F_dot, as a share of the side of a square of the object's size."""


def score_mask_mose2(predicted: Mask, truth: Mask, frame: FrameSize | None = None) -> tuple[float, float, float]:
    """J', F_dot and F of one object on one frame, each in [0, 1]; `frame` as for `metrics.score_mask`."""
    frame = frame or FrameSize(*truth.shape)
    areas = MaskAreas.of(predicted, truth, frame)
    if not areas.either:
        return 1.0, 1.0, 1.0
    region = min((areas.both + 1) / (areas.either + 1), 1.0)
    radii = _radii(areas.truth, frame)
    classic, strict = boundary_agreements(predicted, truth, areas, *(_widening(radius) for radius in radii))
    return region, strict, classic


def _radii(area: int, frame: FrameSize) -> tuple[float, float]:
    """The radius of F and that of F_dot in pixels, for a true mask of `area` pixels.

    On large objects the program takes the unrounded tolerance for both, where it should round it up for F.
    """
    tolerance = BOUNDARY_TOLERANCE * math.hypot(frame.height, frame.width)
    strict = float(math.ceil(_AREA_TOLERANCE * math.sqrt(area))) if area else tolerance
    return (float(math.ceil(tolerance)), strict) if strict < tolerance else (tolerance, tolerance)


def _widening(radius: float) -> Widening:
    if radius.is_integer():
        return functools.partial(Bits.widen, radius=int(radius))
    return functools.partial(_widen_unevenly, radius=radius)


def _widen_unevenly(edge: Bits, radius: float) -> Bits:
    """Widen by a disk of a radius that is no whole number, as the program does: smaller, and off its centre."""
    widened: np.ndarray = cv2.dilate(edge.mask().view(np.uint8), fractional_disk(radius))
    return Bits.of(widened.view(np.bool_))


@functools.lru_cache(maxsize=64)
def fractional_disk(radius: float) -> UInt8[np.ndarray, "side side"]:
    """1 at steps -r, -r+1, ... that lie within r of the middle; for a broken r they miss the middle itself."""
    steps = np.arange(-radius, radius + 1)
    return (steps[:, None] ** 2 + steps[None, :] ** 2 <= radius**2).astype(np.uint8)


def runs_of_absence(
    values: Sequence[tuple[float, ...]], frames: Sequence[int], present: Sequence[bool]
) -> dict[str, float]:
    """J' and F_dot where the object is away ("disappear J", ...) and where it is back ("reappear J", ...).

    The frames fall into runs with the object and runs without it. Each figure is the mean over runs of the mean in the
    run. What an object does before it has been there once is no disappearing, but to come then is a reappearing. An
    object that is never away has none of these figures. `values` has J' and F_dot first, one entry a frame.
    """
    runs = [[frame for frame, _ in run] for _, run in itertools.groupby(enumerate(present), key=lambda pair: pair[1])]
    kinds: dict[str, list[list[int]]] = {
        "disappear": [run for run in runs[1:] if not present[run[0]]],
        "reappear": [run for run in runs[1:] if present[run[0]]],
    }
    return {
        f"{kind} {name}": math.fsum(_mean([values[frame][column] for frame in run]) for run in found) / len(found)
        for kind, found in kinds.items()
        if found
        for column, name in enumerate(("J", "F_dot"))
    }


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
