"""Masks as polygons along the edges of their pixels, and polygons as masks: to the pixel, both ways."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Bool, Float

from devos.frames import FrameSize

_RIGHT, _DOWN, _LEFT, _UP = (1, 0), (0, 1), (-1, 0), (0, -1)


def fill(polygons: Sequence[Sequence[float | int]], size: FrameSize) -> Bool[np.ndarray, "h w"]:
    """The pixels whose centres (x + 0.5, y + 0.5) lie inside any of the polygons (x, y, x, y, ...; even-odd within
    one). Pixel corners are at whole numbers, as COCO, CVAT and Label Studio have them.
    """
    inside = np.zeros(size, bool)
    for polygon in polygons:
        inside |= _fill_one(np.asarray(polygon, np.float64).reshape(-1, 2), size)
    return inside


def _fill_one(points: Float[np.ndarray, "points 2"], size: FrameSize) -> Bool[np.ndarray, "h w"]:
    flips = np.zeros((size.height, size.width + 1), np.int64)
    for (x0, y0), (x1, y1) in zip(points, np.roll(points, -1, axis=0), strict=True):
        if y0 == y1:
            continue
        if y0 > y1:  # there and back on one way are to the bit the same
            x0, y0, x1, y1 = x1, y1, x0, y0
        first, last = max(0, int(np.ceil(y0 - 0.5))), min(size.height, int(np.ceil(y1 - 0.5)))
        rows = np.arange(first, last)
        x = x0 + (rows + 0.5 - y0) * (x1 - x0) / (y1 - y0)
        np.add.at(flips, (rows, np.clip(np.ceil(x - 0.5), 0, size.width).astype(np.int64)), 1)
    inside: np.ndarray = np.cumsum(flips, axis=1)[:, :-1] % 2 == 1
    return inside


def outlines(inside: Bool[np.ndarray, "h w"], x: int = 0, y: int = 0) -> list[list[int]]:
    """A polygon (x, y, x, y, ...) along pixel edges for each part of a mask; a hole is reached by a cut of no width.
    `x`, `y`: where the mask's corner lies.
    """
    num_parts, parts = cv2.connectedComponents(inside.astype(np.uint8), connectivity=4)
    polygons = []
    for part in range(1, num_parts):
        rows, columns = np.flatnonzero((parts == part).any(1)), np.flatnonzero((parts == part).any(0))
        top, left = int(rows[0]), int(columns[0])
        own = parts[top : rows[-1] + 1, left : columns[-1] + 1] == part
        loops = _loops(own)
        polygon = _joined(loops)
        polygons.append([value for px, py in polygon for value in (px + left + x, py + top + y)])
    return polygons


def _loops(inside: Bool[np.ndarray, "h w"]) -> list[list[tuple[int, int]]]:
    """Closed walks along pixel edges, the object on the right; the outer one first."""
    padded = np.pad(inside, 1)
    steps: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for (dx, dy), shift in ((_RIGHT, (-1, 0)), (_LEFT, (1, 0)), (_DOWN, (0, 1)), (_UP, (0, -1))):
        beside = np.roll(padded, (-shift[0], -shift[1]), (0, 1))
        for row, column in np.argwhere(padded & ~beside).tolist():
            row, column = row - 1, column - 1
            start = {_RIGHT: (column, row), _LEFT: (column + 1, row + 1), _DOWN: (column + 1, row),
                     _UP: (column, row + 1)}[dx, dy]  # fmt: skip
            steps.setdefault(start, []).append((dx, dy))
    loops = []
    while steps:
        start = min(steps, key=lambda point: (point[1], point[0]))
        loops.append(_walk(steps, start))
    return loops


def _walk(steps: dict[tuple[int, int], list[tuple[int, int]]], start: tuple[int, int]) -> list[tuple[int, int]]:
    corners: list[tuple[int, int]] = []
    point, heading = start, (0, 0)
    while True:
        ways = steps[point]
        # where two parts of the object touch at a corner: turn right, so that they stay apart
        right = (-heading[1], heading[0])
        way = right if right in ways else ways[0]
        ways.remove(way)
        if not ways:
            del steps[point]
        if way != heading:
            corners.append(point)
        point, heading = (point[0] + way[0], point[1] + way[1]), way
        if point == start:
            return corners


def _joined(loops: list[list[tuple[int, int]]]) -> list[tuple[int, int]]:
    """One walk through all loops: to a hole and back on the same way, which encloses nothing."""
    outer = list(loops[0])
    home = outer[0]
    for hole in loops[1:]:
        outer += [home, *hole, hole[0]]
    return [*outer, home] if len(loops) > 1 else outer
