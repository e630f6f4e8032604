"""Move pictures and labels along a flow field."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Float32, Shaped


def warp_to_current(
    previous: Shaped[np.ndarray, "h w *channels"], to_prev: Float32[np.ndarray, "2 h w"], *, nearest: bool = False
) -> Shaped[np.ndarray, "h w *channels"]:
    """Bring the previous frame's picture to where things are now.

    `to_prev` lives on the current frame's grid and points to the previous frame, (dx, dy) in pixels of this grid.
    Outside the previous frame counts as 0. `nearest` keeps labels whole; else values are interpolated.
    """
    height, width = to_prev.shape[1:]
    xs, ys = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    flags = cv2.INTER_NEAREST if nearest else cv2.INTER_LINEAR
    warped: np.ndarray = cv2.remap(
        previous, xs + to_prev[0], ys + to_prev[1], flags, borderMode=cv2.BORDER_CONSTANT, borderValue=0
    )
    return warped


def resize_field(field: Float32[np.ndarray, "2 h w"], height: int, width: int) -> Float32[np.ndarray, "2 _h _w"]:
    """The same motion on a finer or coarser grid; the values keep their unit."""
    return np.stack([cv2.resize(channel, (width, height), interpolation=cv2.INTER_LINEAR) for channel in field])
