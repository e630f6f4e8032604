"""The two kinds of matching: ADVA with the previous frame, and long-term matching with the memory bank.

Letters of shapes: b images, g groups of objects per image, c channels of queries and keys, v channels of values
(c embedding channels, then the slots of the mask itself), s slots, m heads, p points of a head, n memory cells.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from devos.model.config import Matching
from devos.model.motion import cell_grid, normalised


class Read(NamedTuple):
    """What matching brought back, for each group of objects."""

    embedding: Float[Tensor, "bg c h w"]
    mask: Float[Tensor, "bg s h w"]
    """The remembered masks, moved to where the queries are: non-negative, sums to 1 over the slots."""


class Sampled(NamedTuple):
    """ADVA's region for one frame: where it looked and how much it took from each place."""

    points: Float[Tensor, "b m h w p 2"]
    """(x, y) in cells of the query's own stride, on the previous frame."""
    weights: Float[Tensor, "b m h w p"]


class LayerNorm2d(nn.LayerNorm):
    """Layer normalisation over the channels of a map.

    The supplement prints the formula without the square root over Var + eps; this is the standard one.
    """

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Each cell normalised on its own."""
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Source(NamedTuple):
    """A scale of the previous frame that ADVA samples from."""

    keys: Float[Tensor, "b c h w"]
    values: Float[Tensor, "bg v h w"]


class Adva(nn.Module):
    """Adaptive deformable video attention at one stride (supplement 1.1; paper, section on ADVA).

    Q = LN(E_curr + W E^f_forward), K = LN(E_prev + W E^f_backward). Each query samples `points` positions of the
    previous frame at its own stride and `coarse_points` at the next coarser one, around where the flow says it was, in
    a shape that the query chooses; weights are a softmax over the correlations of the query with the sampled keys.
    `matching` may take some of that away.
    """

    region: Tensor
    """Offsets `m p 2`, (x, y) in cells, where the query does not choose them."""

    def __init__(self, width: int, coarse_width: int, heads: int, points: int, coarse_points: int,
                 slots: int, matching: Matching | None = None) -> None:  # fmt: skip
        super().__init__()
        self.matching = matching = matching or Matching()
        if matching.window is not None:
            points, coarse_points = matching.window**2, 0
        self.width, self.heads, self.slots = width, heads, slots
        self.points, self.coarse_points = points, coarse_points
        if matching.flow_injection:
            self.inject_forward = nn.Conv2d(width, width, 1, bias=False)
            self.inject_backward = nn.Conv2d(width, width, 1, bias=False)
        self.norm_query = LayerNorm2d(width)
        self.norm_key = LayerNorm2d(width)
        self.query, self.key = _equal_projections(width)
        total = points + coarse_points
        if matching.window is not None:
            self.register_buffer("region", _square(matching.window).expand(heads, -1, -1), persistent=False)
        elif matching.semantic_offsets:
            self.shape = nn.Sequential(
                nn.Conv2d(width, width, 5, padding=2, groups=width), nn.GELU(), nn.Conv2d(width, heads * total * 2, 1)
            )
            self._start_on_disks()
        else:
            self.register_buffer("region", self._disks(), persistent=False)
        self.point_bias = nn.Parameter(torch.zeros(heads, total))
        self.sharpness = nn.Parameter(torch.tensor(0.0))
        self.project = nn.Conv2d(width, width, 1)
        if coarse_points:
            self.coarse_key = nn.Conv2d(coarse_width, width, 1, bias=False)
            self.coarse_value = nn.Conv2d(coarse_width, width, 1)

    def _start_on_disks(self) -> None:
        """Zero weights; the biases are the disks."""
        last = self.shape[2]
        assert isinstance(last, nn.Conv2d) and last.bias is not None
        nn.init.zeros_(last.weight)
        with torch.no_grad():
            last.bias.copy_(self._disks().flatten())

    def _disks(self) -> Float[Tensor, "m p 2"]:
        """A sunflower disk for each head: 3.5 cells at the own stride, 2 of the coarser cells."""
        disks = []
        for head in range(self.heads):
            turn = 2 * math.pi * head / self.heads / max(self.points, 1)
            disks.append(torch.cat([_sunflower(self.points, 3.5, turn), _sunflower(self.coarse_points, 4.0, turn)]))
        return torch.stack(disks)

    def forward(self, current: Tensor, previous: Tensor, forward_embedding: Tensor, backward_embedding: Tensor,
                flow_cells: Float[Tensor, "b 2 h w"], values: Float[Tensor, "bg v h w"],
                coarse: Source | None) -> tuple[Read, Tensor]:  # fmt: skip
        """Read the previous frame's values for each cell of the current one.

        `current`, `previous`: E at this stride. `flow_cells`: `to_prev` in cells of this stride. `coarse`: keys and
        values of the next coarser stride. Returns the read, and this stride's keys for the finer stride to use.
        """
        query, keys = self.queries_and_keys(current, previous, forward_embedding, backward_embedding)
        sampled = self.sample(query, keys, flow_cells, coarse)
        embedding, mask = self._gather(sampled, values, coarse)
        groups = embedding.shape[0] // current.shape[0]
        residual = current.repeat_interleave(groups, 0) if groups > 1 else current
        return Read(residual + self.project(embedding), mask), keys

    def queries_and_keys(self, current: Tensor, previous: Tensor, forward_embedding: Tensor,
                         backward_embedding: Tensor) -> tuple[Tensor, Tensor]:  # fmt: skip
        """Q and K with flow injected (supplement 1.1)."""
        if self.matching.flow_injection:
            current = current + self.inject_forward(forward_embedding)
            previous = previous + self.inject_backward(backward_embedding)
        return self.norm_query(current), self.norm_key(previous)

    def sample(self, query: Tensor, keys: Tensor, flow_cells: Tensor, coarse: Source | None) -> Sampled:
        """Where each head looks, and its weights."""
        points = self._points(query, flow_cells)
        projected = self.query(query)
        scores = [self._correlate(projected, self.key(keys), points[..., : self.points, :])]
        if self.coarse_points:
            assert coarse is not None
            at_coarse = _to_coarser(points[..., self.points :, :])
            scores.append(self._correlate(projected, self.coarse_key(coarse.keys), at_coarse))
        logits = torch.cat(scores, -1) * self.sharpness.exp() + self.point_bias[:, None, None, :]
        return Sampled(points, logits.softmax(-1))

    def _points(self, query: Tensor, flow_cells: Tensor) -> Float[Tensor, "b m h w p 2"]:
        """Flow offsets move the region of each query, semantic offsets shape it."""
        b, _, h, w = query.shape
        anchor = cell_grid(h, w, query).expand(b, h, w, 2)
        if self.matching.flow_offsets:
            anchor = anchor + flow_cells.permute(0, 2, 3, 1)
        if self.matching.semantic_offsets and self.matching.window is None:
            offsets = self.shape(query).view(b, self.heads, -1, 2, h, w).permute(0, 1, 4, 5, 2, 3)
        else:
            offsets = self.region[:, None, None]
        points: Tensor = anchor[:, None, :, :, None, :] + offsets
        return points

    def _correlate(self, query: Tensor, keys: Tensor, points: Tensor) -> Float[Tensor, "b m h w p"]:
        b, c, h, w = query.shape
        # Contiguous, or the product with the sampled keys inherits a channels-last order and is copied whole.
        q = query.contiguous().view(b, self.heads, c // self.heads, h, w, 1)
        k = _sample_heads(keys, points, self.heads)
        scores: Tensor = (q * k).sum(2) * (c // self.heads) ** -0.5
        return scores

    def _gather(self, sampled: Sampled, values: Tensor, coarse: Source | None) -> tuple[Tensor, Tensor]:
        groups = values.shape[0] // sampled.points.shape[0]
        points, weights = sampled
        if groups > 1:
            points, weights = points.repeat_interleave(groups, 0), weights.repeat_interleave(groups, 0)
        n = self.points
        embedding, mask = self._weigh(values, points[..., :n, :], weights[..., :n])
        if self.coarse_points:
            assert coarse is not None
            width = self.coarse_value.in_channels
            joined = torch.cat([self.coarse_value(coarse.values[:, :width]), coarse.values[:, width:]], 1)
            far_embedding, far_mask = self._weigh(joined, _to_coarser(points[..., n:, :]), weights[..., n:])
            embedding, mask = embedding + far_embedding, mask + far_mask
        return embedding, mask

    def _weigh(self, values: Tensor, points: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Weighted sums: the embedding with each head's own channels, the mask as the mean of the heads."""
        bg, _, h, w = values.shape[0], values.shape[1], *points.shape[2:4]
        picked = _sample_heads(values[:, : self.width], points, self.heads)
        embedding = (picked * weights[:, :, None]).sum(-1).reshape(bg, self.width, h, w)
        m, p = self.heads, points.shape[4]
        grid = normalised(points, *values.shape[-2:]).permute(0, 2, 3, 1, 4, 5).reshape(bg, h, w * m * p, 2)
        masks = F.grid_sample(values[:, self.width :], grid, padding_mode="border", align_corners=False)
        flat = weights.permute(0, 2, 3, 1, 4).reshape(bg, 1, h, w, m * p)
        return embedding, (masks.view(bg, self.slots, h, w, m * p) * flat).sum(-1) / m


