from __future__ import annotations

import pytest
import torch

from devos.model.config import ModelConfig
from devos.model.devos import DeVOS


@pytest.fixture
def tiny() -> ModelConfig:
    return ModelConfig(
        name="devos-tiny", backbone="efficientnet-lite0", width=16, width_s8=16, width_s4=8,
        heads=(2, 4, 4), points=(3, 3, 4), coarse_points=(2, 2, 0), num_slots=3,
    )  # fmt: skip


@pytest.fixture
def model(tiny: ModelConfig) -> DeVOS:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return DeVOS(tiny).eval()
