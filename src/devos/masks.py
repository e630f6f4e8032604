"""Labels to probabilities over slots and back: the one-hot and merge arithmetic, pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Int64, UInt8, UInt16
from torch import Tensor

from devos.frames import FrameSize

_LEAST = 1e-4
_FAINT = math.log(1e-3)
"""Log-odds against the background below which an object is as good as absent."""


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

    One object at a time, so that memory does not grow with their number, and each only where it may be: elsewhere its
    share, less than a thousandth of the background's, is left out of the certainty.
    """
    # All are compared with the background, so that it need not be enlarged: interpolation is linear.
    level = background.clamp(min=_LEAST).log()
    down, across = _taps(size.height, level.shape[0]), _taps(size.width, level.shape[1])
    best = torch.zeros(tuple(size), dtype=background.dtype, device=background.device)
    total = torch.ones_like(best)
    winner = torch.zeros_like(best, dtype=torch.int64)
    kept = torch.zeros((len(objects), *size), dtype=best.dtype, device=best.device) if keep_probabilities else None
    for row, probability in enumerate(objects, 1):
        above = probability.clamp(min=_LEAST).log() - level
        near = torch.ones_like(above, dtype=torch.bool) if keep_probabilities else above > _FAINT
        rows, columns = down.reached(near.any(1)), across.reached(near.any(0))
        value = across.between(down.between(above, rows, 0), columns, 1)
        window = rows, columns
        winner[window].masked_fill_(value > best[window], row)
        torch.maximum(best[window], value, out=best[window])
        odds = value.exp_()
        total[window] += odds
        if kept is not None:
            kept[row - 1] = odds
    return FullSize(winner, best.exp_().div_(total), None if kept is None else kept / total)


@dataclass(frozen=True)
class _Taps:
    """Bilinear interpolation along one side: between which two cells a pixel lies, and how close to the second.

    As `torch.nn.functional.interpolate` without aligned corners, but for any stretch of the pixels.
    """

    first: Int64[np.ndarray, " pixels"]
    second: Int64[np.ndarray, " pixels"]
    weight: Float[np.ndarray, " pixels"]

    def reached(self, cells: Bool[Tensor, " cells"]) -> slice:
        """The pixels from the first to the last that lie next to one of these cells."""
        found = np.flatnonzero(cells.cpu().numpy())
        if not len(found):
            return slice(0, 0)
        # Both only ever grow along the side.
        start = np.searchsorted(self.second, found[0], side="left")
        return slice(int(start), int(np.searchsorted(self.first, found[-1], side="right")))

    def between(self, values: Tensor, pixels: slice, side: int) -> Tensor:
        """The values at these pixels of that side."""
        device = values.device
        low, high = (torch.from_numpy(cells[pixels]).to(device) for cells in (self.first, self.second))
        weight = torch.from_numpy(self.weight[pixels]).to(device)
        shape = [1] * values.ndim
        shape[side] = -1
        return values.index_select(side, low).lerp_(values.index_select(side, high), weight.view(shape))


@lru_cache(maxsize=16)
def _taps(pixels: int, cells: int) -> _Taps:
    where = np.maximum((np.arange(pixels) + 0.5) * (cells / pixels) - 0.5, 0)
    first = np.minimum(where.astype(np.int64), cells - 1)
    second = np.minimum(first + 1, cells - 1)
    return _Taps(first, second, (where - first).astype(np.float32))
