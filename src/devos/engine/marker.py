"""Mark an object on one picture by clicks, a box, and the mask so far.

`ClickModel` is the small interface behind which a network, or anything else, answers; `Marker` asks it and keeps what a
person was promised: where somebody clicked, the mask is what they said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

import cv2
import numpy as np
from jaxtyping import Bool, Float32, UInt8

from devos.errors import OptionError
from devos.frames import FrameSize

_Number = float | int
SURE = 0.5
"""A pixel is the object's from this probability on."""
_KNOWN = 0.3
"""Share of a part of an answer that must have been taken for the object before, to be kept without a click on it."""
_NEAR = 0.1
"""Radius of what a click that contradicts nothing may change, as a share of the picture's short side."""
_DOT = 0.008
"""Radius of what a click settles where the answer disagrees with it, as a share of the picture's short side."""


class Click(NamedTuple):
    """A point of a picture, in pixels, and whether the object is there."""

    x: float
    y: float
    is_object: bool = True


class Box(NamedTuple):
    """Edges around an object, in pixels; right and bottom are the first column and row beyond it."""

    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True)
class Look:
    """A picture as a model has seen it: made once, asked about as often as one likes. A value, to keep or to drop."""

    rgb: UInt8[np.ndarray, "h w 3"]
    seen: Any = None
    """What the model knows of the picture before anybody says anything; its own business."""

    @property
    def size(self) -> FrameSize:
        """Of the picture."""
        return FrameSize(*self.rgb.shape[:2])


@dataclass(frozen=True)
class Marked:
    """An answer."""

    mask: Bool[np.ndarray, "h w"]
    """Of the picture's size; every clicked pixel is as it was said."""
    probability: Float32[np.ndarray, "h w"]
    """In [0, 1], as the model gave it; at least 0.5 where `mask` is true, but for what clicks or an earlier mask
    settled."""
    confidence: float
    """Mean probability of the mask's pixels, in [0, 1]; 0 where it is empty."""


@runtime_checkable
class ClickModel(Protocol):
    """What answers clicks. It holds no picture and no answer: all that it needs is handed to it."""

    @property
    def name(self) -> str:
        """For people."""
        ...

    def look(self, rgb: UInt8[np.ndarray, "h w 3"]) -> Look:
        """Do once what does not depend on what is said."""
        ...

    def answer(self, look: Look, clicks: Sequence[Click], box: Box | None,
               mask: Bool[np.ndarray, "h w"] | None) -> Float32[np.ndarray, "h w"]:  # fmt: skip
        """The object's probability at each pixel. `mask`: what was taken for the object so far."""
        ...


@dataclass(frozen=True)
class Marker:
    """Marks objects. One for any number of pictures; several threads may ask at once.

    >>> import devos
    >>> marker = devos.load_marker("grabcut")
    >>> look = marker.look(frame.rgb)
    >>> first = marker.mark(look, [(410, 220, True)])
    >>> better = marker.mark(look, [(410, 220, True), (100, 40, False)], mask=first.mask)
    """

    model: ClickModel

    def look(self, rgb: UInt8[np.ndarray, "h w 3"]) -> Look:
        """See a picture, once: the slower half of the first click."""
        return self.model.look(rgb)

    def mark(
        self,
        look: Look,
        clicks: Sequence[tuple[_Number, _Number, bool]] = (),
        box: tuple[_Number, _Number, _Number, _Number] | None = None,
        mask: Bool[np.ndarray, "h w"] | None = None,
    ) -> Marked:
        """The mask of what was clicked.

        `clicks`: (x, y, whether the object is there), in the order in which they were made, all of them each time; the
        last one is what is new. `box`: left, top, right, bottom, the last two beyond the object. `mask`: the mask so
        far, be it the answer to the clicks before this one, painted, or followed from another frame; an empty one is
        none. OptionError for a point beyond the picture, or where nothing is said.
        """
        said = [_checked_click(click, look.size) for click in clicks]
        around = None if box is None else _checked_box(box, look.size)
        if not said and around is None:
            raise OptionError("nothing says what the object is; give a click on it, or a box around it")
        if mask is not None and mask.shape != tuple(look.size):
            raise OptionError(f"the mask so far is {FrameSize(*mask.shape)}, but the picture is {look.size}; "
                              "give a mask of the picture's size")  # fmt: skip
        before = mask if mask is not None and mask.any() else None
        probability = self.model.answer(look, said, around, before)
        answer = probability >= SURE
        if around is None:
            answer = asked_for(answer, said, before)
        if before is not None and said:
            answer = gentle(answer, before, said)
        answer = obey(answer, said)
        confidence = float(probability[answer].mean()) if answer.any() else 0.0
        return Marked(answer, probability, confidence)


