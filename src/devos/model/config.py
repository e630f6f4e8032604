"""What a DeVOS network is made of: one checked value, and the three sizes as functions."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

Backbone = Literal["efficientnet-lite0", "resnet50", "swin"]

MATCHING_STRIDES = (8, 16, 32)
"""ADVA works at these strides, finest first."""
LONG_TERM_STRIDES = (16, 32)
"""Long-term matching works at these (supplement, Figure 1)."""


@dataclass(frozen=True, kw_only=True)
class Matching:
    """Which parts of matching there are: all of them, but where an ablation asks what one is worth."""

    flow_injection: bool = True
    """Motion embeddings are part of ADVA's queries and keys (supplement 1.1)."""
    flow_offsets: bool = True
    """Optical flow moves ADVA's region (supplement 1.1)."""
    semantic_offsets: bool = True
    """The query shapes ADVA's region; else it is a disk (supplement 1.1)."""
    window: int | None = None
    """Side, in cells and odd, of a square around the query that is read in place of ADVA's region, as AOT does."""
    strides: tuple[int, ...] = MATCHING_STRIDES
    """Where ADVA works, finest first."""
    long_term_strides: tuple[int, ...] = LONG_TERM_STRIDES
    """Where the bank is read, finest first; nowhere: no long-term memory."""
    kernel: float | None = None
    """How near, in cells of stride 16, to where a remembered cell is found best it is read (supplement 5; KMN, Seong et
    al. 2020): the deviation of a Gaussian. None: everywhere alike."""

    def __post_init__(self) -> None:
        if not self.strides or not set(self.strides) <= set(MATCHING_STRIDES):
            raise ValueError(f"ADVA works at some of the strides {MATCHING_STRIDES}, got {self.strides}")
        if not set(self.long_term_strides) <= set(LONG_TERM_STRIDES):
            raise ValueError(f"the bank is read at some of the strides {LONG_TERM_STRIDES}, or at none, "
                             f"got {self.long_term_strides}")  # fmt: skip
        if self.kernel is not None and self.kernel <= 0:
            raise ValueError(f"a kernel has a deviation above 0 cells, got {self.kernel}")
        if self.window is not None and (self.window < 1 or self.window % 2 == 0):
            raise ValueError(f"a window has an odd side of at least 1 cell, got {self.window}")


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """The sizes of every part. `design`: the table of sizes for `t`, `b` and `l`."""

    name: str
    """What people call it: devos-t, devos-b, devos-l."""
    backbone: Backbone
    """The image encoder."""
    width: int = 128
    """Channels at strides 16 and 32."""
    width_s8: int = 64
    """Channels at stride 8."""
    width_s4: int = 32
    """Channels at stride 4."""
    num_blocks: int = 1
    """Residual blocks at each scale of the decoder."""
    heads: tuple[int, int, int] = (2, 4, 4)
    """ADVA's heads at strides 8, 16, 32."""
    points: tuple[int, int, int] = (8, 8, 12)
    """Points that each head samples at its own stride."""
    coarse_points: tuple[int, int, int] = (4, 4, 0)
    """Points that each head samples at the next coarser stride; stride 32 has none."""
    num_slots: int = 10
    """Objects in one pass, as AOT's identities; more go in groups."""
    matching: Matching = field(default_factory=Matching)
    """Which parts of matching there are."""

    def __post_init__(self) -> None:
        for width, heads in zip((self.width_s8, self.width, self.width), self.heads, strict=True):
            if width % heads:
                raise ValueError(f"width {width} cannot be shared by {heads} heads")
        if self.coarse_points[2]:
            raise ValueError("there is no stride coarser than 32 to sample from")
        if self.num_slots < 1:
            raise ValueError(f"num_slots must be at least 1, got {self.num_slots}")

    @property
    def without_kernel(self) -> ModelConfig:
        """The same with a bank that is read everywhere alike; its weights are the same."""
        return replace(self, matching=replace(self.matching, kernel=None))

    def width_at(self, stride: int) -> int:
        """Channels at a stride."""
        return {4: self.width_s4, 8: self.width_s8, 16: self.width, 32: self.width}[stride]


def devos_t() -> ModelConfig:
    """For laptops; as released, its bank is read with a kernel."""
    return ModelConfig(name="devos-t", backbone="efficientnet-lite0", matching=Matching(kernel=8.0))


def devos_b() -> ModelConfig:
    """For one GPU."""
    return ModelConfig(name="devos-b", backbone="resnet50", width=256, width_s8=128, width_s4=64, num_blocks=2)


def devos_l() -> ModelConfig:
    """For quality."""
    return ModelConfig(name="devos-l", backbone="swin", width=256, width_s8=128, width_s4=64, num_blocks=3)


PRESETS = {"devos-t": devos_t, "devos-b": devos_b, "devos-l": devos_l}
"""Every size by its name."""
