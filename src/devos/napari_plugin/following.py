"""Labels on one frame or several, followed through a stack."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import UInt8, UInt16

from devos.engine.segmenter import Segmenter, load
from devos.errors import MaskError, VideoError

if TYPE_CHECKING:
    import napari.types

_DARKEST, _BRIGHTEST = 0.1, 99.9
"""Percentiles of a stack of other than 8 bits that become black and white."""
_LOOKED_AT = 16


def follow(image: napari.types.ImageData, labels: napari.types.LabelsData,
           model: str = "devos-t", size: int = 384) -> napari.types.LabelsData:  # fmt: skip
    """Follow every label through the stack, forward and backward from the first frame that has any.

    `image`: t y x, or t y x 3; of more than 8 bits it is brought to 8 by its own darkest and brightest values.
    `labels`: t y x, frames with labels are given as they are; or y x, of the first frame. Gives labels t y x, uint16.
    """
    return follow_stack(image, labels, load(model, size=size))


def follow_stack(image: Any, labels: Any, segmenter: Segmenter) -> UInt16[np.ndarray, "t y x"]:
    """The same, with a network that is loaded."""
    if np.ndim(image) not in (3, 4) or (np.ndim(image) == 4 and image.shape[-1] not in (3, 4)):
        raise VideoError(
            f"the image has the shape {np.shape(image)}; give time, y and x, and colours last if it has any"
        )
    given = _given(labels, image.shape[:3])
    if not given:
        raise MaskError("the labels are all background; paint each object with its id on one frame")
    white = _range_of(image)
    followed = np.zeros(image.shape[:3], np.uint16)
    start = min(given)
    for order in (range(start, len(image)), range(start, -1, -1)):
        session = segmenter.session()
        for index in order:
            followed[index] = session.step(_rgb(image[index], *white), given.get(index)).labels
    return followed


def _given(labels: Any, shape: tuple[int, ...]) -> dict[int, np.ndarray]:
    if np.ndim(labels) == 2:
        labels = [labels]
    elif np.ndim(labels) != 3 or len(labels) != shape[0]:
        raise MaskError(f"the labels have the shape {np.shape(labels)}, the image {shape}; give time, y and x of both")
    found: dict[int, np.ndarray] = {}
    for index in range(len(labels)):
        one = np.asarray(labels[index])
        if one.shape != tuple(shape[1:]):
            raise MaskError(f"the labels are {one.shape[1]}x{one.shape[0]}, the image {shape[2]}x{shape[1]}")
        if one.any():
            found[index] = one.astype(np.uint16)
    return found


def _range_of(image: Any) -> tuple[float, float]:
    """What becomes black and white."""
    if image.dtype == np.uint8:
        return 0.0, 255.0
    step = max(1, len(image) // _LOOKED_AT)
    looked: Iterable[np.ndarray] = [np.asarray(image[index]) for index in range(0, len(image), step)]
    low, high = np.percentile(np.stack(list(looked)), [_DARKEST, _BRIGHTEST])
    return float(low), float(max(high, low + 1e-6))


def _rgb(frame: Any, low: float, high: float) -> UInt8[np.ndarray, "y x 3"]:
    values = np.asarray(frame)
    if values.ndim == 2:
        values = np.repeat(values[..., None], 3, axis=2)
    values = values[..., :3]
    if values.dtype == np.uint8:
        return np.ascontiguousarray(values)
    eight_bit: np.ndarray = np.rint(np.clip((values.astype(np.float32) - low) / (high - low), 0, 1) * 255)
    return eight_bit.astype(np.uint8)
