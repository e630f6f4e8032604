"""One frame as four small pictures: what was filmed, what is true, what was predicted, and where the two differ.

Where the objects are small, the last three show only the part of the frame that they are on, enlarged, and the first
has a frame drawn around that part.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Collection
from dataclasses import dataclass
from enum import IntEnum

import cv2
import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image

from devos.data.catalog import Labels
from devos.frames import Frame, MaskFrame
from devos.io.drawing import draw_overlay

WIDTH_PX = 360
"""How wide every picture is made: enough for four side by side on a screen, and little to store."""

_QUALITY = 45
_PLAIN = (64, 68, 74)
"""RGB of the ground where there is no picture."""
_ENLARGE_BELOW = 0.7
"""A part of the frame is enlarged if its sides are below this share of the frame's."""
_LEAST_PART = 0.3
_MARGIN = 0.2
_STRIPE_PX = 5

Picture = UInt8[np.ndarray, "h w 3"]


class Outcome(IntEnum):
    """What became of one pixel."""

    GROUND = 0
    """Rightly no object."""
    RIGHT = 1
    """The right object."""
    MISSED = 2
    """An object was taken for background."""
    FALSE = 3
    """Background was taken for an object."""
    CONFUSED = 4
    """An object was taken for another one."""


OUTCOME_COLOURS = {
    Outcome.RIGHT: (232, 236, 238),
    Outcome.MISSED: (240, 150, 0),
    Outcome.FALSE: (40, 125, 240),
    Outcome.CONFUSED: (225, 70, 165),
}
"""RGB on the error picture. Apart for the colour-blind too; false is striped besides, and confused chequered."""


@dataclass(frozen=True)
class Panel:
    """One picture of a page."""

    title: str
    data_uri: str
    """The picture itself, `data:image/webp;base64,...`."""
    width: int
    height: int


@dataclass(frozen=True)
class Tally:
    """Pixels of one frame by what became of them."""

    right: int
    missed: int
    false: int
    confused: int

    @property
    def true(self) -> int:
        """How many pixels truly are an object's."""
        return self.right + self.missed + self.confused


def outcomes(truth: Labels, predicted: Labels, object_ids: Collection[int]) -> UInt8[np.ndarray, "h w"]:
    """An `Outcome` for each pixel; ids that are not among `object_ids` are background on both maps."""
    ids = np.array(sorted(object_ids), np.uint16)
    truth, predicted = (np.where(np.isin(labels, ids), labels, 0) for labels in (truth, predicted))
    result = np.full(truth.shape, Outcome.GROUND, np.uint8)
    result[(truth > 0) & (predicted == truth)] = Outcome.RIGHT
    result[(truth > 0) & (predicted == 0)] = Outcome.MISSED
    result[(truth == 0) & (predicted > 0)] = Outcome.FALSE
    result[(truth > 0) & (predicted > 0) & (predicted != truth)] = Outcome.CONFUSED
    return result


def tally(found: UInt8[np.ndarray, "h w"]) -> Tally:
    """How many pixels had each outcome."""
    counts = np.bincount(found.ravel(), minlength=len(Outcome)).tolist()
    return Tally(*(counts[kind] for kind in (Outcome.RIGHT, Outcome.MISSED, Outcome.FALSE, Outcome.CONFUSED)))


def draw_panels(
    picture: Picture | None, truth: Labels, predicted: Labels | None, found: UInt8[np.ndarray, "h w"] | None
) -> list[Panel]:
    """Picture, truth, prediction and errors, as far as they are known; `found` is what `outcomes` gave."""
    marked = truth > 0 if predicted is None else (truth > 0) | (predicted > 0)
    part = part_to_show(marked)
    panels = []
    if picture is not None:
        whole = _fit(picture)
        _draw_frame(whole, part, whole.shape[1] / truth.shape[1])
        panels.append(_panel("Picture", whole))
    ground = np.full((*truth.shape, 3), _PLAIN, np.uint8) if picture is None else picture
    ground = _fit(np.ascontiguousarray(ground[part.window]))
    enlarged = " (enlarged)" if part.is_smaller else ""
    panels.append(_panel(f"Truth{enlarged}", _overlay(ground, truth[part.window])))
    if predicted is not None:
        panels.append(_panel(f"Prediction{enlarged}", _overlay(ground, predicted[part.window])))
    if found is not None:
        panels.append(_panel(f"Errors{enlarged}", _draw_errors(ground, found[part.window])))
    return panels


