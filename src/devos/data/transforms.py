"""The part of a video that a clip shows: a square cut around an object, turned, mirrored and drifting a little."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Bool, Float32, UInt8

Affine = Float32[np.ndarray, "2 3"]
"""Maps points (x, y) of the video to points of the clip, in pixels."""


def random_crops(
    around: Bool[np.ndarray, "h w"], size: int, length: int, zoom: tuple[float, float], rng: np.random.Generator
) -> list[Affine]:
    """For each of `length` frames the map to a clip of `size` pixels, in which a pixel of `around` is seen at first.

    `zoom`: bounds of how much the video is enlarged; 1 fits its short side to the clip.
    """
    height, width = around.shape
    scale = size / min(height, width) * rng.uniform(*zoom)
    ys, xs = np.nonzero(around)
    at = int(rng.integers(len(ys)))
    reach = size / scale / 2
    # The crop stays on the picture where it can; the object need not be in its middle.
    centre = np.array([xs[at], ys[at]]) + rng.uniform(-0.6, 0.6, 2) * reach
    centre = np.clip(centre, np.minimum(reach, [width / 2, height / 2]),
                     np.maximum([width - reach, height - reach], [width / 2, height / 2]))  # fmt: skip
    turn, mirror = rng.normal(0, 0.08), -1.0 if rng.random() < 0.5 else 1.0
    squeeze = np.exp(rng.normal(0, 0.08))
    drift = rng.normal(0, 0.01 * size / scale, 2) if rng.random() < 0.5 else np.zeros(2)
    zooming = rng.normal(0, 0.01) if rng.random() < 0.5 else 0.0
    c, s = np.cos(turn), np.sin(turn)
    linear = np.array([[c, -s], [s, c]]) @ np.diag([mirror * scale * squeeze, scale / squeeze])
    matrices = []
    for t in range(length):
        a = linear * np.exp(zooming * t)
        b = size / 2 - a @ (centre + drift * t)
        matrices.append(np.concatenate([a, b[:, None]], 1).astype(np.float32))
    return matrices


def warp_labels(labels: UInt8[np.ndarray, "h w"], matrix: Affine, size: int) -> UInt8[np.ndarray, "size size"]:
    """The clip's part of a mask; beyond the video's border it is mirrored, as the picture is."""
    warped: np.ndarray = cv2.warpAffine(labels, matrix, (size, size), flags=cv2.INTER_NEAREST,
                                        borderMode=cv2.BORDER_REFLECT_101)  # fmt: skip
    return warped


def warp_picture(rgb: UInt8[np.ndarray, "h w 3"], matrix: Affine, size: int) -> UInt8[np.ndarray, "size size 3"]:
    """The clip's part of a picture."""
    warped: np.ndarray = cv2.warpAffine(rgb, matrix, (size, size), flags=cv2.INTER_LINEAR,
                                        borderMode=cv2.BORDER_REFLECT_101)  # fmt: skip
    return warped
