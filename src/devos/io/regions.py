"""Where each object is on a label map: its area and its box."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import UInt16


class Region(NamedTuple):
    """One object on one frame; the box is in whole pixels, its last row and column included."""

    area: int
    x_min: int
    y_min: int
    x_max: int
    y_max: int

    @property
    def window(self) -> tuple[slice, slice]:
        """Rows and columns of the box."""
        return slice(self.y_min, self.y_max + 1), slice(self.x_min, self.x_max + 1)


def find_regions(labels: UInt16[np.ndarray, "h w"]) -> dict[int, Region]:
    """The region of each object that has a pixel, by rising id.

    From the runs of equal labels along the rows, which are few, so that many objects cost hardly more than one.
    """
    begins = np.ones(labels.shape, bool)
    np.not_equal(labels[:, 1:], labels[:, :-1], out=begins[:, 1:])
    starts = np.flatnonzero(begins)
    ids, lengths = labels.ravel()[starts], np.diff(starts, append=labels.size)
    order = np.argsort(ids, kind="stable")[np.count_nonzero(ids == 0) :]  # by id, then from the top; no background
    ids, lengths = ids[order], lengths[order]
    if not len(ids):
        return {}
    rows, columns = np.divmod(starts[order], labels.shape[1])
    first = np.flatnonzero(np.diff(ids, prepend=np.uint16(0)))
    last = np.append(first[1:], len(ids)) - 1
    boxes = zip(
        np.add.reduceat(lengths, first).tolist(),
        np.minimum.reduceat(columns, first).tolist(),
        rows[first].tolist(),
        np.maximum.reduceat(columns + lengths - 1, first).tolist(),
        rows[last].tolist(),
        strict=True,
    )
    return {object_id: Region(*box) for object_id, box in zip(ids[first].tolist(), boxes, strict=True)}