def _equal_projections(width: int) -> tuple[nn.Conv2d, nn.Conv2d]:
    """For queries and for keys: orthogonal and equal at the start, so that before any training like attends to like."""
    query, key = nn.Conv2d(width, width, 1, bias=False), nn.Conv2d(width, width, 1, bias=False)
    with torch.no_grad():
        nn.init.orthogonal_(query.weight)
        key.weight.copy_(query.weight)
    return query, key


def _sunflower(count: int, radius: float, turn: float) -> Float[Tensor, "count 2"]:
    """Points spread evenly over a disk, the first at its centre."""
    index = torch.arange(count, dtype=torch.float32)
    angle = index * math.pi * (3 - math.sqrt(5)) + turn
    distance = radius * (index / max(count - 1, 1)).sqrt()
    return torch.stack([distance * angle.cos(), distance * angle.sin()], -1)


def _square(side: int) -> Float[Tensor, "1 p 2"]:
    """The cells of a square, around its middle."""
    return (cell_grid(side, side, torch.zeros(())) - side // 2).view(1, -1, 2)


def _to_coarser(points: Tensor) -> Tensor:
    """The same image positions, in cells twice as large: centres lie at half-integers of the coarser grid."""
    return (points + 0.5) / 2 - 0.5


def _sample_heads(maps: Float[Tensor, "b c hs ws"], points: Float[Tensor, "b m h w p 2"], heads: int) -> Tensor:
    """Each head's channels at its points, bilinear, the border repeated: b m c/m h w p."""
    b, c, hs, ws = maps.shape
    h, w, p = points.shape[2:5]
    grid = normalised(points, hs, ws).reshape(b * heads, h, w * p, 2)
    picked = F.grid_sample(
        maps.contiguous().view(b * heads, c // heads, hs, ws), grid, padding_mode="border", align_corners=False
    )
    return picked.view(b, heads, c // heads, h, w, p)


class LongTermMatching(nn.Module):
    """Scaled dot-product attention of the current frame over the memory bank at one stride (supplement 3)."""

    def __init__(self, width: int, slots: int) -> None:
        super().__init__()
        self.width, self.slots = width, slots
        self.norm = LayerNorm2d(width)
        self.query, self.key = _equal_projections(width)
        self.sharpness = nn.Parameter(torch.tensor(0.5))
        self.project = nn.Conv2d(width, width, 1)

    def keys(self, features: Float[Tensor, "b c h w"]) -> Float[Tensor, "b n c"]:
        """What a frame is remembered by."""
        keys: Tensor = self.key(self.norm(features)).flatten(2).transpose(1, 2)
        return keys

    def attention(self, features: Float[Tensor, "b c h w"],
                  keys: Float[Tensor, "b n c"]) -> Float[Tensor, "b q n"]:  # fmt: skip
        """How much each of the h w queries takes from each remembered cell."""
        query: Tensor = self.query(self.norm(features)).flatten(2).transpose(1, 2)
        scale = self.sharpness.exp() * self.width**-0.5
        weights: Tensor = (query * scale @ keys.transpose(1, 2)).softmax(-1)
        return weights

    def forward(self, features: Float[Tensor, "b c h w"], keys: Float[Tensor, "b n c"],
                values: Float[Tensor, "b n gv"]) -> Read:  # fmt: skip
        """Read the bank for each cell of the current frame; groups lie side by side in the values' channels."""
        b, _, h, w = features.shape
        read = self.attention(features, keys) @ values
        per_group = self.width + self.slots
        read = read.view(b, h * w, -1, per_group).permute(0, 2, 3, 1).reshape(-1, per_group, h, w)
        return Read(self.project(read[:, : self.width]), read[:, self.width :])
