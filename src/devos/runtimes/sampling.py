"""ADVA's bilinear reading, written for graph runtimes in two ways that give the same numbers.

ONNX Runtime has a slow GridSample, so for it a point is read with one Gather of its four corners and a matrix product.
OpenVINO has a fast GridSample and a slow Gather. Points have the cells in their last axis: whole rows of numbers are
multiplied at a time, where the model's own order has only a head's few points there.

Letters of shapes: m heads, p points of a head, n = h w queries, d channels of a head, g groups of objects, v channels
of values (c = m d of embedding, then s slots of the mask), hs ws the size of the maps that are read.
"""

from __future__ import annotations

from typing import Literal, Protocol, runtime_checkable

import torch
from torch import Tensor
from torch.nn import functional as F

Sampling = Literal["gather", "grid"]
"""How a graph reads between cells: with Gather (any runtime), or with GridSample."""


@runtime_checkable
class Reader(Protocol):
    """Reads maps at the points of ADVA: the border is repeated. Places are (x, y) from -1 to 1 over the picture, the
    same on every grid.
    """

    def correlate(self, query: Tensor, keys: Tensor) -> Tensor:
        """`query` m d n, `keys` 1 c hs ws -> products of each query with its sampled keys, m p n."""
        ...

    def weigh(self, weights: Tensor, values: Tensor, width: int) -> tuple[Tensor, Tensor]:
        """`weights` m p n, `values` g v hs ws -> embedding g c n, and the mask summed over the heads, g s n."""
        ...


class GatherReader:
    """With Gather: rows of a map hold a cell and its right, lower and lower right neighbour side by side."""

    def __init__(self, grid: Tensor, maps: Tensor) -> None:
        """`grid`: m p n 2, as `grid_sample` takes it. `maps`: any map of the size that is read."""
        self._heads = grid.shape[0]
        last_x, last_y = _last(maps.shape[3]), _last(maps.shape[2])
        x = ((grid[..., 0] + 1) * ((last_x + 1) / 2) - 0.5).clamp(min=0)
        y = ((grid[..., 1] + 1) * ((last_y + 1) / 2) - 0.5).clamp(min=0)
        x, y = torch.minimum(x, last_x), torch.minimum(y, last_y)
        left, top = x.floor(), y.floor()
        right, low = x - left, y - top
        corners = [(1 - right) * (1 - low), right * (1 - low), (1 - right) * low, right * low]
        # m n p 4: a query's points and their corners are one row of numbers
        self._shares = torch.stack(corners, -1).transpose(1, 2)
        head = torch.arange(self._heads, dtype=grid.dtype)[:, None, None]
        cells = (last_x + 1) * (last_y + 1)
        self._rows = (head * cells + top * (last_x + 1) + left).transpose(1, 2).long()

    def correlate(self, query: Tensor, keys: Tensor) -> Tensor:
        """As `Reader`."""
        m, d, n = query.shape
        sampled = self._read(keys.view(1, m, d, keys.shape[2], keys.shape[3]))[0]
        products = (sampled @ query.transpose(1, 2).unsqueeze(-1)).view(m, n, -1, 4)
        return (products * self._shares).sum(-1).transpose(1, 2)

    def weigh(self, weights: Tensor, values: Tensor, width: int) -> tuple[Tensor, Tensor]:
        """As `Reader`."""
        g, m, (hs, ws) = values.shape[0], self._heads, values.shape[2:]
        embedding = values[:, :width].reshape(g, m, width // m, hs, ws)
        mask = values[:, width:].unsqueeze(1).expand(-1, m, -1, -1, -1)
        sampled = self._read(torch.cat([embedding, mask], 2))
        shares = (weights.transpose(1, 2).unsqueeze(-1) * self._shares).flatten(2).unsqueeze(2)
        read = (shares @ sampled).squeeze(3)
        d = width // m
        return read[..., :d].transpose(2, 3).reshape(g, width, -1), read[..., d:].sum(1).transpose(1, 2)

    def _read(self, maps: Tensor) -> Tensor:
        """`maps` g m d hs ws -> g m n 4p d."""
        g, m, d, _, _ = maps.shape
        cells = maps.permute(0, 1, 3, 4, 2)
        cells = torch.cat([cells, torch.cat([cells[:, :, :, 1:], cells[:, :, :, -1:]], 3)], 4)
        cells = torch.cat([cells, torch.cat([cells[:, :, 1:], cells[:, :, -1:]], 2)], 4)
        sampled = cells.reshape(g, -1, 4 * d).index_select(1, self._rows.flatten())
        return sampled.view(g, m, self._rows.shape[1], -1, d)


class GridReader:
    """With GridSample."""

    def __init__(self, grid: Tensor, maps: Tensor) -> None:
        """As `GatherReader`."""
        self._grid = grid

    def correlate(self, query: Tensor, keys: Tensor) -> Tensor:
        """As `Reader`."""
        m, d, _ = query.shape
        sampled = _sample(keys.view(m, d, keys.shape[2], keys.shape[3]), self._grid)
        return (sampled * query.unsqueeze(2)).sum(1)

    def weigh(self, weights: Tensor, values: Tensor, width: int) -> tuple[Tensor, Tensor]:
        """As `Reader`."""
        g, m, (hs, ws) = values.shape[0], weights.shape[0], values.shape[2:]
        grid = self._grid.unsqueeze(0).expand(g, -1, -1, -1, -1)
        sampled = _sample(values[:, :width].reshape(-1, width // m, hs, ws), grid.flatten(0, 1))
        sampled = sampled.view(g, m, width // m, weights.shape[1], -1)
        embedding = (sampled * weights.unsqueeze(1)).sum(3).reshape(g, width, -1)
        masks = _sample(values[:, width:], grid.flatten(1, 2))
        return embedding, (masks * weights.flatten(0, 1)).sum(2)


READERS: dict[Sampling, type[GatherReader] | type[GridReader]] = {"gather": GatherReader, "grid": GridReader}
"""The two ways by their names."""


def _last(length: int) -> Tensor:
    """The last position of an axis, as a number in the graph: a plain one would be fixed when the graph is made."""
    return torch.arange(length, dtype=torch.float32)[-1]


def _sample(maps: Tensor, grid: Tensor) -> Tensor:
    return F.grid_sample(maps, grid, padding_mode="border", align_corners=False)
