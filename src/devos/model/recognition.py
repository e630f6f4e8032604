"""After a cut: whether what the bank claims to be an object is that object, or only the likest thing in another scene.

Attention always finds something. So an object that was lost in a cut comes back only where what is claimed looks, as a
whole, like what is remembered of it.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from devos.model.encoder import Features
from devos.model.memory import Entry

_STRIDES = (16, 32)
_ALIKE = 0.67
"""Least mean cosine, over both strides, of an object that is known again. Chosen on videos of the training set: of
claims about things of other videos 1 in 34 is above, of true ones, mirrored, cut and in other light, 88 %."""
_LEAST_CELLS = 0.25
"""An object must have covered as much of a cell at stride 16 for it to be known how it looks there."""


def recognised(
    features: Features, probabilities: Float[Tensor, "bg slots h4 w4"], entries: Sequence[Entry]
) -> Bool[Tensor, "bg slots"]:
    """For each slot whether what is claimed to be it on a frame looks like it does in some entry of the bank."""
    found: Tensor = torch.zeros(probabilities.shape[:2], dtype=torch.bool, device=probabilities.device)
    claimed = _looks(features, probabilities)
    for entry in entries:
        if entry.probabilities.shape[0] != probabilities.shape[0]:
            continue
        kept = _looks(entry.features, entry.probabilities)
        alike = torch.stack([F.cosine_similarity(a, b, -1) for a, b in zip(claimed, kept, strict=True)]).mean(0)
        known = F.avg_pool2d(entry.probabilities, 4).sum((2, 3)) >= _LEAST_CELLS
        found = found | (known & (alike >= _ALIKE))
    return found


def withhold(
    probabilities: Float[Tensor, "bg slots h4 w4"], what: Bool[Tensor, "bg slots"] | Bool[Tensor, "bg slots h4 w4"]
) -> Float[Tensor, "bg slots h4 w4"]:
    """The same with what these slots have, everywhere or in these cells, given to the background."""
    hidden = (what[:, :, None, None] if what.ndim == 2 else what).clone()
    hidden[:, 0] = False
    kept = probabilities.masked_fill(hidden, 0)
    return torch.cat([kept[:, :1] + (probabilities - kept).sum(1, keepdim=True), kept[:, 1:]], 1)


def _looks(features: Features, probabilities: Float[Tensor, "bg slots h4 w4"]) -> list[Float[Tensor, "bg slots c"]]:
    """The mean features of each slot's cells, at each stride."""
    looks = []
    for stride in _STRIDES:
        shares = F.avg_pool2d(probabilities, stride // 4).flatten(2)
        maps = features.at(stride).flatten(2).repeat_interleave(len(shares) // len(features.s16), 0)
        looks.append(shares @ maps.transpose(1, 2) / shares.sum(2, keepdim=True).clamp(min=1e-6))
    return looks
