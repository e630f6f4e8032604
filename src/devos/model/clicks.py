"""A small head that turns clicks, a box and the mask so far into a mask, on the features of a frozen backbone.

It is told what a person said as maps (where clicks are, what lies in the box, what the mask covers) and as likeness:
how much each place looks like the clicked ones. Attention at stride 16 carries that through the picture; strides 8, 4
and 2 find the edges.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from devos.model.encoder import EfficientNetLite0
from devos.model.layers import LayerNorm2d, Pointwise, upsample

_NEAR_PX, _FAR_PX = 3.0, 20.0
"""Standard deviations of the two bumps that tell where a click is, in pixels."""
_NUM_MAPS = 8
"""Here and not here, each near and far; the mask; whether there is one; the box; whether there is one."""
_UNLIKE = -1.0
"""Likeness to clicks that nobody made."""


class Hints(NamedTuple):
    """What a person has said of each picture of a batch. Points in pixels of the picture: x right, y down."""

    clicks: Float[Tensor, "b clicks 3"]
    """x, y, and 1 for this, -1 for not this, 0 for no click, which fills up a batch."""
    box: Float[Tensor, "b 4"]
    """Left, top, right and bottom edge; zeros: no box."""
    mask: Float[Tensor, "b 1 h2 w2"]
    """The mask so far: the share of each cell at stride 2; zeros: none."""


class ClickHead(nn.Module):
    """Clicks, box and mask so far -> mask. Holds no state: whoever asks again gives all clicks again."""

    def __init__(self, channels: tuple[int, int, int, int] = EfficientNetLite0.channels,
                 widths: tuple[int, int, int] = (32, 64, 128), num_blocks: int = 4) -> None:  # fmt: skip
        super().__init__()
        w4, w8, w16 = widths
        self.enter = nn.ModuleList(
            nn.Sequential(LayerNorm2d(c), Pointwise(c, w)) for c, w in zip(channels, (w4, w8, w16, w16), strict=True)
        )
        self.told = nn.Conv2d(_NUM_MAPS, w4, 3, padding=1)
        self.told_s8 = nn.Conv2d(w4, w8, 3, stride=2, padding=1)
        self.told_s16 = nn.Conv2d(w8, w16, 3, stride=2, padding=1)
        self.context_s8 = Pointwise(w16, w8)
        self.alike_s8, self.alike_s16 = Likeness(w8, 32, 8), Likeness(w16, 64, 16)
        self.blocks = nn.ModuleList(Block(w16, w16 // 32) for _ in range(num_blocks))
        self.down_s8, self.down_s4, self.down_s2 = Pointwise(w16, w8), Pointwise(w8, w4), Pointwise(w4, w4 // 2)
        self.refine_s8 = nn.Sequential(Residual(w8), Residual(w8))
        self.refine_s4 = nn.Sequential(Residual(w4), Residual(w4))
        self.colours = nn.Conv2d(6, w4 // 2, 3, padding=1)
        self.refine_s2 = nn.Sequential(nn.Conv2d(w4 // 2, w4 // 2, 3, padding=1), nn.GELU())
        self.coarse, self.fine = Pointwise(w4, 1), nn.Conv2d(w4 // 2, 1, 3, padding=1)

    def forward(self, image: Float[Tensor, "b 3 h w"], maps: list[Tensor], hints: Hints) -> Float[Tensor, "b 1 h2 w2"]:
        """Logits of the object at stride 2. `image`: RGB in [0, 1], sides multiples of 32; `maps`: the backbone's at
        strides 4, 8, 16 and 32.
        """
        s4, s8, s16, s32 = (layer(x) for layer, x in zip(self.enter, maps, strict=True))
        s16 = s16 + upsample(s32)
        s8 = s8 + upsample(self.context_s8(s16))
        region = _region(hints, s4.shape[-2:])
        told = F.gelu(self.told(_told(hints, region, s4.shape[-2:])))
        told8 = F.gelu(self.told_s8(told))
        like8 = self.alike_s8(s8, hints.clicks, F.avg_pool2d(region, 2))
        like16 = self.alike_s16(s16, hints.clicks, F.avg_pool2d(region, 4))
        s16 = s16 + self.told_s16(told8) + like16
        for block in self.blocks:
            s16 = block(s16)
        s8 = self.refine_s8(s8 + told8 + like8 + upsample(self.down_s8(s16)))
        s4 = self.refine_s4(s4 + told + upsample(self.down_s4(s8)))
        small = F.avg_pool2d(image, 2)
        near = _bumps(hints.clicks, small.shape[-2:], 2, _NEAR_PX)
        s2 = F.gelu(self.colours(torch.cat([small * 2 - 1, hints.mask, near], 1)) + upsample(self.down_s2(s4)))
        fine: Tensor = self.fine(self.refine_s2(s2))
        return fine + upsample(self.coarse(s4))


class Likeness(nn.Module):
    """How much each cell looks like what was clicked, by the angle between learned keys."""

    def __init__(self, channels: int, keys: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.key = nn.Sequential(LayerNorm2d(channels), Pointwise(channels, keys))
        self.tell = nn.Sequential(nn.Conv2d(4, channels, 3, padding=1), nn.GELU(), Pointwise(channels, channels))

    def forward(self, x: Float[Tensor, "b c h w"], clicks: Float[Tensor, "b clicks 3"],
                region: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b c h w"]:  # fmt: skip
        """`region`: the share of each cell that the mask so far, or else the box, covers."""
        keys = F.normalize(self.key(x).float(), dim=1)
        size = clicks.new_tensor([x.shape[-1], x.shape[-2]]) * self.stride
        grid = (clicks[:, None, :, :2] + 0.5) / size * 2 - 1
        clicked = F.grid_sample(keys, grid, padding_mode="border", align_corners=False)[:, :, 0]
        like = torch.einsum("bdk,bdhw->bkhw", clicked, keys)
        kind = clicks[:, :, 2, None, None]
        here = like.masked_fill(kind <= 0, _UNLIKE).amax(1, keepdim=True)
        not_here = like.masked_fill(kind >= 0, _UNLIKE).amax(1, keepdim=True)
        mean = (keys * region).sum((2, 3), keepdim=True) / region.sum((2, 3), keepdim=True).clamp(min=1e-3)
        inside = (keys * mean).sum(1, keepdim=True)
        told: Tensor = self.tell(torch.cat([here, not_here, inside, here - not_here], 1))
        return told


class Block(nn.Module):
    """A transformer's block over all cells; a depthwise convolution in it tells where they lie to each other."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = LayerNorm2d(channels), LayerNorm2d(channels)
        self.ask, self.answer = Pointwise(channels, 3 * channels), Pointwise(channels, channels)
        self.widen, self.narrow = Pointwise(channels, 2 * channels), Pointwise(2 * channels, channels)
        self.mix = nn.Conv2d(2 * channels, 2 * channels, 3, padding=1, groups=2 * channels)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """The same shape."""
        b, c, h, w = x.shape
        asked = self.ask(self.norm1(x)).flatten(2).view(b, 3, self.heads, c // self.heads, h * w).transpose(3, 4)
        read = F.scaled_dot_product_attention(*asked.unbind(1))
        x = x + self.answer(read.transpose(2, 3).reshape(b, c, h, w))
        wide = self.widen(self.norm2(x))
        narrow: Tensor = self.narrow(F.gelu(wide + self.mix(wide)))
        return x + narrow


class Residual(nn.Module):
    """Two 3x3 convolutions added to what came in."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = LayerNorm2d(channels)
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """The same shape."""
        y: Tensor = self.conv2(F.gelu(self.conv1(self.norm(x))))
        return x + y


def _told(hints: Hints, region: Tensor, size: torch.Size) -> Float[Tensor, "b maps h4 w4"]:
    """What was said, as maps at stride 4."""
    mask = F.avg_pool2d(hints.mask, 2)
    box = _inside(hints.box, size)
    there = [(m.amax((2, 3), keepdim=True) > 0).float().expand_as(m) for m in (mask, box)]
    bumps = [_bumps(hints.clicks, size, 4, sigma) for sigma in (_NEAR_PX, _FAR_PX)]
    return torch.cat([*bumps, mask, there[0], box, there[1]], 1)


def _region(hints: Hints, size: torch.Size) -> Float[Tensor, "b 1 h4 w4"]:
    """What the object covers as far as is said: the mask so far; where there is none, the box."""
    mask = F.avg_pool2d(hints.mask, 2)
    return torch.where(mask.amax((2, 3), keepdim=True) > 0, mask, _inside(hints.box, size))


def _inside(box: Float[Tensor, "b 4"], size: torch.Size) -> Float[Tensor, "b 1 h4 w4"]:
    """The share of each cell at stride 4 that the box covers."""

    def covered(first: Tensor, last: Tensor, cells: int) -> Tensor:
        edge = torch.arange(cells, device=box.device) * 4.0
        return ((torch.minimum(last[:, None], edge + 4) - torch.maximum(first[:, None], edge)) / 4).clamp(0, 1)

    across, down = covered(box[:, 0], box[:, 2], size[1]), covered(box[:, 1], box[:, 3], size[0])
    return (down[:, :, None] * across[:, None, :])[:, None]


def _bumps(
    clicks: Float[Tensor, "b clicks 3"], size: torch.Size, stride: int, sigma: float
) -> Float[Tensor, "b 2 h w"]:
    """A bump at each click, those of this object in one map, those of others in the other."""

    def fall(at: Tensor, cells: int) -> Tensor:
        centre = (torch.arange(cells, device=at.device) + 0.5) * stride - 0.5
        return torch.exp(-((at[..., None] - centre) ** 2) / (2 * sigma**2))

    across, down = fall(clicks[..., 0], size[1]), fall(clicks[..., 1], size[0])
    bumps = down[..., :, None] * across[..., None, :]
    kind = clicks[..., 2, None, None]
    return torch.stack([(bumps * (kind > 0)).amax(1), (bumps * (kind < 0)).amax(1)], 1)
