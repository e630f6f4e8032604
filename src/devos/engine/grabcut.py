"""Clicks answered without weights: GrabCut (Rother et al. 2004) of OpenCV, which tells colours apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float32, Int64, UInt8

from devos.engine.marker import Box, Click, Look
from devos.engine.part import Part, around

_ROOM, _LONG_SIDE, _ROUNDS = 2.0, 320, 2
"""Of the part that is looked at: room around what was said, and its longer side in pixels; and rounds of fitting. The
rest of the picture is background, and has colours of its own that would only mislead."""
_SURE_PX, _PERHAPS = 3, 0.2
"""Around a click: what is taken for sure, in pixels as seen, and what to begin with, as a share of the short side."""
_LEAST = 0.1
"""Share of what it began with below which an answer has collapsed: then the beginning stands."""
_LEAST_SIDE = 32.0
"""Of the part that is looked at, in the picture's pixels."""


@dataclass(frozen=True)
class GrabCut:
    """A `ClickModel` that needs no network."""

    name: str = "grabcut"

    def look(self, rgb: UInt8[np.ndarray, "h w 3"]) -> Look:
        """Nothing is known before something is said."""
        return Look(rgb)

    def answer(self, look: Look, clicks: Sequence[Click], box: Box | None,
               mask: Bool[np.ndarray, "h w"] | None) -> Float32[np.ndarray, "h w"]:  # fmt: skip
        """1 on the object and 0 elsewhere, soft at the edges where the picture was shrunk."""
        disc = _PERHAPS * min(look.size)
        part = around(
            look.size, mask, clicks, box, room=_ROOM, least=4 * disc if mask is None and box is None else _LEAST_SIDE
        )
        answer = np.zeros(look.size, np.float32)
        if part is None:
            return answer
        scale = min(2.0, _LONG_SIDE / max(part.size))
        size = max(2, round(part.size.width * scale)), max(2, round(part.size.height * scale))
        rgb = cv2.resize(part.of(look.rgb), size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        start = _start(part, size, clicks, box, mask, disc)
        found = _cut(rgb, start)
        part.of(answer)[:] = cv2.resize(found.astype(np.float32), part.size[::-1], interpolation=cv2.INTER_LINEAR)
        return answer


def _cut(rgb: UInt8[np.ndarray, "h w 3"], start: UInt8[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    begun = _is_object(start)
    if begun.all() or not begun.any():
        return begun
    cv2.setRNGSeed(0)
    kinds = start.copy()
    cv2.grabCut(rgb, kinds, None, np.zeros((1, 65)), np.zeros((1, 65)), _ROUNDS, cv2.GC_INIT_WITH_MASK)
    found = _is_object(kinds)
    return begun if np.count_nonzero(found) < _LEAST * np.count_nonzero(begun) else found


def _is_object(kinds: UInt8[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    found: np.ndarray = (kinds == cv2.GC_FGD) | (kinds == cv2.GC_PR_FGD)
    return found


def _start(part: Part, size: tuple[int, int], clicks: Sequence[Click], box: Box | None,
           mask: Bool[np.ndarray, "h w"] | None, disc: float) -> UInt8[np.ndarray, "h2 w2"]:  # fmt: skip
    """What GrabCut is told of a part: background and object, for sure or perhaps. `disc`: radius, in the picture's
    pixels, of what a click is taken for where nothing else is said.
    """
    start = np.full(size[::-1], cv2.GC_PR_BGD, np.uint8)
    scale = np.array(size) / part.size[::-1]
    if mask is not None:
        start[cv2.resize(part.of(mask).astype(np.float32), size, interpolation=cv2.INTER_AREA) >= 0.5] = cv2.GC_PR_FGD
    elif box is not None:
        edges = ((np.array(box).reshape(2, 2) - part[:2]) * scale).round().astype(int)
        (left, top), (right, bottom) = edges.tolist()
        start[:] = cv2.GC_BGD
        start[top : max(bottom, top + 1), left : max(right, left + 1)] = cv2.GC_PR_FGD
    else:
        for point in _points([click for click in clicks if click.is_object], part, size):
            cv2.circle(start, point.tolist(), max(_SURE_PX, round(disc * scale.min())), cv2.GC_PR_FGD, -1)
    for click, point in zip(clicks, _points(clicks, part, size), strict=True):
        cv2.circle(start, point.tolist(), _SURE_PX, cv2.GC_FGD if click.is_object else cv2.GC_BGD, -1)
    return start


def _points(clicks: Sequence[Click], part: Part, size: tuple[int, int]) -> Int64[np.ndarray, "clicks 2"]:
    """Columns and rows of clicks in a part that is seen at `size` (width, height); maybe beyond it."""
    at = np.array([(click.x, click.y) for click in clicks]).reshape(-1, 2)
    found: np.ndarray = np.floor((at - part[:2] + 0.5) * np.array(size) / part.size[::-1])
    return found.astype(np.int64)
