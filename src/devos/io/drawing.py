"""Draw the objects of a frame onto it: a translucent fill, a contour, and each object's id."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from jaxtyping import UInt8

from devos.frames import Frame, MaskFrame
from devos.io.regions import Region, find_regions

COLOURS = np.array(
    [
        (255, 122, 24),
        (66, 186, 255),
        (255, 222, 56),
        (240, 110, 190),
        (0, 205, 150),
        (150, 120, 255),
        (240, 62, 62),
        (205, 235, 235),
    ],
    dtype=np.uint8,
)
"""RGB of objects 1, 2, ...; then from the start again. Bright, and apart from their neighbours for the colour-blind."""
LOW_CONFIDENCE = 0.7
"""Below this, an object's confidence is written beside its id."""

_FILL = 0.42
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def colour_of(object_id: int) -> tuple[int, int, int]:
    """The colour (RGB) that an object is drawn in."""
    red, green, blue = COLOURS[(object_id - 1) % len(COLOURS)]
    return int(red), int(green), int(blue)


def draw_overlay(frame: Frame, masks: MaskFrame) -> UInt8[np.ndarray, "h w 3"]:
    """The frame with its objects drawn; neither argument is changed."""
    canvas = frame.rgb.copy()
    regions = find_regions(masks.labels)
    confidences = {score.object_id: score.confidence for score in masks.scores}
    thickness = int(np.clip(round(min(frame.size) / 300), 1, 3))
    for object_id, region in regions.items():
        draw_object(canvas, masks.labels, object_id, region, thickness)
    for object_id, region in regions.items():
        confidence = confidences.get(object_id, 1.0)
        text = f"{object_id}" if confidence >= LOW_CONFIDENCE else f"{object_id}  {confidence:.0%}"
        _draw_tag(canvas, text, _top_of(masks.labels, object_id, region), colour_of(object_id))
    return canvas


def draw_object(
    canvas: np.ndarray, labels: np.ndarray, object_id: int, region: Region, thickness: int, *, fill: bool = True
) -> None:
    """Fill, unless told not to, and outline one object within its box, onto `canvas` (RGB, `h w 3`, uint8)."""
    colour = colour_of(object_id)
    inside = (labels[region.window] == object_id).astype(np.uint8)
    if fill:
        part = canvas[region.window]
        cv2.copyTo(cv2.LUT(part, _tinted(colour)), inside, part)
    offset = (region.x_min, region.y_min)
    outlines, _ = cv2.findContours(inside, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE, offset=offset)
    cv2.drawContours(canvas, outlines, -1, colour, thickness, cv2.LINE_AA)


@cache
def _tinted(colour: tuple[int, int, int]) -> UInt8[np.ndarray, "1 256 3"]:
    """What each value (0 to 255) of each channel becomes where an object of that colour is filled in."""
    values = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    tint = np.full_like(values, np.array(colour, dtype=np.uint8))
    tinted: np.ndarray = cv2.addWeighted(values, 1 - _FILL, tint, _FILL, 0)
    return tinted


def _top_of(labels: np.ndarray, object_id: int, region: Region) -> tuple[int, int]:
    """The middle (x, y) of the object's highest row of pixels."""
    columns = np.flatnonzero(labels[region.y_min, region.x_min : region.x_max + 1] == object_id)
    return region.x_min + int(columns[len(columns) // 2]), region.y_min


def _draw_tag(canvas: np.ndarray, text: str, anchor: tuple[int, int], colour: tuple[int, int, int]) -> None:
    """Dark text on a plate of the object's colour, just above the anchor and within the frame."""
    height, width = canvas.shape[:2]
    scale = float(np.clip(min(height, width) / 900, 0.4, 1.6))
    weight = max(1, round(1.6 * scale))
    (text_width, text_height), _ = cv2.getTextSize(text, _FONT, scale, weight)
    margin = max(3, text_height // 2)
    plate_width, plate_height = text_width + 2 * margin, text_height + 2 * margin
    left = int(np.clip(anchor[0] - plate_width // 2, 0, max(0, width - plate_width)))
    top = int(np.clip(anchor[1] - plate_height - margin, 0, max(0, height - plate_height)))
    cv2.rectangle(canvas, (left, top), (left + plate_width, top + plate_height), colour, cv2.FILLED)
    text_origin = (left + margin, top + margin + text_height)
    cv2.putText(canvas, text, text_origin, _FONT, scale, (20, 20, 20), weight, cv2.LINE_AA)
