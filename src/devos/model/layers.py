"""Layers that every part of the network is made of, in the form that is fast where they run.

Maps are `b c h w`. The network runs channels-last, so that a map's cells are the rows of a matrix.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

_TO_COME = ContextVar("weights to come", default=False)


@contextmanager
def weights_to_come() -> Iterator[None]:
    """Networks that are made inside get their weights from a file afterwards: none that are dear to draw are drawn."""
    token = _TO_COME.set(True)
    try:
        yield
    finally:
        _TO_COME.reset(token)


def are_weights_to_come() -> bool:
    """Whether this runs inside `weights_to_come`."""
    return _TO_COME.get()


def traced() -> bool:
    """Whether a graph for another runtime is being made of what is computed."""
    return bool(torch.jit.is_tracing())  # type: ignore[attr-defined, no-untyped-call]


def eager_on_cpu(x: Tensor) -> bool:
    """Whether PyTorch itself computes this, and on a CPU."""
    return x.device.type == "cpu" and not traced() and not torch.compiler.is_compiling()


def pointwise(
    x: Float[Tensor, "b c h w"], weight: Float[Tensor, "d c 1 1"], bias: Float[Tensor, " d"] | None = None
) -> Float[Tensor, "b d h w"]:
    """A 1x1 convolution, as a matrix product on channels-last data: as a convolution it takes a slow path on one CPU
    thread. A graph for another runtime gets the convolution.
    """
    if traced():
        return F.conv2d(x, weight, bias)
    b, c, h, w = x.shape
    rows = F.linear(x.permute(0, 2, 3, 1).reshape(-1, c), weight.flatten(1), bias)
    return rows.view(b, h, w, -1).permute(0, 3, 1, 2)


class Pointwise(nn.Conv2d):
    """A 1x1 convolution; named and shaped as nn.Conv2d's, computed by `pointwise`."""

    def __init__(self, in_channels: int, out_channels: int, bias: bool = True) -> None:
        super().__init__(in_channels, out_channels, 1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """As nn.Conv2d."""
        return pointwise(x, self.weight, self.bias)


class LayerNorm2d(nn.LayerNorm):
    """Layer normalisation over the channels of a map.

    The supplement prints the formula without the square root over Var + eps; this is the standard one.
    """

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Each cell normalised on its own."""
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with GroupNorm, added to what came in."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(8, channels)
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm2 = nn.GroupNorm(8, channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """b c h w -> the same shape."""
        y: Tensor = self.conv1(F.gelu(self.norm1(x)))
        y = self.conv2(F.gelu(self.norm2(y)))
        return x + y


def upsample(x: Tensor, scale: int = 2) -> Tensor:
    """Bilinear, pixel centres kept."""
    return F.interpolate(x, scale_factor=scale, mode="bilinear", align_corners=False)
