"""Where each object is on a label map: its area and its box."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import UInt16


class Region(NamedTuple):
    """One object on one frame; the box is in whole pixels, its last row and column included."""

    area: int
    x_min: int
    y_min: int
    x_max: int
    y_max: int

    @property
    def window(self) -> tuple[slice, slice]:
        """Rows and columns of the box."""
        return slice(self.y_min, self.y_max + 1), slice(self.x_min, self.x_max + 1)


def find_regions(labels: UInt16[np.ndarray, "h w"]) -> dict[int, Region]:
    """The region of each object that has a pixel, by rising id."""
    areas = np.bincount(labels.ravel())
    return {int(object_id): _region(labels, int(object_id), int(areas[object_id])) for object_id in _present(areas)}


def _present(areas: np.ndarray) -> np.ndarray:
    return np.flatnonzero(areas[1:]) + 1


def _region(labels: UInt16[np.ndarray, "h w"], object_id: int, area: int) -> Region:
    x, y, width, height = cv2.boundingRect((labels == object_id).astype(np.uint8))
    return Region(area, x, y, x + width - 1, y + height - 1)
