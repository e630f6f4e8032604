"""How sure the network is of a mask, as a chance: that J is 0.5 or more.

The mean probability of a mask's pixels says too much: a network that is trained on the outline is sure inside it. What
else tells is how wide the unsure rim is, how large the object is, and whether it lies in one part. Four numbers, joined
by a logistic regression that is fitted to clips which the measured ones are none of (`benchmarks/confidence.py`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float
from torch import Tensor

_CERTAIN = 1e-3
"""No probability is taken for nearer to 0 or 1."""
WEIGHTS = (-7.946, 1.567, -0.536, 0.59, 2.801)
"""The constant, then one for each number of `Signs.numbers`, in its order."""


@dataclass(frozen=True)
class Signs:
    """What tells whether a mask is right."""

    probability: float
    """Mean probability of its pixels, in [0, 1]."""
    rim: float
    """Sum of p (1 - p) over the cells at stride 4, for each cell that the object covers: how wide its edge is."""
    area: float
    """Cells at stride 4 that it covers, by their probabilities."""
    together: float
    """Share of its largest connected part, in [0, 1]."""

    @property
    def numbers(self) -> tuple[float, float, float, float]:
        """As the regression takes them."""
        sure = min(max(self.probability, _CERTAIN), 1 - _CERTAIN)
        return math.log(sure / (1 - sure)), math.log(self.rim + 0.01), math.log(max(self.area, 1)), self.together

    @property
    def confidence(self) -> float:
        """The chance that J is 0.5 or more, in [0, 1]."""
        total = WEIGHTS[0] + sum(weight * number for weight, number in zip(WEIGHTS[1:], self.numbers, strict=True))
        return 1 / (1 + math.exp(-total))


def signs(answer: Float[Tensor, "rows h4 w4"], probabilities: Sequence[float]) -> list[Signs]:
    """Those of each object. `answer`: row 0 background, then a row for each object; rows sum to 1. `probabilities`:
    the mean of each one's pixels.
    """
    maps = answer[1:].float()
    areas, rims = maps.sum((1, 2)).tolist(), (maps * (1 - maps)).sum((1, 2)).tolist()
    highest = answer.amax(0)
    each = zip(probabilities, rims, areas, answer[1:], strict=True)
    return [Signs(mean, rim / max(area, 1), area, _together((row >= highest).numpy())) for mean, rim, area, row in each]


def _together(mask: np.ndarray) -> float:
    """Share of a mask's largest connected part; 0 for none."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return 0.0
    inside = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(np.uint8)
    areas = cv2.connectedComponentsWithStats(inside)[2][1:, cv2.CC_STAT_AREA]
    return float(areas.max() / areas.sum())
