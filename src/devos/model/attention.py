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
from devos.model.focus import Focus
from devos.model.layers import LayerNorm2d, Pointwise, are_weights_to_come, eager_on_cpu
from devos.model.motion import cell_grid
from devos.model.sampling import Part, Places, correlations, places, weighted_sums


class Read(NamedTuple):
    """What matching brought back, for each group of objects."""

    embedding: Float[Tensor, "bg c h w"]
    mask: Float[Tensor, "bg s h w"]
    """The remembered masks, moved to where the queries are: non-negative, sums to 1 over the slots."""


class Region(NamedTuple):
    """ADVA's region: where each query looks on the previous frame, and how much it takes from each place."""

    places: Places
    weights: Float[Tensor, "b m h w p"]

    @property
    def points(self) -> Float[Tensor, "b m h w p 2"]:
        """(x, y) in cells of the query's own stride, on the previous frame."""
        return self.places.points

    def cut(self, focus: Focus, stride: int) -> Region:
        """That of the queries in a part of the frame."""
        return Region(self.places.cut(focus, stride), focus.cut(self.weights, stride))


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
            self.inject_forward = Pointwise(width, width, bias=False)
            self.inject_backward = Pointwise(width, width, bias=False)
        self.norm_query = LayerNorm2d(width)
        self.norm_key = LayerNorm2d(width)
        self.query, self.key = _equal_projections(width)
        total = points + coarse_points
        if matching.window is not None:
            self.register_buffer("region", _square(matching.window).expand(heads, -1, -1), persistent=False)
        elif matching.semantic_offsets:
            self.shape = nn.Sequential(
                nn.Conv2d(width, width, 5, padding=2, groups=width), nn.GELU(), Pointwise(width, heads * total * 2)
            )
            self._start_on_disks()
        else:
            self.register_buffer("region", self._disks(), persistent=False)
        self.point_bias = nn.Parameter(torch.zeros(heads, total))
        self.sharpness = nn.Parameter(torch.tensor(0.0))
        self.project = Pointwise(width, width)
        if coarse_points:
            self.coarse_key = Pointwise(coarse_width, width, bias=False)
            self.coarse_value = Pointwise(coarse_width, width)

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

    def look(self, current: Tensor, previous: Tensor, forward_embedding: Tensor, backward_embedding: Tensor,
             flow_cells: Float[Tensor, "b 2 h w"], coarse_keys: Tensor | None) -> tuple[Region, Tensor]:  # fmt: skip
        """Where to read the previous frame for each cell of the current one: no mask is needed to know that.

        `current`, `previous`: E at this stride. `flow_cells`: `to_prev` in cells of this stride. `coarse_keys`: of the
        next coarser stride. Returns the region, and this stride's keys for the finer stride to use.
        """
        query, keys = self.queries_and_keys(current, previous, forward_embedding, backward_embedding)
        return self.sample(query, keys, flow_cells, coarse_keys), keys

    def forward(self, current: Tensor, region: Region, values: Float[Tensor, "bg v hp wp"],
                coarse_values: Tensor | None) -> Read:  # fmt: skip
        """Read the previous frame's values there. `current`: E of the region's cells; `coarse_values`: of the next
        coarser stride.
        """
        embedding, mask = self._gather(region.weights, values, coarse_values, region.places)
        groups = embedding.shape[0] // current.shape[0]
        residual = current.repeat_interleave(groups, 0) if groups > 1 else current
        return Read(residual + self.project(embedding), mask)

    def queries_and_keys(self, current: Tensor, previous: Tensor, forward_embedding: Tensor,
                         backward_embedding: Tensor) -> tuple[Tensor, Tensor]:  # fmt: skip
        """Q and K with flow injected (supplement 1.1)."""
        if self.matching.flow_injection:
            current = current + self.inject_forward(forward_embedding)
            previous = previous + self.inject_backward(backward_embedding)
        return self.norm_query(current), self.norm_key(previous)

    def sample(self, query: Tensor, keys: Tensor, flow_cells: Tensor, coarse_keys: Tensor | None) -> Region:
        """Where each head looks, and its weights. The coarser grid is half as large."""
        h, w = query.shape[-2:]
        parts = [Part(self.points, 1, (h, w))]
        projected = [self.key(keys)]
        if self.coarse_points:
            assert coarse_keys is not None
            parts.append(Part(self.coarse_points, 2, (h // 2, w // 2)))
            projected.append(self.coarse_key(coarse_keys))
        at = places(self._points(query, flow_cells), parts)
        scores = correlations(self.query(query), projected, at)
        logits = scores * self.sharpness.exp() + self.point_bias[:, None, None, :]
        # In the order in which rows are read, where they are: a softmax would bring it into that of the dimensions.
        return Region(at, logits.permute(0, 2, 3, 1, 4).softmax(-1).permute(0, 3, 1, 2, 4))

    def _points(self, query: Tensor, flow_cells: Tensor) -> Float[Tensor, "b m h w p 2"]:
        """Flow offsets move the region of each query, semantic offsets shape it."""
        b, _, h, w = query.shape
        # As the flow, never in half precision, which could not tell the cells of a large grid apart.
        anchor = cell_grid(h, w, flow_cells).expand(b, h, w, 2)
        if self.matching.flow_offsets:
            anchor = anchor + flow_cells.permute(0, 2, 3, 1)
        if self.matching.semantic_offsets and self.matching.window is None:
            offsets = self.shape(query).permute(0, 2, 3, 1).unflatten(-1, (self.heads, -1, 2))
        else:
            offsets = self.region
        points: Tensor = anchor[:, :, :, None, None, :] + offsets
        return points.permute(0, 3, 1, 2, 4, 5)

    def _gather(self, weights: Tensor, values: Tensor, coarse_values: Tensor | None,
                at: Places) -> tuple[Tensor, Tensor]:  # fmt: skip
        embeddings, masks = [values[:, : self.width]], [values[:, self.width :]]
        if self.coarse_points:
            assert coarse_values is not None
            width = self.coarse_value.in_channels
            embeddings.append(self.coarse_value(coarse_values[:, :width]))
            masks.append(coarse_values[:, width:])
        return weighted_sums(embeddings, masks, weights, at)


def _equal_projections(width: int) -> tuple[Pointwise, Pointwise]:
    """For queries and for keys: orthogonal and equal at the start, so that before any training like attends to like."""
    query, key = Pointwise(width, width, bias=False), Pointwise(width, width, bias=False)
    if are_weights_to_come():
        return query, key
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


class LongTermMatching(nn.Module):
    """Scaled dot-product attention of the current frame over the memory bank at one stride (supplement 3).

    `kernel`: a remembered cell is read near the query that it resembles most, with a Gaussian of this deviation in
    cells, so that what looks alike elsewhere is not taken for it (supplement 5; KMN).
    """

    def __init__(self, width: int, slots: int, kernel: float | None = None) -> None:
        super().__init__()
        self.width, self.slots, self.kernel = width, slots, kernel
        self.norm = LayerNorm2d(width)
        self.query, self.key = _equal_projections(width)
        self.sharpness = nn.Parameter(torch.tensor(0.5))
        self.project = Pointwise(width, width)

    def keys(self, features: Float[Tensor, "b c h w"]) -> Float[Tensor, "b n c"]:
        """What a frame is remembered by."""
        keys: Tensor = self.key(self.norm(features)).flatten(2).transpose(1, 2)
        return keys

    def queries(self, features: Float[Tensor, "b c h w"]) -> Float[Tensor, "b q c"]:
        """What the current frame asks with: the softmax of its products with the keys says how much is taken."""
        query: Tensor = self.query(self.norm(features)).flatten(2).transpose(1, 2)
        sharpened: Tensor = query * (self.sharpness.exp() * self.width**-0.5)
        return sharpened

    def attention(self, features: Float[Tensor, "b c h w"],
                  keys: Float[Tensor, "b n c"]) -> Float[Tensor, "b q n"]:  # fmt: skip
        """How much each of the h w queries takes from each remembered cell."""
        scores = self.queries(features) @ keys.transpose(1, 2)
        if self.kernel is not None:
            scores = scores + _nearness(scores, features.shape[-2], features.shape[-1], self.kernel)
        return scores.softmax(-1)

    def forward(self, features: Float[Tensor, "b c h w"], keys: Float[Tensor, "b n c"],
                values: Float[Tensor, "b n gv"]) -> Read:  # fmt: skip
        """Read the bank for each cell of the current frame; groups lie side by side in the values' channels."""
        b, _, h, w = features.shape
        per_group = self.width + self.slots
        if self.kernel is None and eager_on_cpu(features) and values.shape[-1] == per_group:
            read = _fused_attention(self.queries(features), keys, values)
        else:
            read = self.attention(features, keys) @ values
        read = read.view(b, h, w, -1, per_group).permute(0, 3, 4, 1, 2).flatten(0, 1)
        return Read(self.project(read[:, : self.width]), read[:, self.width :])


def _nearness(scores: Float[Tensor, "b q n"], height: int, width: int, deviation: float) -> Float[Tensor, "b q n"]:
    """The logarithm of a Gaussian around where each remembered cell is found best; `q` queries, `height` by `width`."""
    best = scores.detach().argmax(1)
    down, across = (torch.arange(side, dtype=scores.dtype, device=scores.device) for side in (height, width))
    rows = (down[:, None] - (best // width)[:, None].to(scores.dtype)).square()
    columns = (across[:, None] - (best % width)[:, None].to(scores.dtype)).square()
    return (rows[:, :, None] + columns[:, None]).flatten(1, 2) * (-0.5 / deviation**2)


def _fused_attention(queries: Float[Tensor, "b q c"], keys: Float[Tensor, "b n c"],
                     values: Float[Tensor, "b n v"]) -> Float[Tensor, "b q v"]:  # fmt: skip
    """Attention that does not write the weights down. PyTorch's kernel for CPUs wants keys as wide as values: zeros."""
    wider = (0, values.shape[-1] - keys.shape[-1])
    queries, keys, values = (x[:, None] for x in (F.pad(queries, wider), F.pad(keys, wider), values))
    return F.scaled_dot_product_attention(queries, keys, values, scale=1.0)[:, 0]
