"""What leads a tracker astray, added to a clip: look-alikes that nobody follows, and cuts to another scene.

A lure is the clip's own object once more, seen at another time: it comes in late from the side, steps out from behind,
crosses before or behind, or goes along. It is background, and hides what it covers. None of this is in the paper.
"""

from __future__ import annotations

from enum import Enum

import cv2
import numpy as np
from jaxtyping import Bool, Float64, UInt8

from devos.data.clips import VOID, Footage
from devos.data.merge import is_whole, tint

_MOST_HIDDEN = 0.5
"""Share of the first frame's objects that a lure hides at most."""


class Way(Enum):
    """How a lure comes."""

    LATE = "comes in from outside, some frames after the first"
    PARTS = "hidden behind the object at first, then steps out"
    CROSSES = "from one side of the object to the other"
    TWIN = "goes along at the object's side"
    STAYS = "stands somewhere, whatever the object does"


_WAYS = tuple(Way)
_ODDS = (0.3, 0.2, 0.2, 0.2, 0.1)


def add_lure(footage: Footage, again: Footage, rng: np.random.Generator, way: Way | None = None) -> Footage:
    """The clip with an object of `again`, a clip of the same size and length, as a look-alike that is not followed.

    The object is one that `again` shows whole; without one the clip comes back as it is.
    """
    way = way or _WAYS[int(rng.choice(len(_WAYS), p=_ODDS))]
    whole = [i for i in range(1, again.num_objects + 1) if is_whole(again.labels == i)]
    if not whole or not footage.num_objects:
        return footage
    mine = footage.labels == int(rng.integers(1, footage.num_objects + 1))
    chosen = again.labels == int(rng.choice(whole))
    scale = float(np.clip(np.sqrt(mine[0].sum() / chosen[0].sum()), 0.4, 2.5) * np.exp(rng.normal(0, 0.2)))
    images, masks = _placed(again, chosen, _path(mine, way, rng), scale, rng)
    first = (footage.labels[0] > 0) & (footage.labels[0] != VOID)
    behind = way is Way.PARTS or bool(rng.random() < 0.4)
    hidden = float((masks[0] & first).sum()) / max(1.0, float(first.sum()))
    if behind or hidden > _MOST_HIDDEN:
        masks &= footage.labels == 0
    labels = np.where(masks, 0, footage.labels).astype(np.uint8)
    return Footage(np.where(masks[..., None], images, footage.images), labels,
                   f"{footage.source} ({way.name.lower()} lure)")  # fmt: skip


def cut_away(footage: Footage, other: Footage, rng: np.random.Generator) -> Footage:
    """The clip with a hard cut to another one of its size and length, where nothing is followed, and often back."""
    length = len(footage.labels)
    start = int(rng.integers(2, max(3, length - 1)))
    stop = length if rng.random() < 0.4 else int(rng.integers(start + 1, length + 1))
    images, labels = footage.images.copy(), footage.labels.copy()
    images[start:stop] = other.images[start:stop]
    labels[start:stop] = 0
    return Footage(images, labels, f"{footage.source} (cut to {other.source})")


def _path(mine: Bool[np.ndarray, "t h w"], way: Way, rng: np.random.Generator) -> Float64[np.ndarray, "t 2"]:
    """Where the lure's centre is on each frame, (x, y) in pixels; outside of the frame where it is not there."""
    path: Float64[np.ndarray, "t 2"]
    length, size = mine.shape[:2]
    centres = _centres(mine)
    reach = max(0.15 * size, 1.1 * float(np.sqrt(mine[0].mean())) * size)
    angle = rng.choice((0.0, np.pi)) + rng.normal(0, 0.5)
    side = np.array([np.cos(angle), np.sin(angle)]) * reach * rng.uniform(0.5, 1.3)
    time = np.linspace(0, 1, length)[:, None]
    if way is Way.TWIN:
        path = centres + side + np.cumsum(rng.normal(0, 0.01 * size, (length, 2)), 0)
    elif way is Way.STAYS:
        path = np.repeat((centres[:1] + side * 1.5), length, 0) + rng.normal(0, 0.004 * size, (length, 2))
    elif way is Way.CROSSES:
        path = centres + side * (2 * time - 1) * rng.uniform(0.9, 1.4)
    elif way is Way.PARTS:
        path = centres + side * np.clip(time * rng.uniform(1.2, 2.0) - rng.uniform(0, 0.4), 0, None)
    else:
        path = _from_outside(centres[-1] + side * rng.uniform(0.3, 1.3), bool(side[0] < 0), length, size, rng)
    return path


def _from_outside(
    goal: Float64[np.ndarray, " 2"], from_left: bool, length: int, size: int, rng: np.random.Generator
) -> Float64[np.ndarray, "t 2"]:
    """Comes over the border after the first frame, and far out of the frame before that."""
    enter = int(rng.integers(1, max(2, length - 1)))
    outside = np.array([-0.2 if from_left else 1.2, rng.uniform(0.2, 0.8)]) * size
    share = np.clip((np.arange(length) - enter + 1) / max(1, length - enter), 0, 1)[:, None]
    path: Float64[np.ndarray, "t 2"] = outside + (goal - outside) * share**0.7 + np.where(share > 0, 0, 10.0 * size)
    return path


def _placed(
    again: Footage, masks: Bool[np.ndarray, "t h w"], path: Float64[np.ndarray, "t 2"], scale: float,
    rng: np.random.Generator,
) -> tuple[UInt8[np.ndarray, "t h w 3"], Bool[np.ndarray, "t h w"]]:  # fmt: skip
    """The object's pixels with its centre on the path, resized; mirrored and tinted by chance."""
    size = again.labels.shape[1]
    linear = np.diag([scale * rng.choice((-1.0, 1.0)), scale])
    table = tint(rng)
    images, out = np.empty_like(again.images), np.zeros_like(masks)
    for t, (centre, goal) in enumerate(zip(_centres(masks), path, strict=True)):
        matrix = np.concatenate([linear, (goal - linear @ centre)[:, None]], 1)
        images[t] = cv2.warpAffine(cv2.LUT(again.images[t], table), matrix, (size, size), flags=cv2.INTER_LINEAR)
        out[t] = cv2.warpAffine(masks[t].astype(np.uint8), matrix, (size, size), flags=cv2.INTER_NEAREST) > 0
    return images, out


def _centres(masks: Bool[np.ndarray, "t h w"]) -> Float64[np.ndarray, "t 2"]:
    """The mean (x, y) of each mask; the last one known where it is empty, the frame's middle where none is."""
    last = np.full(2, masks.shape[-1] / 2)
    centres = []
    for mask in masks:
        y, x = np.nonzero(mask)
        last = np.array([x.mean(), y.mean()]) if len(x) else last
        centres.append(last)
    return np.stack(centres)
