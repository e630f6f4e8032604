"""What is drawn onto a frame of the attention figure: an attention map, a close-up, the query and its motion."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from matplotlib import colormaps

from devos.evaluation.figures.matching import Point
from devos.evaluation.figures.sheet import Rgb, resized
from devos.frames import FrameSize

HEAT = colormaps["inferno"]
"""Colours of attention: of even steps to the eye, also for the colour-blind."""


def heat(rgb: Rgb, weights: Float[np.ndarray, "h_cells w_cells"], peak: float, size: FrameSize) -> Rgb:
    """A frame at `size`, grey and dim, with an attention map over it; the brightest colour stands for `peak`.

    Colours go by the square root, so that faint attention is seen too.
    """
    level = np.sqrt(np.clip(upsampled(weights, size) / max(peak, 1e-12), 0, 1))[..., None]
    grey = cv2.cvtColor(resized(rgb, size), cv2.COLOR_RGB2GRAY)[..., None] / 255
    colour = HEAT(level[..., 0])[..., :3]
    cover = 0.1 + 0.8 * level
    blended: UInt8[np.ndarray, "h w 3"] = np.round(255 * ((1 - cover) * 0.9 * grey + cover * colour)).astype(np.uint8)
    return blended


def upsampled(weights: Float[np.ndarray, "h_cells w_cells"], size: FrameSize) -> Float[np.ndarray, "h w"]:
    """A map of cells at a frame's size: each cell's value stands at its middle, bilinear between; x right, y down."""
    grown: np.ndarray = cv2.resize(
        weights.astype(np.float32), (size.width, size.height), interpolation=cv2.INTER_LINEAR
    )
    return grown


def draw_arrow(axes: Any, start: Point, moved: Float[np.ndarray, 2]) -> None:
    """An arrow of a query's motion, from where it is to where it was; none for a small one."""
    if np.hypot(*moved) < 12:  # the mark of the query would cover it
        return
    end = start[0] + moved[0], start[1] + moved[1]
    for colour, width, order in (("white", 4.4, 8), ("black", 2.0, 9)):
        style = {"arrowstyle": "-|>", "color": colour, "lw": width, "shrinkA": 0, "shrinkB": 0, "mutation_scale": 11}
        axes.annotate("", end, start, zorder=order, arrowprops=style, annotation_clip=True)


def draw_ring(axes: Any, x: float, y: float) -> None:
    """A ring around the query that is seen on any ground."""
    axes.plot([x], [y], "o", ms=11, mfc="none", mec="black", mew=3.4, zorder=6, clip_on=False)
    axes.plot([x], [y], "o", ms=11, mfc="none", mec="white", mew=1.7, zorder=7, clip_on=False)


def cut_out(rgb: Rgb, window: tuple[float, float, float, float], size: FrameSize) -> Rgb:
    """A part of a frame at another size; grey beyond the frame's border."""
    left, top, width, _ = window
    scale = size.width / width
    shift = np.array([[scale, 0, (0.5 - left) * scale - 0.5], [0, scale, (0.5 - top) * scale - 0.5]])
    cut: np.ndarray = cv2.warpAffine(
        rgb, shift, (size.width, size.height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT,
        borderValue=(214, 218, 222),
    )  # fmt: skip
    return cut