def asked_for(answer: Bool[np.ndarray, "h w"], clicks: Sequence[Click],
              before: Bool[np.ndarray, "h w"] | None) -> Bool[np.ndarray, "h w"]:  # fmt: skip
    """Those connected parts of an answer that hold a click on the object, or were taken for it before; all, if none is.

    What looks like the object but lies apart from it is mostly another one of its kind.
    """
    left, top, width, height = cv2.boundingRect(answer.view(np.uint8))
    if not width:  # OpenCV does not survive a picture without pixels
        return answer
    inside = slice(top, top + height), slice(left, left + width)
    num_parts, parts = cv2.connectedComponents(answer[inside].view(np.uint8), connectivity=8)
    if num_parts <= 2:  # with the background; the usual case, and the quick one
        return answer
    kept = np.zeros(num_parts, bool)
    for click in clicks:
        row, column = _pixel(click)
        if click.is_object and 0 <= row - top < height and 0 <= column - left < width:
            kept[parts[row - top, column - left]] = True
    if before is not None:
        areas = np.bincount(parts.ravel(), minlength=num_parts)
        kept |= np.bincount(parts[before[inside]], minlength=num_parts) > _KNOWN * areas
    kept[0] = False
    if not kept.any():
        return answer
    found = np.zeros_like(answer)
    found[inside] = kept[parts]
    return found


def gentle(answer: Bool[np.ndarray, "h w"], before: Bool[np.ndarray, "h w"],
           clicks: Sequence[Click]) -> Bool[np.ndarray, "h w"]:  # fmt: skip
    """The mask before, changed only in those connected parts that a click asked for; as it was, if it agrees with more
    of the clicks than the answer does.

    A click is made where something is wrong, and says nothing of what lies elsewhere. Where the clicks ask for no
    change, what changes around the last one is taken.
    """
    wrong = [sum(_at(mask, click) != click.is_object for click in clicks) for mask in (answer, before)]
    if wrong[1] < wrong[0]:
        return before
    changed = answer ^ before
    left, top, width, height = cv2.boundingRect(changed.view(np.uint8))
    inside = slice(top, top + height), slice(left, left + width)
    parts = np.zeros(answer.shape, np.int32)
    if width:
        cv2.connectedComponents(changed[inside].view(np.uint8), parts[inside], connectivity=8)
    asked = {int(parts[_pixel(click)]) for click in clicks if _at(answer, click) == click.is_object} - {0}
    if not asked:
        around = np.zeros(answer.shape, np.uint8)
        row, column = _pixel(clicks[-1])
        cv2.circle(around, (column, row), max(1, round(_NEAR * min(answer.shape))), 1, -1)
        asked = {int(part) for part in np.unique(parts[around > 0])} - {0}
    found = before.copy()
    found[inside] ^= np.isin(parts[inside], list(asked))
    return found


def obey(answer: Bool[np.ndarray, "h w"], clicks: Sequence[Click]) -> Bool[np.ndarray, "h w"]:
    """The answer with a dot of what was said at each click that it contradicts; the later click wins."""
    height, width = answer.shape
    drawn: np.ndarray = answer.astype(np.uint8)
    for click in clicks:
        if bool(drawn[_pixel(click)]) != click.is_object:
            others = [np.hypot(click.x - c.x, click.y - c.y) for c in clicks if c.is_object != click.is_object]
            radius = min([max(1.0, _DOT * min(height, width)), *(0.5 * d for d in others)])
            row, column = _pixel(click)
            cv2.circle(drawn, (column, row), int(radius), int(click.is_object), -1)
            drawn[row, column] = click.is_object
    for click in clicks:
        drawn[_pixel(click)] = click.is_object
    return drawn.astype(bool)


def _pixel(click: Click) -> tuple[int, int]:
    """Row and column."""
    return round(click.y), round(click.x)


def _at(mask: Bool[np.ndarray, "h w"], click: Click) -> bool:
    return bool(mask[_pixel(click)])


def _checked_click(click: tuple[_Number, _Number, bool], size: FrameSize) -> Click:
    x, y, is_object = click
    if not (0 <= round(x) < size.width and 0 <= round(y) < size.height):
        raise OptionError(f"the click {x:g},{y:g} lies beyond the picture, which is {size}: x is 0 to "
                          f"{size.width - 1}, y is 0 to {size.height - 1}")  # fmt: skip
    return Click(float(x), float(y), bool(is_object))


def _checked_box(box: tuple[_Number, _Number, _Number, _Number], size: FrameSize) -> Box:
    left, top, right, bottom = box
    inside = Box(max(0.0, left), max(0.0, top), min(float(size.width), right), min(float(size.height), bottom))
    if not (inside.right - inside.left >= 1 and inside.bottom - inside.top >= 1):
        raise OptionError(f"the box {left:g},{top:g},{right:g},{bottom:g} holds no pixel of the picture, which is "
                          f"{size}; give left,top,right,bottom")  # fmt: skip
    return inside
