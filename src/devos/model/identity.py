"""The mask (identification) encoder: which object is where, as values that attention can carry (AOT; supplement 1.2).

A mask is a map of probabilities over slots, `b slots h4 w4` at stride 4; slot 0 is background, slots 1..num_slots are
identities. One-hot maps and soft maps are both valid.
"""

from __future__ import annotations

from typing import NamedTuple, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from devos.model.config import MATCHING_STRIDES, ModelConfig
from devos.model.encoder import Features
from devos.model.layers import Pointwise


class Values(NamedTuple):
    """What attention carries from a past frame, at strides 8, 16, 32.

    The first channels are V = W[E ; ID], "joined mask and image embeddings" (supplement 1.1); the last `slots` are the
    mask itself, averaged to the stride, so that what is read can be compared with a mask directly.
    """

    s8: Float[Tensor, "b v8 h8 w8"]
    s16: Float[Tensor, "b v h16 w16"]
    s32: Float[Tensor, "b v h32 w32"]

    def at(self, stride: int) -> Tensor:
        """The values at a stride."""
        return cast(Tensor, getattr(self, f"s{stride}"))


class IdentityEncoder(nn.Module):
    """Writes which identity is where into each stride's grid, and joins it with the image's features."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        slots = config.num_slots + 1
        # A linear map of each cell's 2x2, 4x4 and 4x4 finest sub-cells: an identity bank with a place in the cell.
        self.folds = {8: 2, 16: 4, 32: 4}
        self.embed = nn.ModuleDict()
        self.join = nn.ModuleDict()
        for stride in MATCHING_STRIDES:
            width = config.width_at(stride)
            self.embed[f"s{stride}"] = Pointwise(slots * self.folds[stride] ** 2, width)
            self.join[f"s{stride}"] = nn.Sequential(Pointwise(2 * width, width), nn.GELU(), Pointwise(width, width))

    def forward(self, features: Features, probabilities: Float[Tensor, "b slots h4 w4"]) -> Values:
        """Values at strides 8, 16, 32 of a frame whose masks are known."""
        probabilities = probabilities.contiguous(memory_format=torch.channels_last)
        return Values(*(self.value(stride, features.at(stride), probabilities) for stride in MATCHING_STRIDES))

    def value(self, stride: int, features: Tensor, probabilities: Float[Tensor, "b slots h4 w4"]) -> Tensor:
        """The values at one stride."""
        fold = self.folds[stride]
        probabilities = probabilities.contiguous(memory_format=torch.channels_last)  # as all maps: no copies from here
        finest = F.avg_pool2d(probabilities, stride // 4 // fold) if stride // 4 > fold else probabilities
        identity = self.embed[f"s{stride}"](F.pixel_unshuffle(finest, fold))
        joined = self.join[f"s{stride}"](torch.cat([features, identity], 1))
        return torch.cat([joined, F.avg_pool2d(probabilities, stride // 4)], 1)
