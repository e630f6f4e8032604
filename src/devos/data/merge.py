"""Dynamic merge: the objects of a second clip are pasted, with their pixels, over a first one (AOT; supplement 2.1);
and look-alikes, our own: a clip of the same video is merged in at another place, mirrored or in other colours.
"""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Bool, Float64

from devos.data.clips import VOID, Footage, keep_objects

_LEAST_AREA = 0.0005
"""Share of the frame of which an object must still be seen at first; AOT asks for 100 pixels of 465 x 465."""
_MOST_CUT = 0.2
"""Of an object as much lies on the border, as a share of the frame's side, before it counts as cut."""
_TRIES = 8
"""Places that are tried for a look-alike."""


def merge(first: Footage, second: Footage, num_slots: int, *, behind: bool = False) -> Footage:
    """Both clips' objects on the first one's background, up to `num_slots` of them, the first one's before.

    The second's background and void are not pasted. With `behind` its objects are, only where the first has neither
    object nor void. An object that is all but hidden in the first frame becomes background in all of them. Both clips
    must have the same size and length.
    """
    if first.images.shape != second.images.shape:
        raise ValueError(f"clips of {first.images.shape} and {second.images.shape} cannot be merged")
    own = min(first.num_objects, num_slots)
    room = num_slots - own
    over = (second.labels > 0) & (second.labels != VOID) & (second.labels <= room)
    if behind:
        over &= first.labels == 0
    images = np.where(over[..., None], second.images, first.images)
    kept = keep_objects(first.labels, list(range(1, own + 1)))
    labels = np.where(over, second.labels + np.uint8(own), kept)
    seen = np.bincount(labels[0].ravel(), minlength=256)
    least = _LEAST_AREA * labels[0].size
    pasted = range(own + 1, own + min(second.num_objects, room) + 1)
    chosen = [i for i in range(1, own + 1) if seen[i] >= least]
    # What is pasted in front is all seen, however small.
    chosen += [i for i in pasted if seen[i] >= (least if behind else 1)]
    return Footage(images, keep_objects(labels, chosen), f"{first.source} + {second.source}")


def merge_look_alike(first: Footage, again: Footage, num_slots: int, rng: np.random.Generator) -> Footage:
    """The objects of another clip of the same video as look-alikes, followed as objects of their own.

    They are put beside the first one's, or over or behind a part of them, and drift across; often mirrored, somewhat
    larger or smaller, and lighter, darker or tinted, sometimes exactly alike. Objects that the second clip's border
    cuts are left out, so that no straight edges are seen; the first clip comes back if that leaves none.
    """
    size, length = first.labels.shape[1], len(first.labels)
    taken = (first.labels[0] > 0) & (first.labels[0] != VOID)
    wished = rng.uniform(0, 0.35)
    tried = [_placement(size, rng) for _ in range(_TRIES)]
    best = min(tried, key=lambda matrix: abs(_hidden(taken, again.labels[0], matrix) - wished))
    drift = rng.normal(0, 0.02 * size, 2)
    images, labels = np.empty_like(again.images), np.empty_like(again.labels)
    table = tint(rng)
    for t in range(length):
        moved = best + np.array([[0, 0, drift[0] * t], [0, 0, drift[1] * t]])
        coloured = cv2.LUT(again.images[t], table)
        images[t] = cv2.warpAffine(coloured, moved, (size, size), flags=cv2.INTER_LINEAR)
        labels[t] = cv2.warpAffine(again.labels[t], moved, (size, size), flags=cv2.INTER_NEAREST)
    objects = [i for i in range(1, again.num_objects + 1) if is_whole(again.labels == i)]
    seen = [i for i in objects if np.count_nonzero(labels[0] == i) >= _LEAST_AREA * size * size]
    if not seen:
        return first
    copy = Footage(images, keep_objects(labels, seen), again.source)
    return merge(first, copy, num_slots, behind=bool(rng.random() < 0.5))


def is_whole(mask: Bool[np.ndarray, "t h w"]) -> bool:
    """Whether hardly any of it lies on the border, at first and in most frames."""
    edges = [mask[:, 0], mask[:, -1], mask[:, :, 0], mask[:, :, -1]]
    cut = np.sum([edge.sum(1) for edge in edges], 0) > _MOST_CUT * mask.shape[1]
    return not cut[0] and bool(cut.mean() < 0.7)


def _placement(size: int, rng: np.random.Generator) -> Float64[np.ndarray, "2 3"]:
    """Where the points of a clip go."""
    scale = np.exp(rng.normal(0, 0.12)) * rng.uniform(0.75, 1.1)
    mirror = -1.0 if rng.random() < 0.5 else 1.0
    linear = np.diag([mirror * scale, scale])
    middle = np.full(2, (size - 1) / 2)
    shift = rng.uniform(-0.5, 0.5, 2) * size * np.array([1.0, 0.5])
    return np.concatenate([linear, (middle - linear @ middle + shift)[:, None]], 1)


def _hidden(taken: np.ndarray, labels: np.ndarray, matrix: np.ndarray) -> float:
    """The share of the smaller of the two regions that both cover; 1 if the moved one is not seen at all."""
    moved = cv2.warpAffine(labels, matrix, labels.shape[::-1], flags=cv2.INTER_NEAREST)
    there = (moved > 0) & (moved != VOID)
    smaller = min(np.count_nonzero(taken), np.count_nonzero(there))
    return np.count_nonzero(taken & there) / smaller if smaller else 1.0


def tint(rng: np.random.Generator) -> np.ndarray:
    """A table of levels for each channel; four times in ten nothing changes."""
    levels = np.arange(256)[:, None] * np.ones(3)
    if rng.random() < 0.6:
        levels = levels * np.exp(rng.normal(0, 0.12) + rng.normal(0, 0.06, 3)) + rng.normal(0, 8)
    table: np.ndarray = np.clip(levels, 0, 255).astype(np.uint8)[:, None, :]
    return np.ascontiguousarray(table)
