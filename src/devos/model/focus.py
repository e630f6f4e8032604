"""Where an object may be: what is fine and dear is computed there, and background is taken for certain elsewhere."""

from __future__ import annotations

import math
from typing import NamedTuple

from jaxtyping import Bool, Float, Shaped
from torch import Tensor
from torch.nn import functional as F

from devos.model.motion import where_led

STRIDE = 32
"""A focus has whole cells of this stride, so that it has whole cells of every stride."""
_DECIDED_AT = 16
_WAS_THERE, _IS_ALIKE = 0.1, 0.3
"""Probabilities from which a cell counts: of an object in the previous frame, and as it was read from the bank."""
_MARGIN = 2
"""Cells of stride 16 that are added around."""
_SIZES = 4
"""Heights, and widths, that a focus may have: few, for some runtimes compile a graph for each."""


class Focus(NamedTuple):
    """A rectangle of a frame, in cells of stride 32."""

    top: int
    left: int
    height: int
    width: int

    def cut(self, maps: Shaped[Tensor, "b c h w *more"], stride: int) -> Shaped[Tensor, "b c h2 w2 *more"]:
        """What lies in it of maps of the whole frame at a stride; a view."""
        k = STRIDE // stride
        bottom, right = self.top + self.height, self.left + self.width
        return maps[:, :, self.top * k : bottom * k, self.left * k : right * k]


def find_focus(probabilities: Float[Tensor, "bg slots h4 w4"], to_prev: Float[Tensor, "b 2 h8 w8"],
               read: Float[Tensor, "bg slots h16 w16"]) -> Focus:  # fmt: skip
    """A rectangle around all cells where an object was, carried on by the flow, and around those that look like an
    object in the bank, should one come back.

    `probabilities`: the previous frame's. `to_prev`: flow in pixels. `read`: masks read from the bank. All frames of a
    batch share one.
    """
    groups = len(probabilities) // len(to_prev)
    was = F.max_pool2d(probabilities[:, 1:].amax(1, keepdim=True), _DECIDED_AT // 4)
    flow = F.avg_pool2d(to_prev, _DECIDED_AT // 8) / _DECIDED_AT
    was = where_led(was, flow.repeat_interleave(groups, 0))
    seen = ((was > _WAS_THERE) | (1 - read[:, :1] > _IS_ALIKE)).any(0, keepdim=True).to(flow.dtype)
    seen = F.max_pool2d(seen, 2 * _MARGIN + 1, stride=1, padding=_MARGIN)
    cells = F.max_pool2d(seen, STRIDE // _DECIDED_AT)[0, 0] > 0
    (top, height), (left, width) = _stretch(cells.any(1)), _stretch(cells.any(0))
    return Focus(top, left, height, width)


def _stretch(seen: Bool[Tensor, " cells"]) -> tuple[int, int]:
    """The first cell, and how many, of a stretch that has one of the allowed lengths and holds all that are seen."""
    places = seen.nonzero()[:, 0].tolist() or [0]
    needed = places[-1] + 1 - places[0]
    unit = math.ceil(len(seen) / _SIZES)
    length = min(math.ceil(needed / unit) * unit, len(seen))
    start = places[0] - (length - needed) // 2
    return min(max(start, 0), len(seen) - length), length
