"""Labels to probabilities over slots and back: the one-hot and merge arithmetic, pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8, UInt16
from torch import Tensor
from torch.nn import functional as F

from devos.frames import FrameSize

_LEAST = 1e-4


def shares(labels: UInt16[np.ndarray, "h w"] | UInt8[np.ndarray, "h w"], object_ids: Sequence[int],
           size: FrameSize) -> Float[Tensor, "objects h2 w2"]:  # fmt: skip
    """For each object, the share of each cell of a grid of `size` that it covers."""
    maps = np.empty((len(object_ids), *size), np.float32)
    for row, object_id in enumerate(object_ids):
        covered = (labels == object_id).astype(np.float32)
        maps[row] = cv2.resize(covered, (size.width, size.height), interpolation=cv2.INTER_AREA)
    return torch.from_numpy(maps)


def merge_groups(probabilities: Float[Tensor, "bg slots h w"], groups: int) -> Float[Tensor, "bg slots h w"]:
    """Make the answers of each image's groups of objects agree, by the odds of soft aggregation (STM, AOT).

    Each group sees the other groups' objects as its background. The background's probability is the product of the
    groups'; then every object's and the background's odds are brought to the sum of 1.
    """
    if groups == 1:
        return probabilities
    grouped = torch.unflatten(probabilities, 0, (-1, groups)).clamp(_LEAST, 1 - _LEAST)
    background = grouped[:, :, 0].prod(1)
    odds = grouped[:, :, 1:] / (1 - grouped[:, :, 1:])
    # An absent object's clamp must not add up over many groups.
    odds = torch.where(grouped[:, :, 1:] <= _LEAST, 0, odds)
    background_odds = background / (1 - background).clamp(min=_LEAST)
    total = background_odds + odds.sum((1, 2))
    objects = odds / total[:, None, None].clamp(min=1e-8)
    rest = 1 - objects.sum(2, keepdim=True)
    return torch.cat([rest, objects], 2).flatten(0, 1)


@dataclass(frozen=True)
class FullSize:
    """An answer at a frame's own size."""

    winner: Int64[Tensor, "h w"]
    """0 background, else 1 + the row of the object."""
    certainty: Float[Tensor, "h w"]
    """The winner's probability."""
    probabilities: Float[Tensor, "objects h w"] | None


def to_full_size(background: Float[Tensor, "h4 w4"], objects: Float[Tensor, "objects h4 w4"], size: FrameSize,
                 keep_probabilities: bool = False) -> FullSize:  # fmt: skip
    """Which object is where at `size`. Interpolated as log-probabilities, never as labels.

    One object at a time, so that memory does not grow with their number.
    """
    # All are compared with the background, so that it need not be enlarged: interpolation is linear.
    level = background.clamp(min=_LEAST).log()
    best = torch.zeros(tuple(size), dtype=background.dtype, device=background.device)
    total = torch.ones_like(best)
    winner = torch.zeros_like(best, dtype=torch.int32)
    kept = []
    for row, probability in enumerate(objects, 1):
        above = (probability.clamp(min=_LEAST).log() - level)[None, None]
        value = F.interpolate(above, tuple(size), mode="bilinear", align_corners=False)[0, 0]
        winner.masked_fill_(value > best, row)
        best = torch.maximum(best, value)
        odds = value.exp()
        total += odds
        if keep_probabilities:
            kept.append(odds)
    probabilities = torch.stack(kept) / total if kept else None
    return FullSize(winner.long(), best.exp() / total, probabilities)
