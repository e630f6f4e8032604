"""Open a project's folder in napari: the video, and the labels on it, read frame by frame as they are looked at."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from devos.pipeline.project import Project

Layer = tuple[Any, dict[str, Any], str]


class Stack:
    """Frames as an array (t y x, or t y x 3) that is read when it is indexed."""

    def __init__(self, shape: tuple[int, ...], dtype: Any, read: Callable[[int], np.ndarray]) -> None:
        self.shape, self.dtype, self._read = shape, np.dtype(dtype), read
        self.ndim, self.size = len(shape), int(np.prod(shape))

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> np.ndarray:
        first, *rest = key if isinstance(key, tuple) else (key,)
        if isinstance(first, int | np.integer):
            frame: np.ndarray = self._read(range(len(self))[int(first)])
            return frame[tuple(rest)] if rest else frame
        numbers = np.arange(len(self))[first]
        frames = [self._read(int(number))[tuple(rest)] if rest else self._read(int(number)) for number in numbers]
        return np.stack(frames) if frames else np.zeros((0, *self.shape[1:]), self.dtype)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self[:], dtype)


def get_reader(path: str | list[str]) -> Callable[[Any], list[Layer]] | None:
    """What reads a path; None for what is no project, which napari then gives to others."""
    if isinstance(path, list) or not (Path(path) / "project" / "project.json").is_file():
        return None
    return read_project


def read_project(path: str) -> list[Layer]:
    """The layers `video` (t y x 3) and `objects` (t y x)."""
    project = Project.open(path)
    results = project.results
    last = max(results, default=-1) + 1
    with project.video() as video:
        size, count = video.size, max(last, video.num_frames or 0 if video.num_frames_is_exact else last)

    def picture(index: int) -> np.ndarray:
        with project.video() as again:
            found = next(again.read_range(index, index + 1), None)
            return np.zeros((*size, 3), np.uint8) if found is None else found.rgb

    def labels(index: int) -> np.ndarray:
        return project.masks[index] if index in results else np.zeros(size, np.uint16)

    return [
        (Stack((count, *size, 3), np.uint8, picture), {"name": "video", "rgb": True}, "image"),
        (Stack((count, *size), np.uint16, labels), {"name": "objects"}, "labels"),
    ]
