"""What a person might say of an object whose mask is known: clicks, a box, and a mask that is wrong.

Points are (x, y) in pixels of the mask. A click is (x, y, 1) on the object or (x, y, -1) beside it.
"""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Bool, Float32

Click = tuple[float, float, int]


def depth(region: Bool[np.ndarray, "h w"]) -> Float32[np.ndarray, "h w"]:
    """How far each pixel of a region lies from its border, in pixels; the picture's edge is a border."""
    padded = np.pad(region, 1).astype(np.uint8)
    found: np.ndarray = cv2.distanceTransform(padded, cv2.DIST_L2, 0)[1:-1, 1:-1]
    return found


def next_click(
    truth: Bool[np.ndarray, "h w"],
    answer: Bool[np.ndarray, "h w"],
    known: Bool[np.ndarray, "h w"] | None = None,
    rng: np.random.Generator | None = None,
) -> Click | None:
    """A click in the deepest error of an answer, None where there is none: on its deepest pixel, as NoC is measured;
    with chance, somewhere in the inner part of it.

    An empty answer gives the first click. `known`: where the truth is known.
    """
    missed, extra = truth & ~answer, answer & ~truth
    if known is not None:
        missed, extra = missed & known, extra & known
    depths = {1: depth(missed), -1: depth(extra)}
    kind = 1 if depths[1].max(initial=0) >= depths[-1].max(initial=0) else -1
    if rng is not None and rng.random() < 0.15 and depths[-kind].any():
        kind = -kind
    deepest = depths[kind].max(initial=0)
    if deepest == 0:
        return None
    if rng is None or rng.random() < 0.5:
        y, x = np.unravel_index(int(depths[kind].argmax()), truth.shape)
    else:
        ys, xs = np.nonzero(depths[kind] >= rng.uniform(0.3, 0.95) * deepest)
        at = int(rng.integers(len(ys)))
        y, x = ys[at], xs[at]
    return float(x), float(y), kind


def loose_box(mask: Bool[np.ndarray, "h w"], rng: np.random.Generator) -> tuple[float, float, float, float]:
    """The edges of a box that somebody drew around a mask: left, top, right, bottom."""
    ys, xs = np.nonzero(mask)
    left, top, right, bottom = xs.min(), ys.min(), xs.max() + 1, ys.max() + 1
    spread = rng.uniform(0, 0.1)
    dx, dy = rng.normal(0.2 * spread, spread, 2) * (right - left), rng.normal(0.2 * spread, spread, 2) * (bottom - top)
    height, width = mask.shape
    left, right = np.clip([left - dx[0], right + dx[1]], 0, width)
    top, bottom = np.clip([top - dy[0], bottom + dy[1]], 0, height)
    return float(left), float(top), float(max(right, left + 2)), float(max(bottom, top + 2))


def spoil(mask: Bool[np.ndarray, "h w"], rng: np.random.Generator) -> Bool[np.ndarray, "h w"]:
    """A mask as it is after something went wrong: a part lost, something else taken in, shifted, too thick or thin."""
    height, width = mask.shape
    side = float(np.sqrt(mask.sum()))
    wrong = mask.copy()
    for _ in range(int(rng.integers(1, 4))):
        what = rng.random()
        if what < 0.35:
            wrong &= ~_blob(mask, side, rng)
        elif what < 0.65:
            wrong |= _blob(cv2.dilate(mask.astype(np.uint8), np.ones((9, 9), np.uint8)).astype(bool), side, rng)
        elif what < 0.8:
            dx, dy = rng.normal(0, 0.15 * side, 2)
            turned = cv2.getRotationMatrix2D(
                (width / 2, height / 2), rng.normal(0, 6), float(np.exp(rng.normal(0, 0.1)))
            )
            turned[:, 2] += dx, dy
            wrong = cv2.warpAffine(wrong.astype(np.uint8), turned, (width, height), flags=cv2.INTER_NEAREST).astype(
                bool
            )
        else:
            reach = max(1, int(rng.uniform(0.02, 0.12) * side))
            kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
            change = cv2.dilate if rng.random() < 0.5 else cv2.erode
            wrong = change(wrong.astype(np.uint8), kernel).astype(bool)
    return wrong


def _blob(around: Bool[np.ndarray, "h w"], side: float, rng: np.random.Generator) -> Bool[np.ndarray, "h w"]:
    """A rough blob, or all on one side of a line, near a point of a region."""
    height, width = around.shape
    ys, xs = np.nonzero(around)
    if not len(ys):
        return np.zeros_like(around)
    at = int(rng.integers(len(ys)))
    y, x = np.mgrid[:height, :width]
    dy, dx = (y - ys[at]) / side, (x - xs[at]) / side
    if rng.random() < 0.3:
        angle = rng.uniform(0, 2 * np.pi)
        half: np.ndarray = (dx * np.cos(angle) + dy * np.sin(angle) > 0) & (np.hypot(dx, dy) < rng.uniform(0.3, 1.5))
        return half
    angle, lobes = np.arctan2(dy, dx), rng.integers(2, 6)
    radius = rng.uniform(0.15, 0.7) * (1 + 0.3 * np.sin(lobes * angle + rng.uniform(0, 6)))
    blob: np.ndarray = np.hypot(dx * np.exp(rng.normal(0, 0.3)), dy) < radius
    return blob
