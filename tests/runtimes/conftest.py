from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from devos.engine.segmenter import Segmenter, load
from devos.model.checkpoint import save_weights
from devos.model.config import ModelConfig
from devos.model.devos import DeVOS

TINY = ModelConfig(
    name="devos-tiny", backbone="efficientnet-lite0", width=16, width_s8=16, width_s4=8,
    heads=(2, 4, 4), points=(3, 3, 4), coarse_points=(2, 2, 0), num_slots=3,
)  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty folder for what the tests of one file share."""
    return tmp_path_factory.mktemp("runtimes")


@pytest.fixture(scope="module")
def network(home: Path) -> Path:
    """The weights file of a small network in which every part has a say, what the flow says too."""
    torch.set_num_threads(1)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = DeVOS(TINY)
        for head in model.flow_encoder.heads.values():
            torch.nn.init.normal_(head.weight, std=0.1)
        for adva in model.adva.values():
            torch.nn.init.normal_(adva.shape[2].weight, std=0.1)
    save_weights(model, home / "tiny.safetensors", {}, half=False)
    return home / "tiny.safetensors"


@pytest.fixture(scope="module")
def on_torch(network: Path) -> Segmenter:
    return load(network, size=64, memory_every=2, bank=3, runtime="torch")


@pytest.fixture(autouse=True, scope="module")
def cache(home: Path) -> Path:
    """Where graphs are kept meanwhile: not in the user's own cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DEVOS_CACHE", str(home / "cache"))
        yield home / "cache" / "graphs"


def film(num_frames: int, height: int = 64, width: int = 96) -> list[np.ndarray]:
    """Two boxes that slide over noise (h w 3)."""
    noise = np.random.default_rng(0).integers(0, 120, (height, width, 3), np.uint8)
    frames = [noise.copy() for _ in range(num_frames)]
    for t, frame in enumerate(frames):
        frame[8:30, 6 + 2 * t : 30 + 2 * t] = (230, 200, 40)
        frame[36:58, 60 - 2 * t : 84 - 2 * t] = (40, 90, 220)
    return frames


def first_mask(height: int = 64, width: int = 96) -> np.ndarray:
    """The boxes on the first frame, objects 1 and 2."""
    labels = np.zeros((height, width), np.uint8)
    labels[8:30, 6:30], labels[36:58, 60:84] = 1, 2
    return labels
