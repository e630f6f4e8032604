"""What every writer here is: a place that takes the masks of one frame after the other."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import numpy as np
from jaxtyping import Bool

from devos.frames import FrameSize, MaskFrame

_AnyWriter = TypeVar("_AnyWriter", bound="MaskWriter")


@dataclass(frozen=True)
class VideoInfo:
    """What formats tell of the video that the masks belong to."""

    name: str
    size: FrameSize
    num_frames: int
    fps: float
    suffix: str = ".jpg"
    """Of the names of its frames in formats that name files."""


class MaskWriter(ABC):
    """Written inside a `with`; a file is whole, or not there."""

    def __init__(self, path: Path, video: VideoInfo) -> None:
        self.path, self.video = path, video

    @abstractmethod
    def write(self, masks: MaskFrame) -> None:
        """Take one frame; frames come by rising index."""

    @abstractmethod
    def close(self) -> None:
        """Finish."""

    def __enter__(self: _AnyWriter) -> _AnyWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()


def objects_of(masks: MaskFrame) -> list[tuple[int, float, Bool[np.ndarray, "h w"]]]:
    """Each object that has a pixel: its id, confidence and mask."""
    confidences = {score.object_id: score.confidence for score in masks.scores}
    ids = [int(value) for value in np.unique(masks.labels) if value]
    return [(object_id, confidences.get(object_id, 1.0), masks.labels == object_id) for object_id in ids]


def box_of(mask: Bool[np.ndarray, "h w"]) -> tuple[int, int, int, int]:
    """x, y, width and height, in whole pixels."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    x, y = int(columns[0]), int(rows[0])
    return x, y, int(columns[-1]) - x + 1, int(rows[-1]) - y + 1
