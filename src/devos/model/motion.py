"""The flow encoder: what moved where, as embeddings E^f at strides 8, 16, 32 (supplement 1.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from devos.model.config import MATCHING_STRIDES, ModelConfig
from devos.model.layers import Pointwise


@dataclass(frozen=True)
class Motion:
    """Flow between the previous frame and this one, (dx, dy) in pixels of the network's size, on any regular grid
    over the image that is a whole multiple of the stride-8 grid.
    """

    to_prev: Float[Tensor, "b 2 h w"]
    """On the current grid: where each pixel was."""
    to_curr: Float[Tensor, "b 2 h w"]
    """On the previous grid: where each pixel goes."""

    def at_stride_8(self, height: int, width: int) -> Motion:
        """Averaged to the stride-8 grid of that size."""
        factor = self.to_prev.shape[-2] // height
        assert self.to_prev.shape[-2:] == (height * factor, width * factor), "flow grid is no multiple of stride 8's"
        if factor == 1:
            return self
        return Motion(F.avg_pool2d(self.to_prev, factor), F.avg_pool2d(self.to_curr, factor))


class MotionEmbedding(NamedTuple):
    """E^f of one direction, at each matching stride."""

    s8: Tensor
    s16: Tensor
    s32: Tensor

    def at(self, stride: int) -> Tensor:
        """The embedding at a stride."""
        return cast(Tensor, getattr(self, f"s{stride}"))


def cell_grid(height: int, width: int, like: Tensor) -> Float[Tensor, "h w 2"]:
    """(x, y) of each cell's centre, in cells."""
    ys = torch.arange(height, device=like.device, dtype=like.dtype)
    xs = torch.arange(width, device=like.device, dtype=like.dtype)
    return torch.stack(torch.meshgrid(xs, ys, indexing="xy"), -1)


def normalised(points: Float[Tensor, "*n 2"], height: int, width: int) -> Float[Tensor, "*n 2"]:
    """(x, y) in cells -> what `grid_sample` with align_corners=False takes."""
    # No tensor is made of the size: in a graph for another runtime it would be a constant.
    x, y = points.unbind(-1)
    return torch.stack([(x + 0.5) * (2.0 / width) - 1.0, (y + 0.5) * (2.0 / height) - 1.0], -1)


def where_led(maps: Float[Tensor, "b c h w"], flow: Float[Tensor, "b 2 h w"]) -> Float[Tensor, "b c h w"]:
    """What the maps have where the flow leads from each cell, bilinear, the border repeated. `flow`: in cells."""
    height, width = flow.shape[-2:]
    landing = cell_grid(height, width, flow) + flow.permute(0, 2, 3, 1)
    return F.grid_sample(maps, normalised(landing, height, width), padding_mode="border", align_corners=False)


def disagreement(forward: Float[Tensor, "b 2 h w"], backward: Float[Tensor, "b 2 h w"]) -> Float[Tensor, "b 1 h w"]:
    """How far a cell lands from home when it goes there and back, in the fields' unit. Both fields are in cells."""
    back = where_led(backward, forward)
    return (forward + back).square().sum(1, keepdim=True).add(1e-6).sqrt()


class FlowEncoder(nn.Module):
    """Small convolutions on (dx, dy, magnitude, disagreement), in cells of stride 8; the last layers start at zero,
    so that an untrained flow path does no harm.
    """

    def __init__(self, config: ModelConfig, inner: int = 32) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(4, inner, 3, padding=1), nn.GELU(), nn.Conv2d(inner, inner, 3, padding=1), nn.GELU()
        )
        self.down16 = nn.Sequential(nn.Conv2d(inner, inner, 3, stride=2, padding=1), nn.GELU())
        self.down32 = nn.Sequential(nn.Conv2d(inner, inner, 3, stride=2, padding=1), nn.GELU())
        self.heads = nn.ModuleDict({f"s{s}": Pointwise(inner, config.width_at(s)) for s in MATCHING_STRIDES})
        for head in self.heads.values():
            assert isinstance(head, nn.Conv2d) and head.bias is not None
            nn.init.zeros_(head.weight)
            nn.init.zeros_(head.bias)

    def forward(self, motion: Motion) -> tuple[MotionEmbedding, MotionEmbedding]:
        """Motion on the stride-8 grid -> (E^f_forward from `to_prev`, E^f_backward from `to_curr`)."""
        batch = motion.to_prev.shape[0]
        forward, backward = motion.to_prev / 8, motion.to_curr / 8
        ahead = torch.cat([forward, backward])
        back = torch.cat([backward, forward])
        magnitude = ahead.square().sum(1, keepdim=True).add(1e-6).sqrt()
        # Flow has a long tail; the root keeps fast motion from swamping the convolutions.
        inputs = torch.cat([ahead / (1 + magnitude).sqrt(), magnitude.sqrt(), disagreement(ahead, back).sqrt()], 1)
        x8 = self.stem(inputs)
        x16 = self.down16(x8)
        x32 = self.down32(x16)
        maps = [self.heads[f"s{s}"](x) for s, x in zip(MATCHING_STRIDES, (x8, x16, x32), strict=True)]
        return MotionEmbedding(*(m[:batch] for m in maps)), MotionEmbedding(*(m[batch:] for m in maps))
