"""The nouns that every room shares, and the conventions that they follow.

Conventions: shapes are height before width. Points are (x, y), x to the right, y down, pixel centres at integers.
Colour is RGB, never BGR. A label is the user's object id at a pixel; 0 is background. A frame's index counts from 0
in the order of the video; time is in seconds, as a float, because frame rates are fractions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float16, UInt8, UInt16

MAX_OBJECT_ID = 65535
"""The highest object id: labels are 16-bit."""


class FrameSize(NamedTuple):
    """Height and width of a frame, in pixels."""

    height: int
    width: int

    def __str__(self) -> str:
        """Width x height, as people say it."""
        return f"{self.width}x{self.height}"


@dataclass(frozen=True)
class Frame:
    """One picture of a video."""

    index: int
    """Position in the video, from 0."""
    time_s: float
    """When it is shown, in seconds from the first frame."""
    name: str
    """The file's stem in a folder of frames; the index in five digits (`00012`) in a video file."""
    rgb: UInt8[np.ndarray, "h w 3"]

    @property
    def size(self) -> FrameSize:
        """Height and width in pixels."""
        return FrameSize(*self.rgb.shape[:2])


@dataclass(frozen=True)
class ObjectScore:
    """How sure the network is of one object on one frame."""

    object_id: int
    presence: float
    """Probability, in [0, 1], that the object is on the frame at all."""
    confidence: float
    """Chance, in [0, 1], that its mask is about right (J of 0.5 or more); 1 where it was given, 0 where it has none."""


@dataclass(frozen=True)
class MaskFrame:
    """Which object is where on one frame."""

    index: int
    time_s: float
    name: str
    labels: UInt16[np.ndarray, "h w"]
    """The user's object id at each pixel, 0 for background; at the frame's own size."""
    scores: tuple[ObjectScore, ...]
    """One for each object that is followed at this frame, in the order of their ids."""
    probabilities: Float16[np.ndarray, "objects h w"] | None = None
    """For each of `scores`, its probability at each pixel; None unless asked for."""
    cut: int | None = None
    """The first frame of a scene, where a hard cut lies between this frame and the one that was followed before it."""


def frame_name(index: int) -> str:
    """What a frame without a name of its own is called: its index, in five digits."""
    return f"{index:05d}"