@dataclass(frozen=True)
class Part:
    """A part of a frame, in pixels."""

    left: int
    top: int
    width: int
    height: int
    is_smaller: bool
    """Than the frame."""

    @property
    def window(self) -> tuple[slice, slice]:
        """Its rows and its columns."""
        return slice(self.top, self.top + self.height), slice(self.left, self.left + self.width)


def part_to_show(marked: Bool[np.ndarray, "h w"]) -> Part:
    """The part of the frame that holds all that is marked, with some margin and of the frame's own shape."""
    height, width = marked.shape
    left, top, columns, rows = cv2.boundingRect(marked.view(np.uint8))
    share = max(_LEAST_PART, (1 + _MARGIN) * columns / width, (1 + _MARGIN) * rows / height)
    if share >= _ENLARGE_BELOW or not columns:
        return Part(0, 0, width, height, is_smaller=False)
    part_width, part_height = max(1, round(share * width)), max(1, round(share * height))
    return Part(
        left=int(np.clip(left + columns // 2 - part_width // 2, 0, width - part_width)),
        top=int(np.clip(top + rows // 2 - part_height // 2, 0, height - part_height)),
        width=part_width,
        height=part_height,
        is_smaller=True,
    )


def _fit(picture: Picture) -> UInt8[np.ndarray, "rows columns 3"]:
    """The picture at the width of a panel."""
    height, width = picture.shape[:2]
    rows = max(1, round(height * WIDTH_PX / width))
    kind = cv2.INTER_AREA if width > WIDTH_PX else cv2.INTER_CUBIC
    fitted: np.ndarray = cv2.resize(picture, (WIDTH_PX, rows), interpolation=kind)
    return fitted


def _nearest(labels: np.ndarray, like: Picture) -> np.ndarray:
    height, width = like.shape[:2]
    resized: np.ndarray = cv2.resize(labels, (width, height), interpolation=cv2.INTER_NEAREST)
    return resized


def _overlay(ground: Picture, labels: np.ndarray) -> Picture:
    masks = MaskFrame(index=0, time_s=0.0, name="", labels=_nearest(labels, ground), scores=())
    return draw_overlay(Frame(index=0, time_s=0.0, name="", rgb=ground), masks)


def _draw_errors(ground: Picture, found: np.ndarray) -> Picture:
    """The outcomes over a dark, grey picture."""
    grey = cv2.cvtColor(ground, cv2.COLOR_RGB2GRAY)
    canvas: np.ndarray = (np.repeat(grey[..., None], 3, axis=2) * 0.45).astype(np.uint8)
    found = _nearest(found, ground)
    rows, columns = np.indices(found.shape)
    stripes = (rows + columns) // _STRIPE_PX % 2 == 0
    chequers = (rows // _STRIPE_PX + columns // _STRIPE_PX) % 2 == 0
    for kind, colour in OUTCOME_COLOURS.items():
        strength = np.full(found.shape, 0.7 if kind is Outcome.RIGHT else 0.9, np.float32)
        if kind in (Outcome.FALSE, Outcome.CONFUSED):
            strength[stripes if kind is Outcome.FALSE else chequers] = 0.62
        where = found == kind
        share = strength[where][:, None]
        canvas[where] = (canvas[where] * (1 - share) + np.array(colour, np.float32) * share).astype(np.uint8)
    return canvas


def _draw_frame(canvas: Picture, part: Part, scale: float) -> None:
    """Show on the whole picture which part of it is enlarged beside it."""
    if not part.is_smaller:
        return
    start = (round(part.left * scale), round(part.top * scale))
    end = (round((part.left + part.width) * scale) - 1, round((part.top + part.height) * scale) - 1)
    cv2.rectangle(canvas, start, end, (20, 20, 20), 3)
    cv2.rectangle(canvas, start, end, (255, 255, 255), 1)


def _panel(title: str, rgb: Picture) -> Panel:
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, format="WEBP", quality=_QUALITY, method=4)
    text = base64.b64encode(buffer.getvalue()).decode("ascii")
    return Panel(title, f"data:image/webp;base64,{text}", width=rgb.shape[1], height=rgb.shape[0])
