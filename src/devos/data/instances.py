"""From masks of all that moves to instances: connected parts, each followed by overlap from frame to frame."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

from devos.data.clips import VOID

_LEAST_AREA = 0.0015
"""Share of the frame that a part covers to be an instance; smaller ones are void."""
_LEAST_OVERLAP = 0.25
"""Of the smaller of two parts in neighbouring frames as much lies in the other if they are the same thing."""


def follow_instances(masks: Iterable[UInt8[np.ndarray, "h w"]]) -> Iterator[UInt8[np.ndarray, "h w"]]:
    """Label maps with an id for each thing, 1 to 254, given masks of all that moves (0 nothing, 255 void, else moving).

    Only what is there at first or comes in over the frame's border has an id. Where things meet or part, or one jumps
    further than its own size, it is not known whose pixels are whose: they are void from there on. So an id is never
    lost by a thing that can still be seen, nor given to another.
    """
    before: UInt8[np.ndarray, "h w"] | None = None
    fresh = 1
    for mask in masks:
        count, parts, stats, _ = cv2.connectedComponentsWithStats(((mask > 0) & (mask != VOID)).astype(np.uint8))
        labels = np.where(mask == VOID, VOID, 0).astype(np.uint8)
        olds = [_overlapping(parts == part, before) for part in range(count)]
        for part in range(1, count):
            here = parts == part
            labels[here] = VOID
            if stats[part, cv2.CC_STAT_AREA] < _LEAST_AREA * mask.size:
                continue
            if (
                len(olds[part]) == 1
                and olds[part] != [VOID]
                and sum(olds[part][0] in others for others in olds[1:]) == 1
            ):
                labels[here] = olds[part][0]
            elif not olds[part] and (before is None or _touches_border(here)):
                labels[here], fresh = fresh, fresh % (VOID - 1) + 1
        before = labels
        yield labels


def _touches_border(part: Bool[np.ndarray, "h w"]) -> bool:
    return bool(part[[0, 1, -2, -1]].any() or part[:, [0, 1, -2, -1]].any())


def _overlapping(part: Bool[np.ndarray, "h w"], before: UInt8[np.ndarray, "h w"] | None) -> list[int]:
    """The labels of the frame before, void too, that the part has much in common with."""
    if before is None:
        return []
    size = int(part.sum())
    found = []
    for old in np.unique(before[part]):
        shared, whole = int((before[part] == old).sum()), int((before == old).sum())
        if old and shared >= _LEAST_OVERLAP * (size if old == VOID else min(size, whole)):
            found.append(int(old))
    return found
