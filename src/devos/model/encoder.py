"""The image encoder: a pre-trained backbone, then a neck that gives each stride its width and its context."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from devos.errors import WeightsError
from devos.extras import install
from devos.model.config import ModelConfig
from devos.model.layers import Pointwise, ResidualBlock, pointwise, upsample


class Features(NamedTuple):
    """What the encoder says of an image (E in the supplement), at four strides."""

    s4: Float[Tensor, "b c4 h4 w4"]
    s8: Float[Tensor, "b c8 h8 w8"]
    s16: Float[Tensor, "b c h16 w16"]
    s32: Float[Tensor, "b c h32 w32"]

    def at(self, stride: int) -> Tensor:
        """The map at a stride."""
        return cast(Tensor, getattr(self, f"s{stride}"))

    def expand(self, groups: int) -> Features:
        """Each image repeated for each of its groups of objects, image-major."""
        return self if groups == 1 else Features(*(x.repeat_interleave(groups, 0) for x in self))


@dataclass(frozen=True)
class _Stage:
    kernel: int
    stride: int
    expansion: int
    out: int
    repeats: int


_LITE0 = (
    _Stage(3, 1, 1, 16, 1),
    _Stage(3, 2, 6, 24, 2),
    _Stage(5, 2, 6, 40, 2),
    _Stage(3, 2, 6, 80, 3),
    _Stage(5, 1, 6, 112, 3),
    _Stage(5, 2, 6, 192, 4),
    _Stage(3, 1, 6, 320, 1),
)


class SameConv(nn.Conv2d):
    """A convolution whose output is the input's size over the stride, padded as TensorFlow pads: more at the end.

    Only right for even heights and widths when strided, which every stride of our sizes has.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int, groups: int = 1) -> None:
        super().__init__(in_channels, out_channels, kernel, stride, padding=0, groups=groups)
        total = kernel - stride if stride > 1 else kernel - 1
        self._before, self._after = total // 2, total - total // 2
        if self._before == self._after:
            self.padding = (self._before, self._before)

    def forward(self, x: Tensor) -> Tensor:
        """As nn.Conv2d."""
        if self.kernel_size == (1, 1):
            return pointwise(x, self.weight, self.bias)
        if self._before != self._after:
            x = F.pad(x, (self._before, self._after, self._before, self._after))
        return super().forward(x)


class MobileBlock(nn.Module):
    """An inverted bottleneck: expand, filter each channel, project; with a shortcut where the shape stays."""

    def __init__(self, in_channels: int, stage: _Stage, stride: int) -> None:
        super().__init__()
        inner = in_channels * stage.expansion
        self.expand = SameConv(in_channels, inner, 1, 1) if stage.expansion > 1 else None
        self.depthwise = SameConv(inner, inner, stage.kernel, stride, groups=inner)
        self.project = SameConv(inner, stage.out, 1, 1)
        self.shortcut = stride == 1 and in_channels == stage.out

    def forward(self, x: Tensor) -> Tensor:
        """b c h w -> b out h/stride w/stride."""
        y = x if self.expand is None else F.relu6(self.expand(x), inplace=True)
        y = cast(Tensor, self.project(F.relu6(self.depthwise(y), inplace=True)))
        return x + y if self.shortcut else y


class EfficientNetLite0(nn.Module):
    """EfficientNet-Lite0 up to stride 32, with its batch norms folded into the convolutions.

    The norms stay frozen in training (design, section 2), so that folding them when the ImageNet weights are read
    gives the same function with fewer operations.
    """

    channels = (24, 40, 112, 320)
    _taps = (2, 4, 10, 15)

    def __init__(self) -> None:
        super().__init__()
        self.stem = SameConv(3, 32, 3, 2)
        blocks, width = [], 32
        for stage in _LITE0:
            for repeat in range(stage.repeats):
                blocks.append(MobileBlock(width, stage, stage.stride if repeat == 0 else 1))
                width = stage.out
        self.blocks = nn.ModuleList(blocks)

    def forward(self, image: Float[Tensor, "b 3 h w"]) -> list[Tensor]:
        """RGB in [0, 1] -> maps at strides 4, 8, 16, 32."""
        x = F.relu6(self.stem((image * 255 - 127) / 128), inplace=True)
        maps = []
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in self._taps:
                maps.append(x)
        return maps


class TransformersBackbone(nn.Module):
    """A backbone of the `transformers` package (ResNet-50 or Swin), with ImageNet's mean and deviation."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, net: nn.Module, channels: tuple[int, ...]) -> None:
        super().__init__()
        self.net = net
        self.channels = channels
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1), persistent=False)

    def train(self, mode: bool = True) -> TransformersBackbone:
        """Batch norms and stochastic depth stay as in evaluation: the backbone's statistics are frozen."""
        super().train(False)
        return self

    def forward(self, image: Float[Tensor, "b 3 h w"]) -> list[Tensor]:
        """RGB in [0, 1] -> maps at strides 4, 8, 16, 32."""
        maps = self.net((image - self.mean) / self.deviation).feature_maps
        return [m.contiguous() for m in maps]


def build_backbone(config: ModelConfig) -> tuple[nn.Module, tuple[int, ...]]:
    """The backbone with random weights, and its channels at strides 4, 8, 16, 32."""
    if config.backbone == "efficientnet-lite0":
        return EfficientNetLite0(), EfficientNetLite0.channels
    try:
        import transformers
    except ModuleNotFoundError as error:
        raise WeightsError(f"{config.name} needs the package transformers, which is not installed: "
                           f"{install('backbones')}; devos-t does without") from error  # fmt: skip

    if config.backbone == "resnet50":
        resnet = transformers.ResNetConfig(out_features=["stage1", "stage2", "stage3", "stage4"])
        return TransformersBackbone(transformers.ResNetBackbone(resnet), (256, 512, 1024, 2048)), (256, 512, 1024, 2048)
    swin = transformers.SwinConfig(
        image_size=384, embed_dim=128, depths=[2, 2, 18, 2], num_heads=[4, 8, 16, 32], window_size=12,
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )  # fmt: skip
    return TransformersBackbone(transformers.SwinBackbone(swin), (128, 256, 512, 1024)), (128, 256, 512, 1024)


class ImageEncoder(nn.Module):
    """Backbone and neck. The neck adds the coarser stride's context to the finer ones, so that matching at 8 knows
    what a thing is and not only how it looks.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.backbone, channels = build_backbone(config)
        widths = [config.width_at(s) for s in (4, 8, 16, 32)]
        self.lateral = nn.ModuleList(
            nn.Sequential(Pointwise(c, w), nn.GroupNorm(8, w)) for c, w in zip(channels, widths, strict=True)
        )
        self.descend = nn.ModuleList(Pointwise(widths[i + 1], widths[i]) for i in range(3))
        self.refine = nn.ModuleList(ResidualBlock(w) for w in widths[1:])

    def forward(self, image: Float[Tensor, "b 3 h w"]) -> Features:
        """RGB in [0, 1], height and width multiples of 32."""
        return self.neck(self.backbone(image))

    def neck(self, maps: list[Tensor]) -> Features:
        """The backbone's maps at strides 4, 8, 16, 32 -> E at the same strides."""
        laterals = [layer(x) for layer, x in zip(self.lateral, maps, strict=True)]
        s32 = self.refine[2](laterals[3])
        s16 = self.refine[1](laterals[2] + upsample(self.descend[2](s32)))
        s8 = self.refine[0](laterals[1] + upsample(self.descend[1](s16)))
        s4 = laterals[0] + upsample(self.descend[0](s8))
        return Features(s4, s8, s16, s32)
