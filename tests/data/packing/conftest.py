"""A small training set of frames that differ, and a folder of frames that are held back."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image


def scene(seed: int, height: int = 96, width: int = 144) -> np.ndarray:
    """A picture (h w 3) of soft blobs; other seeds give other ones."""
    noise = np.random.default_rng(seed).integers(0, 256, (8, 12, 3), np.uint8)
    return cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)


def save(path: Path, rgb: np.ndarray, **options: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(rgb).save(path, **options)
    return path


def write_data(root: Path) -> Path:
    """Videos `ant` and `bee` of three frames each, and two photos in each of the sets `coco` and `food`."""
    mask = np.zeros((96, 144), np.uint8)
    mask[20:50, 30:70] = 1
    for number, name in enumerate(("ant", "bee")):
        for frame in range(3):
            save(root / "video-train/JPEGImages" / name / f"{frame:05d}.webp", scene(10 * number + frame), quality=80)
            save(root / "video-train/Annotations" / name / f"{frame:05d}.png", mask)
    for number, name in enumerate(("coco", "food")):
        for photo in range(2):
            save(root / "static" / name / "images" / f"{photo}.jpg", scene(50 + 10 * number + photo), quality=90)
            save(root / "static" / name / "masks" / f"{photo}.png", mask)
    return root


def recompressed(rgb: np.ndarray, kind: str, quality: int) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(rgb).save(file, format=kind, quality=quality)
    return np.array(Image.open(file).convert("RGB"))


class Drawn:
    """What test files draw and write with."""

    scene = staticmethod(scene)
    save = staticmethod(save)
    recompressed = staticmethod(recompressed)
    write_data = staticmethod(write_data)


@pytest.fixture(scope="session")
def drawn() -> type[Drawn]:
    return Drawn


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEVOS_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_data(tmp_path / "data")


@pytest.fixture
def held(tmp_path: Path) -> Callable[..., Path]:
    """Write pictures that are held back, in DAVIS's layout, by name; gives the folder."""

    def write(**pictures: np.ndarray) -> Path:
        for name, rgb in pictures.items():
            save(tmp_path / "dev/JPEGImages/480p/film" / f"{name}.png", rgb)
        return tmp_path / "dev"

    return write
