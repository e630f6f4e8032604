from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from devos.data.batching import Batches
from devos.data.catalog import find_videos
from devos.data.photo_sets import list_photos
from devos.model.config import ModelConfig
from devos.model.devos import DeVOS
from devos.training.config import TrainConfig, debug


class Backbone(nn.Module):
    """A thousand weights at four strides: checkpoints of a real backbone would be most of these tests' time."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(nn.Conv2d(8 if i else 3, 8, 3, padding=1) for i in range(4))

    def forward(self, image: Tensor) -> list[Tensor]:
        x, maps = F.avg_pool2d(image, 2), []
        for block in self.blocks:
            x = F.relu(block(F.avg_pool2d(x, 2)))
            maps.append(x)
        return maps


def build_small_backbone(config: ModelConfig) -> tuple[nn.Module, tuple[int, ...]]:
    """In the place of `devos.model.encoder.build_backbone`."""
    return Backbone(), (8, 8, 8, 8)


@pytest.fixture
def small_backbone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every network that is built has a backbone of no account."""
    monkeypatch.setattr("devos.model.encoder.build_backbone", build_small_backbone)


@pytest.fixture
def tiny() -> ModelConfig:
    return ModelConfig(
        name="devos-tiny", backbone="efficientnet-lite0", width=16, width_s8=16, width_s4=8,
        heads=(2, 4, 4), points=(3, 3, 4), coarse_points=(2, 2, 0),
    )  # fmt: skip


@pytest.fixture
def config(tiny: ModelConfig) -> TrainConfig:
    return replace(debug(num_steps=5), model=tiny)


def build(config: ModelConfig, seed: int = 0) -> DeVOS:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return DeVOS(config).train()


@pytest.fixture
def make_model(tiny: ModelConfig) -> Callable[..., DeVOS]:
    return lambda seed=0: build(tiny, seed)


@pytest.fixture
def make_batches(video_root: Path, photo_root: Path) -> Callable[[TrainConfig], Batches]:
    return lambda config: Batches(config.clips, find_videos(video_root), list_photos("own", photo_root).photos)


def states_equal(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(states_equal(one[k], other[k]) for k in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(states_equal(a, b) for a, b in zip(one, other, strict=True))
    return bool(one == other)


@pytest.fixture(name="states_equal")
def the_comparison() -> Callable[[Any, Any], bool]:
    """Whether two checkpoints, or any of their parts, are the same bit for bit."""
    return states_equal
