"""The part of a picture around an object that somebody marks: what a closer look shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool

from devos.engine.marker import Box, Click
from devos.frames import FrameSize

_NARROWEST = 0.4
"""One side may be short, but what lies beside a thin object tells its edges: the least share of the other side."""


class Part(NamedTuple):
    """A rectangle of the picture, in its pixels; right and bottom are beyond it."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def size(self) -> FrameSize:
        """Its height and width."""
        return FrameSize(self.bottom - self.top, self.right - self.left)

    def holds(self, click: Click) -> bool:
        """Whether a click lies in it."""
        return self.left <= click.x < self.right and self.top <= click.y < self.bottom

    def of(self, picture: np.ndarray) -> np.ndarray:
        """What a picture shows there; a view."""
        return picture[self.top : self.bottom, self.left : self.right]


def whole(size: FrameSize) -> Part:
    """All of a picture."""
    return Part(0, 0, size.width, size.height)


def around(size: FrameSize, mask: Bool[np.ndarray, "h w"] | None, clicks: Sequence[Click], box: Box | None, *,
           room: float, least: float) -> Part | None:  # fmt: skip
    """The part that shows a mask, the clicks on the object and its box, with room on all sides; None if there is none.

    `room`: how many times as wide and high as what it shows; `least`: its shortest side, in pixels.
    """
    xs, ys = [c.x for c in clicks if c.is_object], [c.y for c in clicks if c.is_object]
    if mask is not None:
        columns, rows = np.flatnonzero(mask.any(0)), np.flatnonzero(mask.any(1))
        xs, ys = [*xs, *columns[:1], *columns[-1:]], [*ys, *rows[:1], *rows[-1:]]
    if box is not None:
        xs, ys = [*xs, box.left, box.right - 1], [*ys, box.top, box.bottom - 1]
    if not xs:
        return None
    wide, high = max(xs) - min(xs), max(ys) - min(ys)
    across = max(wide * room, high * _NARROWEST, least) / 2
    down = max(high * room, wide * _NARROWEST, least) / 2
    x, y = (min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2
    return Part(max(0, round(x - across)), max(0, round(y - down)),
                min(size.width, round(x + across) + 1), min(size.height, round(y + down) + 1))  # fmt: skip
