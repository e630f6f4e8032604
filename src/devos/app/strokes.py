"""What a stroke makes of an object's mask: arithmetic only, so that the page sends strokes and never a picture."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Bool, UInt16

from devos.app.messages import Brush, Fill, Polygon

_SUB = 3
"""Bits below the pixel in which cv2 takes points."""


def drawn(mask: Bool[np.ndarray, "h w"], edit: Brush | Polygon | Fill) -> Bool[np.ndarray, "h w"]:
    """The mask after a stroke; the argument is not changed."""
    if isinstance(edit, Fill):
        return _filled(mask, edit)
    area = np.zeros(mask.shape, np.uint8)
    points = np.round(np.array(edit.points) * (1 << _SUB)).astype(np.int32)
    if isinstance(edit, Polygon):
        cv2.fillPoly(area, [points], 1, shift=_SUB)
    else:
        _stroke(area, points, edit.radius)
    inside = area.astype(bool)
    return np.where(inside, not edit.erase, mask)


def _stroke(area: np.ndarray, points: np.ndarray, radius: float) -> None:
    """Dots along the way, and what lies between."""
    for point in points:
        cv2.circle(area, point.tolist(), max(1, round(radius * (1 << _SUB))), 1, -1, shift=_SUB)
    if len(points) > 1:
        cv2.polylines(area, [points], False, 1, max(1, round(2 * radius)), shift=_SUB)


def _filled(mask: Bool[np.ndarray, "h w"], edit: Fill) -> Bool[np.ndarray, "h w"]:
    row, column = round(edit.y), round(edit.x)
    if not (0 <= row < mask.shape[0] and 0 <= column < mask.shape[1]):
        return mask
    wanted = mask if edit.erase else ~mask
    if not wanted[row, column]:
        return mask
    _, pieces = cv2.connectedComponents(wanted.astype(np.uint8), connectivity=4)
    return np.where(pieces == pieces[row, column], not edit.erase, mask)


def to_runs(labels: UInt16[np.ndarray, "h w"]) -> list[int]:
    """Label, length, label, length, ... along the rows."""
    flat = labels.ravel()
    starts = np.flatnonzero(np.diff(flat, prepend=flat[:1])) if flat.size else np.zeros(0, int)
    starts = np.concatenate([[0], starts])
    lengths = np.diff(starts, append=flat.size)
    runs: list[int] = np.stack([flat[starts].astype(np.int64), lengths], axis=1).ravel().tolist()
    return runs
