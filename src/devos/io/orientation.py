"""How a picture of a video file is to be turned and mirrored before it is shown."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from av.sidedata.sidedata import SideDataContainer
from av.sidedata.sidedata import Type as SideData
from jaxtyping import UInt8

from devos.frames import FrameSize

_SLANTED = 0.02
"""How far, relative to the others, an entry of a matrix of quarter turns may be from 0: about a degree."""


@dataclass(frozen=True)
class Orientation:
    """One of the eight ways in which a picture can lie: rows and columns exchanged first, then each turned about."""

    transposed: bool = False
    left_right: bool = False
    """Mirrored from left to right, after rows and columns were exchanged."""
    top_down: bool = False
    is_slanted: bool = False
    """Whether the file asks for an angle between two quarter turns; the nearest one is taken."""

    def apply(self, rgb: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "_h _w 3"]:
        """The picture as it is to be shown."""
        if self.transposed:
            rgb = rgb.transpose(1, 0, 2)
        return np.ascontiguousarray(rgb[:: -1 if self.top_down else 1, :: -1 if self.left_right else 1])

    def undo(self, shown: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "_h _w 3"]:
        """The picture as it was stored."""
        stored = shown[:: -1 if self.top_down else 1, :: -1 if self.left_right else 1]
        return np.ascontiguousarray(stored.transpose(1, 0, 2) if self.transposed else stored)

    def size(self, stored: FrameSize) -> FrameSize:
        """Height and width as shown."""
        return FrameSize(stored.width, stored.height) if self.transposed else stored

    def __str__(self) -> str:
        """In words; empty where a picture is shown as it is stored."""
        flipped = self.left_right + self.top_down
        if not self.transposed:
            words = {0: "", 2: "turned upside down"}
            return words.get(flipped, "mirrored left to right" if self.left_right else "mirrored top to bottom")
        quarter = "a quarter turn " + ("clockwise" if self.left_right else "counter-clockwise")
        return f"{quarter}, mirrored" if flipped != 1 else quarter


def orientation_of(frame: Any) -> Orientation:
    """From the display matrix of a decoded picture: nine numbers, row by row, as (x', y') = (a x + c y, b x + d y)."""
    # not frame.side_data: that and the frame hold each other, and hundreds of pictures wait for the collector
    for item in SideDataContainer(frame):  # type: ignore[call-arg]
        if item.type == SideData.DISPLAYMATRIX:
            a, b, _, c, d, *_ = struct.unpack("=9i", bytes(item))
            return from_matrix(a, b, c, d)
    return Orientation()


def from_matrix(a: int, b: int, c: int, d: int) -> Orientation:
    """The nearest of the eight; scaling is left to the pixels' aspect."""
    straight, crossed = math.hypot(a, d), math.hypot(b, c)
    is_slanted = min(straight, crossed) > _SLANTED * max(straight, crossed)
    if crossed > straight:
        return Orientation(True, c < 0, b < 0, is_slanted)
    return Orientation(False, a < 0, d < 0, is_slanted)
