from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from devos.engine.segmenter import Segmenter, load
from devos.model.checkpoint import save_weights
from devos.model.config import Matching, ModelConfig
from devos.model.devos import DeVOS

TINY = ModelConfig(
    name="devos-tiny", backbone="efficientnet-lite0", width=16, width_s8=16, width_s4=8,
    heads=(2, 4, 4), points=(3, 3, 4), coarse_points=(2, 2, 0), num_slots=3,
    matching=Matching(kernel=3.0),
)  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty folder for what the tests of one file share."""
    return tmp_path_factory.mktemp("runtimes")


def follower() -> DeVOS:
    """A small network that has learnt nothing, but follows what ADVA read near where the flow says that it was; every
    other part has a say too, though a lesser one.
    """
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = DeVOS(TINY)
        for head in model.flow_encoder.heads.values():
            torch.nn.init.normal_(head.weight, std=0.1)
        with torch.no_grad():
            for adva in model.adva.values():
                torch.nn.init.normal_(adva.shape[2].weight, std=0.1)
                adva.shape[2].bias *= 0.1
                adva.point_bias[:, adva.points :] = -4
            head = model.decoder.head
            head.trust.copy_(torch.tensor([1.5, 0.1, 0.1, 0.1, 0.1]))
            head.judge.weight *= 0.1
            head.direct.bias[0] = -0.6  # what is read grows blurred; without this, background would take all in a while
    return model


@pytest.fixture(scope="module")
def network(home: Path) -> Path:
    """Its weights file."""
    torch.set_num_threads(1)
    save_weights(follower(), home / "tiny.safetensors", {}, half=False)
    return home / "tiny.safetensors"


@pytest.fixture(scope="module")
def on_torch(network: Path) -> Segmenter:
    return load(network, size=64, memory_every=2, bank=3, runtime="torch")


@pytest.fixture(autouse=True, scope="module")
def cache(home: Path) -> Iterator[Path]:
    """Where graphs are kept meanwhile: not in the user's own cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DEVOS_CACHE", str(home / "cache"))
        yield home / "cache" / "graphs"


def texture(seed: int, height: int, width: int) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 128, (height // 4 + 1, width // 4 + 1, 3), np.uint8)
    return cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)


def film(num_frames: int, height: int = 64, width: int = 96) -> list[np.ndarray]:
    """Two textured boxes that slide apart over a still texture (h w 3)."""
    frames = [texture(0, height, width) for _ in range(num_frames)]
    for t, frame in enumerate(frames):
        frame[4 : height - 4, 20 - t : 42 - t] = 127 + texture(1, height - 8, 22)
        frame[4 : height - 4, width - 42 + t : width - 20 + t] = 127 + texture(2, height - 8, 22)
    return frames


def first_mask(height: int = 64, width: int = 96) -> np.ndarray:
    """The boxes on the first frame, objects 1 and 2."""
    labels = np.zeros((height, width), np.uint8)
    labels[4 : height - 4, 20:42], labels[4 : height - 4, width - 42 : width - 20] = 1, 2
    return labels
