"""Tiny benchmark folders to hold submissions against: three sequences of four frames, 96x64."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from PIL import Image

from devos.evaluation.submission.rules import Dataset
from devos.io import davis_palette

HEIGHT, WIDTH = 64, 96


class Draw:
    """The names, objects and masks that the tiny benchmarks are made of."""

    names: ClassVar = {
        Dataset.DAVIS: ("bear", "car-race", "dog"),
        Dataset.YOUTUBE: ("003234408d", "0043f083b5", "0044fa5fba"),
        Dataset.LVOS: ("0tCWPOrc", "1vC4Fm1a", "2TvqOLgO"),
        Dataset.MOSE: ("002b4dce", "0a1b2c3d", "e607450d"),
        Dataset.MOSE2: ("002b4dce", "0a1b2c3d", "e607450d"),
    }
    objects: ClassVar[tuple[dict[int, int], ...]] = ({1: 0, 2: 0}, {1: 0, 3: 2}, {1: 0, 4: 0})
    """Of each sequence: the ids, and the index of the frame that gives them; DAVIS and MOSE give all on the first."""

    @staticmethod
    def frames(dataset: Dataset) -> list[str]:
        if dataset is Dataset.LVOS:
            return [f"{number:08d}" for number in (1, 6, 11, 16)]
        return [f"{5 * index if dataset is Dataset.YOUTUBE else index:05d}" for index in range(4)]

    @staticmethod
    def labels(objects: dict[int, int], index: int, only_new: bool = False) -> np.ndarray:
        """A square for each object that is there by frame `index`, or comes on it."""
        labels = np.zeros((HEIGHT, WIDTH), np.uint8)
        for row, (object_id, first) in enumerate(objects.items()):
            if first == index or (first < index and not only_new):
                labels[8 + 28 * row : 28 + 28 * row, 10 + 4 * index : 40 + 4 * index] = object_id
        return labels

    @staticmethod
    def save(path: Path, pixels: np.ndarray, palette: bytes | None = None) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        picture = Image.fromarray(pixels)
        if palette is not None:
            picture.putpalette(palette)
        picture.save(path)


@pytest.fixture
def draw() -> type[Draw]:
    return Draw


@pytest.fixture
def make(tmp_path: Path) -> Callable[[Dataset], tuple[Path, Path]]:
    """Write a benchmark's folder, and a folder of good masks for it."""

    def write(dataset: Dataset) -> tuple[Path, Path]:
        root, masks, meta = tmp_path / "root", tmp_path / "masks", {}
        for folder in (root, masks):
            shutil.rmtree(folder, ignore_errors=True)  # of another benchmark, in the same test
        between = "480p" if dataset is Dataset.DAVIS else "."
        names = Draw.frames(dataset)
        for sequence, ids in zip(Draw.names[dataset], Draw.objects, strict=True):
            objects = ids if dataset in (Dataset.YOUTUBE, Dataset.LVOS) else dict.fromkeys(ids, 0)
            for index, frame in enumerate(names):
                rgb = np.random.default_rng(index).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
                Draw.save(root / "JPEGImages" / between / sequence / f"{frame}.jpg", rgb)
                labels = Draw.labels(objects, index)
                Draw.save(masks / sequence / f"{frame}.png", labels, davis_palette().tobytes())
                if index in objects.values():
                    new = Draw.labels(objects, index, only_new=True)
                    Draw.save(root / "Annotations" / between / sequence / f"{frame}.png", new)
            seen = {str(object_id): {"frames": names[first:]} for object_id, first in objects.items()}
            meta[sequence] = {"length": len(names), "objects": seen}
        if dataset is Dataset.DAVIS:
            (root / "ImageSets" / "2017").mkdir(parents=True)
            (root / "ImageSets" / "2017" / "test-dev.txt").write_text("\n".join(Draw.names[dataset]))
        elif dataset in (Dataset.YOUTUBE, Dataset.MOSE2):
            (root / "meta.json").write_text(json.dumps({"videos": meta}))
        return root, masks

    return write


@pytest.fixture(params=list(Dataset))
def dataset(request: pytest.FixtureRequest) -> Dataset:
    return request.param
