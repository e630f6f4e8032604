"""Every size comes from the same code. Weights are random here: nothing is fetched."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from devos.errors import WeightsError
from devos.model.config import PRESETS, devos_b, devos_l
from devos.model.devos import DeVOS, Given
from devos.model.encoder import ImageEncoder
from devos.model.memory import Memory
from devos.model.motion import Motion
from devos.model.pretrained import load_pretrained_backbone

H, W = 64, 96


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.mark.parametrize("name", PRESETS)
def test_every_size_builds_and_its_maps_have_its_widths(name):
    config = PRESETS[name]()
    with torch.device("meta"):
        encoder = ImageEncoder(config)
        features = encoder(torch.zeros(2, 3, H, W))
    for stride, feature in zip((4, 8, 16, 32), features, strict=True):
        assert feature.shape == (2, config.width_at(stride), H // stride, W // stride)


def test_larger_models_have_more_weights():
    sizes = []
    for preset in PRESETS.values():
        with torch.device("meta"):
            sizes.append(sum(p.numel() for p in DeVOS(preset()).parameters()))
    assert sizes == sorted(sizes)
    assert 3e6 < sizes[0] < 8e6
    assert sizes[1] > 25e6
    assert sizes[2] > 88e6


def learn_one_clip(model: DeVOS, num_slots: int) -> list[float]:
    """Two optimisation steps on one clip of three frames; the loss of each."""
    g = torch.Generator().manual_seed(0)
    frames = torch.rand(3, 1, 3, H, W, generator=g)
    labels = torch.zeros(1, H // 4, W // 4, dtype=torch.long)
    labels[:, 4:12, 6:16] = 1
    truth = F.one_hot(labels, num_slots + 1).permute(0, 3, 1, 2).float()
    used = torch.zeros(1, num_slots + 1, dtype=torch.bool)
    used[:, :2] = True
    still = Motion(torch.zeros(1, 2, H // 2, W // 2), torch.zeros(1, 2, H // 2, W // 2))
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(parameters, lr=1e-4)
    losses = []
    for _ in range(2):
        memory, loss = Memory(), torch.zeros(())
        for t, frame in enumerate(frames):
            output = model.step(frame, still if t else None, memory, used, None if t else Given(truth, used))
            memory = output.memory
            if t:
                loss = loss + F.cross_entropy(output.logits, labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("preset", [devos_b, devos_l])
def test_the_larger_models_follow_objects_and_learn_by_the_same_step(preset):
    torch.manual_seed(0)
    model = DeVOS(preset()).train()
    model.image_encoder.backbone.requires_grad_(False)
    first, second = learn_one_clip(model, model.config.num_slots)
    assert second < first


@pytest.mark.parametrize("backbone", ["resnet50"])
def test_a_transformers_backbone_keeps_its_statistics_in_training(backbone):
    encoder = ImageEncoder(devos_b()).train()
    assert encoder.training
    assert not any(module.training for module in encoder.backbone.modules())
    before = {name: value.clone() for name, value in encoder.backbone.named_buffers()}
    encoder(torch.rand(1, 3, H, W)).s4.mean().backward()
    assert all(torch.equal(before[name], value) for name, value in encoder.backbone.named_buffers())
    assert all(p.grad is not None for p in encoder.backbone.net.embedder.parameters())


def test_pretrained_weights_that_cannot_be_fetched_are_told_as_such(monkeypatch):
    import transformers

    def unreachable(*_, **__):
        raise OSError("we could not connect")

    monkeypatch.setattr(transformers.ResNetBackbone, "from_pretrained", unreachable)
    with torch.device("meta"):
        encoder = ImageEncoder(devos_b())
    with pytest.raises(WeightsError, match=r"resnet50 could not be fetched \(we could not connect\)"):
        load_pretrained_backbone(encoder, "resnet50")
