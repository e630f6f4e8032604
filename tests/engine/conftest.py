from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from devos.engine.segmenter import Segmenter, Settings
from devos.frames import Frame
from devos.model.config import ModelConfig
from devos.model.devos import DeVOS

TINY = ModelConfig(
    name="devos-tiny", backbone="efficientnet-lite0", width=16, width_s8=16, width_s4=8,
    heads=(2, 4, 4), points=(3, 3, 4), coarse_points=(2, 2, 0), num_slots=3,
)  # fmt: skip


def build(config: ModelConfig = TINY, **settings: int | str) -> Segmenter:
    """A network that has learnt nothing, set by hand to move masks along the flow.

    ADVA looks only where the flow says that a cell was, and the decoder passes on what ADVA read at stride 8.
    So objects can be told to be followed or lost; every other part runs too, without a say.
    """
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = DeVOS(config).eval().requires_grad_(False)
    for adva in model.adva.values():
        adva.shape[2].bias.zero_()
        adva.point_bias[:, adva.points :] = -30
    head = model.decoder.head
    for parameter in (head.direct.weight, head.direct.bias, head.judge.weight, head.judge.bias, head.trust):
        parameter.zero_()
    head.trust[0] = 1
    return Segmenter(model, Settings(size=64, memory_every=2, bank=3, **settings), torch.device("cpu"))


@pytest.fixture(scope="session")
def segmenter() -> Segmenter:
    """Three objects in a group, so that a fourth opens another."""
    return build()


@pytest.fixture(scope="session")
def ten_slots() -> Segmenter:
    return build(replace(TINY, num_slots=10))


SQUARE_TOP = 8


def texture(seed: int, height: int, width: int) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 256, (height // 4 + 1, width // 4 + 1, 3), np.uint8)
    return cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)


def make_video(num_frames: int, height: int = 48, width: int = 80) -> list[Frame]:
    """A textured square of half the height slides over a still texture, three pixels to the right in a frame."""
    scene, square = texture(0, height, width) // 2, 128 + texture(1, height // 2, height // 2) // 2
    frames = []
    for t in range(num_frames):
        rgb = scene.copy()
        left = min(8 + 3 * t, width - height // 2)
        rgb[SQUARE_TOP : SQUARE_TOP + height // 2, left : left + height // 2] = square
        frames.append(Frame(t, t / 25, f"{t:05d}", rgb))
    return frames


@pytest.fixture
def video() -> Callable[..., list[Frame]]:
    return make_video


@pytest.fixture
def mask() -> np.ndarray:
    """Of the first frame of a video: object 1 the square, object 2 a strip below."""
    labels = np.zeros((48, 80), np.uint8)
    labels[8:32, 8:32] = 1
    labels[36:48, 20:70] = 2
    return labels
