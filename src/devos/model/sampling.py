"""Bilinear sampling for ADVA: what lies at the points that each head looks at, and weighted sums of it.

The same in two forms. On a GPU, and in a graph for another runtime, `grid_sample` reads maps. PyTorch on a CPU reads
rows instead: a cell's channels lie side by side, and a sample, or a whole weighted sum of samples, is a weighted sum of
a few rows, which `embedding_bag` forms without writing the samples down; measured, a tenth of `grid_sample`'s time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int32
from torch import Tensor
from torch.nn import functional as F

from devos.model.focus import Focus
from devos.model.layers import eager_on_cpu
from devos.model.motion import normalised

_ROW = 16
"""Rows are padded to a multiple of so many numbers, a register's: half the time for 34 numbers."""


class Part(NamedTuple):
    """The points of a head that lie on one grid."""

    points: int
    """How many."""
    scale: int
    """The side of the grid's cells, in cells of the queries' grid."""
    size: tuple[int, int]
    """The grid's height and width in its own cells."""


class Taps(NamedTuple):
    """The four cells around each point, as rows of a table with a row for each image, cell and head, one part's after
    the other's. `r`: image, query and head, in this order.
    """

    rows: Int32[Tensor, "r p4"]
    shares: Float[Tensor, "r p4"]
    """How much of each; a point's four sum to 1."""


class Places(NamedTuple):
    """Where each head looks."""

    points: Float[Tensor, "b m h w p 2"]
    """(x, y) in cells of the queries' grid, first those of the first part."""
    parts: tuple[Part, ...]
    taps: Taps | None
    """Where rows are read: made once, for keys and for values."""

    def cut(self, focus: Focus, stride: int) -> Places:
        """Those of the queries in a part of the frame. `stride`: of the queries' grid."""
        b, _, h, w = self.points.shape[:4]

        def rows(of_all: Tensor) -> Tensor:
            return focus.cut(of_all.view(b, 1, h, w, -1), stride).reshape(-1, of_all.shape[1])

        taps = None if self.taps is None else Taps(*(rows(each) for each in self.taps))
        return Places(focus.cut(self.points, stride), self.parts, taps)


def places(points: Float[Tensor, "b m h w p 2"], parts: Sequence[Part]) -> Places:
    """The points, and what of them is needed to sample there."""
    if not eager_on_cpu(points):
        return Places(points, tuple(parts), None)
    # Rows are counted and places are measured in products of matrices, which half precision would round to wrong ones.
    with torch.autocast(points.device.type, enabled=False):
        return Places(points, tuple(parts), _taps(points, parts))


