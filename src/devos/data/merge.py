"""Dynamic merge: the objects of a second clip are pasted, with their pixels, over a first one (AOT; supplement 2.1)."""

from __future__ import annotations

import numpy as np

from devos.data.clips import VOID, Footage, keep_objects

_LEAST_AREA = 0.0005
"""Share of the frame of which an object must still be seen at first; AOT asks for 100 pixels of 465 x 465."""


def merge(first: Footage, second: Footage, num_slots: int) -> Footage:
    """Both clips' objects on the first one's background, up to `num_slots` of them, the first one's before.

    The second's background and void are not pasted. An object of the first that is all but hidden in the first frame
    becomes background in all of them. Both clips must have the same size and length.
    """
    if first.images.shape != second.images.shape:
        raise ValueError(f"clips of {first.images.shape} and {second.images.shape} cannot be merged")
    own = min(first.num_objects, num_slots)
    room = num_slots - own
    over = (second.labels > 0) & (second.labels != VOID) & (second.labels <= room)
    images = np.where(over[..., None], second.images, first.images)
    kept = keep_objects(first.labels, list(range(1, own + 1)))
    labels = np.where(over, second.labels + np.uint8(own), kept)
    seen = np.bincount(labels[0].ravel(), minlength=256)
    least = _LEAST_AREA * labels[0].size
    # What is pasted is in front, so all of it is seen.
    chosen = [i for i in range(1, own + 1) if seen[i] >= least]
    chosen += range(own + 1, own + min(second.num_objects, room) + 1)
    return Footage(images, keep_objects(labels, chosen), f"{first.source} + {second.source}")
