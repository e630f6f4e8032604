"""An object stays near where the flow takes it, unless it is lost there: what only looks like it, far away, is not it.

Ours, beside the paper: of the masks that the network claims, parts that lie far from where the object was are kept only
when too little of it is found near (it left, it was hidden, or the flow was wrong).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from devos.model.memory import Entry, Previous
from devos.model.motion import where_led
from devos.model.recognition import withhold

_STRIDE = 16
"""Where nearness is decided, in cells of this stride."""
_REACH = 6
"""Near is within this part of the picture's short side: 64 pixels of 384."""
_LIKELY = 0.25
"""Probability from which an object is claimed to be in a cell, or was there; thin things are faint."""
_FOUND = 0.3
"""An object is lost near where it was if less than this share of it is found there, by its area in the frame before and
in the bank."""


def keep_near(
    probabilities: Float[Tensor, "bg slots h4 w4"], previous: Previous, entries: Sequence[Entry],
    to_prev: Float[Tensor, "b 2 h8 w8"],
) -> Float[Tensor, "bg slots h4 w4"]:  # fmt: skip
    """The same with what objects claim far from where they were given to the background; all of an object's where it is
    lost. `to_prev`: flow in pixels.
    """
    was = previous.probabilities
    if was.shape != probabilities.shape:  # groups come and go
        return probabilities
    near = _near(was, to_prev) > _LIKELY
    far = (F.max_pool2d(probabilities, _STRIDE // 4) > _LIKELY) & ~near
    if not far[:, 1:].any():
        return probabilities
    near = near.repeat_interleave(_STRIDE // 4, 2).repeat_interleave(_STRIDE // 4, 3)
    found, usual = (probabilities * near).sum((2, 3)), _usual_area(was, entries)
    lost = found < _FOUND * usual
    return withhold(probabilities, ~(near | lost[:, :, None, None]))


def _near(
    was: Float[Tensor, "bg slots h4 w4"], to_prev: Float[Tensor, "b 2 h8 w8"]
) -> Float[Tensor, "bg slots h16 w16"]:
    """The highest probability that each slot had within reach of where the flow leads from each cell."""
    coarse = F.max_pool2d(was, _STRIDE // 4)
    reach = max(1, round(min(coarse.shape[-2:]) / _REACH))
    for kernel, padding in (((2 * reach + 1, 1), (reach, 0)), ((1, 2 * reach + 1), (0, reach))):
        coarse = F.max_pool2d(coarse, kernel, stride=1, padding=padding)
    flow = F.avg_pool2d(to_prev, _STRIDE // 8) / _STRIDE
    return where_led(coarse, flow.repeat_interleave(len(was) // len(to_prev), 0))


def _usual_area(was: Float[Tensor, "bg slots h4 w4"], entries: Sequence[Entry]) -> Float[Tensor, "bg slots"]:
    """An object's area in cells: in the frame before, or in the bank's frames that show it, whatever is more."""
    area = was.sum((2, 3))
    kept = [e.probabilities.sum((2, 3)) for e in entries if e.probabilities.shape == was.shape]
    if not kept:
        return area
    areas = torch.stack(kept)
    mean: Tensor = areas.sum(0) / (areas > 1).sum(0).clamp(min=1)
    return torch.maximum(area, mean)