def correlations(query: Float[Tensor, "b c h w"], keys: Sequence[Tensor],
                 at: Places) -> Float[Tensor, "b m h w p"]:  # fmt: skip
    """Scaled products of each query with the keys at its points, head by head. `keys`: b c hs ws for each part."""
    if at.taps is not None:
        return _row_correlations(query, keys, at.points.shape[1], at.taps)
    b, c, h, w = query.shape
    heads = at.points.shape[1]
    # Contiguous, or the product with the sampled keys inherits a channels-last order and is copied whole.
    q = query.contiguous().view(b, heads, c // heads, h, w, 1)
    products = [(q * _sample_heads(k, own, heads)).sum(2) for k, own in zip(keys, _on(at), strict=True)]
    scores: Tensor = torch.cat(products, -1) * (c // heads) ** -0.5
    return scores


def weighted_sums(embeddings: Sequence[Tensor], masks: Sequence[Tensor], weights: Float[Tensor, "b m h w p"],
                  at: Places) -> tuple[Float[Tensor, "bg c h w"], Float[Tensor, "bg s h w"]]:  # fmt: skip
    """What lies at the points, summed by weight: of `embeddings` (bg c hs ws for each part) each head's own channels,
    of `masks` (bg s hs ws for each part) the mean of the heads.
    """
    if at.taps is not None:
        return _row_sums(embeddings, masks, weights, at.taps)
    groups = len(embeddings[0]) // len(weights)
    at = at._replace(points=at.points.repeat_interleave(groups, 0))
    split = torch.split(weights.repeat_interleave(groups, 0), [part.points for part in at.parts], -1)
    sums = [_grid_sums(*each) for each in zip(embeddings, masks, _on(at), split, strict=True)]
    embedding, mask = sums[0]
    for more_embedding, more_mask in sums[1:]:
        embedding, mask = embedding + more_embedding, mask + more_mask
    return embedding, mask


def _on(at: Places) -> list[Tensor]:
    """Each part's points, in cells of its own grid: there the centres lie at half-integers of a coarser grid."""
    split = torch.split(at.points, [part.points for part in at.parts], -2)
    return [p if part.scale == 1 else (p + 0.5) / part.scale - 0.5 for p, part in zip(split, at.parts, strict=True)]


def _grid_sums(embedding: Tensor, mask: Tensor, points: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    bg, heads, h, w, p = weights.shape
    picked = _sample_heads(embedding, points, heads)
    summed = (picked * weights[:, :, None]).sum(-1).reshape(bg, embedding.shape[1], h, w)
    grid = normalised(points, *mask.shape[-2:]).permute(0, 2, 3, 1, 4, 5).reshape(bg, h, w * heads * p, 2)
    masks = F.grid_sample(mask, grid, padding_mode="border", align_corners=False)
    flat = weights.permute(0, 2, 3, 1, 4).reshape(bg, 1, h, w, heads * p)
    return summed, (masks.view(bg, mask.shape[1], h, w, heads * p) * flat).sum(-1) / heads


def _sample_heads(maps: Float[Tensor, "b c hs ws"], points: Float[Tensor, "b m h w p 2"], heads: int) -> Tensor:
    """Each head's channels at its points, bilinear, the border repeated: b m c/m h w p."""
    b, c, hs, ws = maps.shape
    h, w, p = points.shape[2:5]
    grid = normalised(points, hs, ws).reshape(b * heads, h, w * p, 2)
    picked = F.grid_sample(
        maps.contiguous().view(b * heads, c // heads, hs, ws), grid, padding_mode="border", align_corners=False
    )
    return picked.view(b, heads, c // heads, h, w, p)


def _row_correlations(query: Tensor, keys: Sequence[Tensor], heads: int, taps: Taps) -> Tensor:
    b, c, h, w = query.shape
    d = c // heads
    table = torch.cat([k.permute(0, 2, 3, 1).reshape(-1, d) for k in keys])
    found = F.embedding_bag(
        taps.rows.view(-1, 4), table, mode="sum", per_sample_weights=taps.shares.view(-1, 4).to(table.dtype)
    )
    q = query.permute(0, 2, 3, 1).reshape(-1, d, 1) * d**-0.5
    products = torch.bmm(found.view(len(q), -1, d), q.to(found.dtype))
    return products.view(b, h, w, heads, -1).permute(0, 3, 1, 2, 4)


def _row_sums(embeddings: Sequence[Tensor], masks: Sequence[Tensor], weights: Tensor,
              taps: Taps) -> tuple[Tensor, Tensor]:  # fmt: skip
    b, heads, h, w, p = weights.shape
    groups, c, s = len(embeddings[0]) // b, embeddings[0].shape[1], masks[0].shape[1]
    d = c // heads
    pad = -(d + s) % _ROW
    # A row holds a head's channels and the mask of every group, for all of them are read at the same points.
    table = torch.cat([_table(e, m, b, heads, pad) for e, m in zip(embeddings, masks, strict=True)])
    each = weights.permute(0, 2, 3, 1, 4).reshape(-1, p)
    taken = taps.shares * (each @ _repeated(p, each))
    read = F.embedding_bag(taps.rows, table, mode="sum", per_sample_weights=taken.to(table.dtype))
    read = read.view(b, h, w, heads, groups, d + s + pad).permute(0, 4, 1, 2, 3, 5)
    embedding = read[..., :d].reshape(b * groups, h, w, c)
    mask = read[..., d : d + s].mean(4).view(b * groups, h, w, s)
    return embedding.permute(0, 3, 1, 2), mask.permute(0, 3, 1, 2)


def _table(embedding: Tensor, mask: Tensor, batch: int, heads: int, pad: int) -> Tensor:
    """A row for each image, cell and head: for each group the head's channels, the mask, and `pad` zeros."""
    bg, c, h, w = embedding.shape
    channels = embedding.permute(0, 2, 3, 1).reshape(bg, h, w, heads, c // heads)
    slots = F.pad(mask.permute(0, 2, 3, 1), (0, pad))[:, :, :, None].expand(-1, -1, -1, heads, -1)
    rows = torch.cat([channels, slots.to(channels.dtype)], -1).view(batch, bg // batch, h * w * heads, -1)
    return rows.transpose(1, 2).reshape(batch * h * w * heads, -1)


def _repeated(points: int, like: Tensor) -> Float[Tensor, "p p4"]:
    """A matrix that writes each of a row's numbers four times. Products with such matrices put rows in order exactly,
    and faster than operations on dimensions of 2 and 4 do.
    """
    return torch.eye(points, dtype=like.dtype).repeat_interleave(4, 1)


def _taps(points: Float[Tensor, "b m h w p 2"], parts: Sequence[Part]) -> Taps:
    """The border is repeated: a point beyond it is moved onto it. In between a row has first all x, then all y."""
    b, heads, h, w, p, _ = points.shape
    own = points.permute(0, 2, 3, 1, 4, 5).reshape(-1, p * 2)
    counts = torch.tensor([part.points for part in parts])

    def row(x: Sequence[float | int], y: Sequence[float | int]) -> Tensor:
        return torch.cat([torch.tensor(each, dtype=own.dtype).repeat_interleave(counts) for each in (x, y)])

    scale = row(*[[1 / part.scale for part in parts]] * 2)
    last = row([part.size[1] - 1 for part in parts], [part.size[0] - 1 for part in parts])
    step = row([heads for _ in parts], [part.size[1] * heads for part in parts])
    apart = torch.eye(p * 2, dtype=own.dtype).view(p, 2, -1).transpose(0, 1).reshape(p * 2, -1).T
    places = (own @ (apart * scale) + (0.5 * scale - 0.5)).minimum(last).clamp(min=0)
    repeated = _repeated(p, own)
    with torch.no_grad():
        # The last cell has none after it: there the cell before it is taken, and nothing of it. A place that is no
        # number is no row either; what is read there is no number through its share, so that training can tell.
        low = places.floor().nan_to_num(0.0).minimum((last - 1).clamp(min=0))
        base = (low @ (repeated.repeat(2, 1) * step[:, None])).int()
        rows = base.view(b, h * w, heads, -1) + _first_rows(b, heads, parts)
    beyond = places - low
    x = _split(beyond[:, :p], repeated, (0, 1, 0, 1))
    y = _split(beyond[:, p:], repeated, (0, 0, 1, 1))
    return Taps(rows.view(len(own), -1), x * y)


def _split(beyond: Float[Tensor, "r p"], repeated: Float[Tensor, "p p4"],
           after: tuple[int, ...]) -> Float[Tensor, "r p4"]:  # fmt: skip
    """How much each of a point's four cells gets: 1 - `beyond` those before it, `beyond` those after it."""
    side = torch.tensor(after, dtype=beyond.dtype).repeat(beyond.shape[1])
    return torch.addmm(1 - side, beyond, repeated * (2 * side - 1))


def _first_rows(batch: int, heads: int, parts: Sequence[Part]) -> Int32[Tensor, "b 1 m p4"]:
    """The rows of the four cells around each grid's first cell."""
    images, head = torch.arange(batch)[:, None, None, None], torch.arange(heads)[:, None]
    columns, start = [], 0
    for part in parts:
        height, width = part.size
        right, down = min(1, width - 1) * heads, min(1, height - 1) * width * heads
        corners = torch.tensor([0, right, down, right + down]).repeat(part.points)
        columns.append(start + images * (height * width * heads) + head + corners)
        start += batch * height * width * heads
    return torch.cat(columns, -1).int()
