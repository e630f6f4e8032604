from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from devos.data.batching import Batches
from devos.data.catalog import find_videos
from devos.data.photos import find_photos
from devos.model.config import ModelConfig
from devos.model.devos import DeVOS
from devos.training.config import TrainConfig


def texture(seed: int, height: int, width: int) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), np.uint8)
    return cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)


def write_mask(path: Path, labels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(labels).save(path)


@pytest.fixture
def video_root(tmp_path: Path) -> Path:
    """Two videos of twelve frames, in DAVIS's layout: two discs that slide over a texture; 255 around the second."""
    root = tmp_path / "videos"
    for seed, name in enumerate(("ant", "bee")):
        for t in range(12):
            rgb, labels = texture(seed, 96, 128) // 2, np.zeros((96, 128), np.uint8)
            for label, (x, y) in enumerate([(30 + 3 * t, 30), (90 - 2 * t, 66)], start=1):
                if label == 2:
                    cv2.circle(labels, (x, y), 18, 255, -1)
                cv2.circle(labels, (x, y), 16, label, -1)
                cv2.circle(rgb, (x, y), 16, (250, 40 * label, 60 * seed), -1)
            frame = root / "JPEGImages" / "480p" / name / f"{t:05d}.jpg"
            frame.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rgb).save(frame, quality=95)
            write_mask(root / "Annotations" / "480p" / name / f"{t:05d}.png", labels)
    return root


@pytest.fixture
def photo_root(tmp_path: Path) -> Path:
    """Four photos, each with a disc and a box, and void around the disc."""
    root = tmp_path / "photos"
    for i in range(4):
        rgb, labels = texture(10 + i, 100, 120) // 2, np.zeros((100, 120), np.uint8)
        cv2.circle(labels, (40, 45), 28, 255, -1)
        cv2.circle(labels, (40, 45), 25, 1, -1)
        labels[50:90, 75:110] = 2
        rgb[labels == 1] = 127 + texture(20 + i, 100, 120)[labels == 1] // 2
        rgb[labels == 2] = (30, 200, 60 * i)
        picture = root / "things" / "images" / f"{i}.png"
        picture.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rgb).save(picture)
        write_mask(root / "things" / "masks" / f"{i}.png", labels)
    return root


@pytest.fixture
def tiny() -> ModelConfig:
    return ModelConfig(
        name="devos-tiny", backbone="efficientnet-lite0", width=16, width_s8=16, width_s4=8,
        heads=(2, 4, 4), points=(3, 3, 4), coarse_points=(2, 2, 0),
    )  # fmt: skip


def build(config: ModelConfig, seed: int = 0) -> DeVOS:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return DeVOS(config).train()


@pytest.fixture
def make_model(tiny: ModelConfig) -> Callable[..., DeVOS]:
    return lambda seed=0: build(tiny, seed)


@pytest.fixture
def make_batches(video_root: Path, photo_root: Path) -> Callable[[TrainConfig], Batches]:
    return lambda config: Batches(config.clips, find_videos(video_root), find_photos(photo_root))
