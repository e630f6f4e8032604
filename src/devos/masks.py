"""Labels to probabilities over slots and back: the one-hot and merge arithmetic, pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import torch
from jaxtyping import Float, Float32, Float64, Int32, Int64, UInt8, UInt16
from torch import Tensor
from torch.nn import functional as F

from devos.frames import FrameSize

_LEAST = 1e-4
_MOST_PIXELS, _MOST_VALUES = 1 << 19, 1 << 22
"""About how many pixels are enlarged at a time, and for how many of them and objects: some 16 MB each."""
_NOWHERE = np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32)


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
    """An answer at a frame's own size: what is known of each pixel where an object wins; elsewhere is background."""

    pixels: Int64[np.ndarray, " won"]
    """Which they are, counted along the rows from the top left, rising."""
    winner: Int64[np.ndarray, " won"]
    """1 + the row of the object."""
    certainty: Float32[np.ndarray, " won"]
    """The winner's probability."""
    probabilities: Float[Tensor, "objects h w"] | None

    def counts_and_means(
        self, num_objects: int
    ) -> tuple[Int64[np.ndarray, " objects"], Float64[np.ndarray, " objects"]]:
        """How many pixels each object has, and the mean of their certainty; 0 where it has none."""
        counts = np.bincount(self.winner, minlength=num_objects + 1)[1:]
        totals = np.bincount(self.winner, weights=self.certainty, minlength=num_objects + 1)[1:]
        return counts, totals / np.maximum(counts, 1)


def to_full_size(answer: Float[Tensor, "rows h4 w4"], size: FrameSize, keep_probabilities: bool = False) -> FullSize:
    """Which object is where at `size`. Interpolated as log-probabilities, never as labels.

    `answer`: row 0 background, then a row for each object. All are compared with the background. The greatest of all at
    each cell, enlarged, is nowhere less than what is enlarged of any, so that only pixels where it is above 0 need be
    looked at. Some rows of the frame at a time, so that memory does not grow with the number of objects unless their
    probabilities are kept.
    """
    logs = answer.float().cpu().clamp(min=_LEAST).log_()
    above = logs[1:] - logs[:1]
    num_objects, height, width = above.shape
    kept = torch.zeros(num_objects, *size) if keep_probabilities else None
    if not num_objects:
        return FullSize(*_NOWHERE, kept)
    greatest = above.amax(0).numpy()
    # One more row and column, so that each pixel lies between a cell and the next.
    table = F.pad(above[None], (0, 1, 0, 1), mode="replicate")[0].flatten(1).t().contiguous()
    down, across = _taps(size.height, height), _taps(size.width, width)
    found = [_NOWHERE]
    band = max(1, min(_MOST_PIXELS, _MOST_VALUES // num_objects) // size.width)
    for top in range(0, size.height, band):
        lines = down.part(slice(top, top + band))
        limit = _enlarged(greatest, lines, size.width).ravel()
        pixels = np.arange(limit.size) if keep_probabilities else np.flatnonzero(limit > 0)
        if not len(pixels):
            continue
        if num_objects == 1:
            values = torch.from_numpy(limit[pixels, None])
        else:
            indices, weights = _corners(pixels, lines, across, width + 1)
            values = F.embedding_bag(indices, table, per_sample_weights=weights, mode="sum")
        best, row = values.max(1)
        odds = values.exp_()
        total = odds.sum(1).add_(1)
        if kept is not None:
            kept[:, top : top + band] = (odds / total[:, None]).t().view(num_objects, -1, size.width)
        won = (best > 0).numpy()
        certainty = best.exp_().div_(total).numpy()
        found.append((pixels[won] + top * size.width, row.numpy()[won] + 1, certainty[won]))
    pixels, winner, certainty = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return FullSize(pixels, winner, certainty, kept)


@dataclass(frozen=True)
class _Taps:
    """Bilinear interpolation along one side: the cell before each pixel, and how close it is to the cell after that.

    As `torch.nn.functional.interpolate` without aligned corners.
    """

    cell: Int32[np.ndarray, " pixels"]
    weight: Float32[np.ndarray, " pixels"]

    def part(self, pixels: slice) -> _Taps:
        """For some of the pixels."""
        return _Taps(self.cell[pixels], self.weight[pixels])


@lru_cache(maxsize=16)
def _taps(pixels: int, cells: int) -> _Taps:
    where = np.maximum((np.arange(pixels) + 0.5) * (cells / pixels) - 0.5, 0)
    cell = np.minimum(where.astype(np.int32), cells - 1)
    return _Taps(cell, (where - cell).astype(np.float32))


def _enlarged(cells: Float32[np.ndarray, "h4 w4"], lines: _Taps, width: int) -> Float32[np.ndarray, "lines w"]:
    """Some lines of a map at a new size."""
    share = lines.weight[:, None]
    below = np.minimum(lines.cell + 1, len(cells) - 1)
    rows = cells[lines.cell] * (1 - share) + cells[below] * share
    enlarged: np.ndarray = cv2.resize(rows, (width, len(rows)), interpolation=cv2.INTER_LINEAR)
    return enlarged


def _corners(pixels: Int64[np.ndarray, " pixels"], lines: _Taps, across: _Taps,
             stride: int) -> tuple[Int32[Tensor, "pixels 4"], Float32[Tensor, "pixels 4"]]:  # fmt: skip
    """The four cells that each pixel lies between, and their weights. `stride`: from a cell to the one below it."""
    line, column = np.divmod(pixels, len(across.cell))
    x, y = across.weight[column], lines.weight[line]
    weights = np.empty((len(pixels), 4), np.float32)
    weights[:, 3] = x * y
    weights[:, 1], weights[:, 2] = x - weights[:, 3], y - weights[:, 3]
    weights[:, 0] = 1 - x - weights[:, 2]
    first = lines.cell[line] * np.int32(stride) + across.cell[column]
    indices = first[:, None] + np.array([0, 1, stride, stride + 1], np.int32)
    return torch.from_numpy(indices), torch.from_numpy(weights)
