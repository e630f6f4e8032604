"""Tiny data sets, in any layout."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from devos.data.catalog import VideoInfo
from devos.data.index import TrainingVideo
from devos.data.scanning import VideoFacts

HEIGHT, WIDTH = 36, 48


class Made:
    """What test files make data of."""

    @staticmethod
    def picture(path: Path, seed: int = 0, size: tuple[int, int] = (HEIGHT, WIDTH)) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)).save(path)

    @staticmethod
    def labels(path: Path, values: np.ndarray, mode: str = "P") -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        image = Image.fromarray(values)
        if mode == "P":
            image.putpalette([channel for i in range(256) for channel in (i, 255 - i, i // 2)])
        image.convert(mode).save(path)

    @staticmethod
    def boxes(*ids: int, shift: int = 0) -> np.ndarray:
        """A map with a box of 12 x 14 pixels for each id, side by side."""
        labels = np.zeros((HEIGHT, WIDTH), np.uint8)
        for place, one in enumerate(ids):
            left = 2 + 15 * place + shift
            labels[10:24, left : left + 12] = one
        return labels

    @staticmethod
    def video(
        home: Path, name: str, maps: list[np.ndarray | None], *, part: str = "", step: int = 1, mode: str = "P"
    ) -> None:
        """A sequence in `home`/JPEGImages and Annotations; a frame for each map, a mask where there is one."""
        for index, labels in enumerate(maps):
            stem = f"{index * step:05d}"
            Made.picture(home / "JPEGImages" / part / name / f"{stem}.jpg", seed=index)
            if labels is not None:
                Made.labels(home / "Annotations" / part / name / f"{stem}.png", labels, mode)

    @staticmethod
    def known(name: str, masks: list[dict[int, int] | None], step: int = 1) -> TrainingVideo:
        """A video of which only is known what its masks hold; it has no files."""
        stems = [f"{index * step:05d}" for index in range(len(masks))]
        info = VideoInfo(
            name, tuple(Path(f"{stem}.jpg") for stem in stems),
            tuple(None if mask is None else Path(f"{stem}.png") for stem, mask in zip(stems, masks, strict=True)),
        )  # fmt: skip
        areas = tuple(None if mask is None else tuple(mask.items()) for mask in masks)
        return TrainingVideo(info, VideoFacts(areas, (), HEIGHT * WIDTH))


@pytest.fixture(scope="session")
def made() -> type[Made]:
    return Made


@pytest.fixture
def davis(tmp_path: Path) -> Callable[..., Path]:
    """Write videos as DAVIS has them, all of them on the list."""

    def write(videos: dict[str, list[np.ndarray | None]], year: str = "2017", mode: str = "P") -> Path:
        root = tmp_path / "DAVIS"
        for name, maps in videos.items():
            Made.video(root, name, maps, part="480p", mode=mode)
        (root / "ImageSets" / year).mkdir(parents=True, exist_ok=True)
        (root / "ImageSets" / year / "train.txt").write_text("\n".join(videos) + "\n")
        return root

    return write
