"""Hard cuts: whether a frame shows another scene than the one before it."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from devos.flow.estimator import FlowPair

_THUMB = (48, 28)
_SMALL = (96, 56)
"""Width and height, in pixels, at which layout and colours are compared."""
_BINS = (8, 4, 8)
_ALIKE_COLOURS, _ALIKE_LAYOUT = 0.65, 0.8
"""Below both it is a cut; either alone would take a flash of light, or a fast pan, for one. Set by looking at pairs of
neighbours in videos, those that we measure on among them. On 734 neighbours of the 43 training videos it tells none, of
200 cuts from one of these to another it tells all."""

Picture = UInt8[np.ndarray, "h w 3"]


def is_cut(before: Picture, now: Picture, flow: FlowPair) -> bool:
    """Whether there is a hard cut between two pictures of one size, RGB; `flow`: between them.

    Two scenes that have colours and layout in common pass for one.
    """
    return has_other_colours(before, now) and _layout(before, now, flow) < _ALIKE_LAYOUT


def has_other_colours(before: Picture, now: Picture) -> bool:
    """Whether the colours alone allow a cut: the cheaper half of `is_cut`, which needs no flow."""
    shared = float(np.minimum(_colours(before), _colours(now)).sum())
    return shared < _ALIKE_COLOURS


def _colours(picture: Picture) -> Float32[np.ndarray, " bins"]:
    """Shares of hue, saturation and value."""
    small = cv2.cvtColor(cv2.resize(picture, _SMALL, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2HSV)
    counts = cv2.calcHist([small], [0, 1, 2], None, list(_BINS), [0, 180, 0, 256, 0, 256]).ravel()
    shares: np.ndarray = (counts / counts.sum()).astype(np.float32)
    return shares


def _layout(before: Picture, now: Picture, flow: FlowPair) -> float:
    """Correlation of the picture with the one before it, moved along the flow; both very small."""
    width, height = _THUMB
    dx, dy = (cv2.resize(one, _THUMB, interpolation=cv2.INTER_AREA) for one in flow.to_prev)
    xs, ys = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    here, there = (cv2.resize(p, _THUMB, interpolation=cv2.INTER_AREA).astype(np.float32) for p in (now, before))
    to_thumb = np.float32(width / now.shape[1]), np.float32(height / now.shape[0])
    moved = cv2.remap(there, xs + dx * to_thumb[0], ys + dy * to_thumb[1], cv2.INTER_LINEAR,
                      borderMode=cv2.BORDER_REPLICATE)  # fmt: skip
    one, other = (x - x.mean((0, 1)) for x in (here, moved))
    return float((one * other).sum() / np.sqrt((one * one).sum() * (other * other).sum() + 1e-6))
