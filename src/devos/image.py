"""From a frame of any size to the network's, and back. Only arithmetic on arrays."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from devos.frames import FrameSize

STRIDE = 32
"""The network's sides are multiples of its coarsest stride."""
LONGEST_ASPECT = 4.0
"""A frame longer than this many times its short side is shrunk further, so that its area stays bounded."""

_AVERAGED = 1.5
"""From this shrinking on, pixels would be passed over by an interpolation between four."""


def network_size(frame: FrameSize, short_side: int) -> FrameSize:
    """The size at which the network sees a frame: the short side near `short_side`, both multiples of 32.

    The picture is stretched to it, by at most 16 pixels a side, so that nothing is padded and nothing need be cut.
    """
    scale = min(short_side / min(frame), LONGEST_ASPECT * short_side / max(frame))
    return FrameSize(*(max(2, round(side * scale / STRIDE)) * STRIDE for side in frame))


def resize_rgb(rgb: UInt8[np.ndarray, "h w 3"], size: FrameSize) -> UInt8[np.ndarray, "h2 w2 3"]:
    """Averaged where it shrinks by more than half as much again, else bilinear, which takes a fifth of the time. The
    result is an array of its own.
    """
    if rgb.shape[:2] == tuple(size):
        return np.array(rgb, order="C")  # never the caller's memory: it may hold another picture soon
    shrinks = min(rgb.shape[0] / size.height, rgb.shape[1] / size.width) > _AVERAGED
    resized: np.ndarray = cv2.resize(
        np.ascontiguousarray(rgb), (size.width, size.height),
        interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR,
    )  # fmt: skip
    return resized


def to_tensor(rgb: UInt8[np.ndarray, "h w 3"]) -> Float[Tensor, "1 3 h w"]:
    """RGB in [0, 1], channels-last in memory."""
    return torch.from_numpy(rgb).permute(2, 0, 1)[None].float().div_(255)
