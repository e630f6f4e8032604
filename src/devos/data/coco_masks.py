"""One annotation of COCO to the region that it marks: polygons, run lengths, plain or packed.

All of it is checked before pycocotools sees it: its compiled part takes four numbers for a box, and writes where it
must not if run lengths are longer than the picture.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Bool

_LEAST_NUMBERS = 6
"""Of a polygon: three corners, each x and y."""
_BITS, _FIRST_CHARACTER = 5, 48


class BadAnnotationError(ValueError):
    """What is wrong with an annotation, in a few words."""


def decode(segmentation: Any, height: int, width: int) -> Bool[np.ndarray, "h w"]:
    """Where the object is, in a picture of that size; BadAnnotationError for anything that marks no such region."""
    from pycocotools import mask as coding

    plain = _plain(segmentation, height, width)
    with warnings.catch_warnings():
        # Up to 2.0.11 it hands its result to NumPy 2 in a way that is going to end.
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        coded = coding.frPyObjects(plain, height, width)
        region: np.ndarray = coding.decode(coding.merge(coded) if isinstance(coded, list) else coded)
    if not region.any():
        raise BadAnnotationError("marks no pixel of the picture")
    return region.astype(bool)


def _plain(segmentation: Any, height: int, width: int) -> Any:
    """What pycocotools can be given without harm."""
    if isinstance(segmentation, list):
        if not segmentation:
            raise BadAnnotationError("has no polygon")
        return [_polygon(one, height, width) for one in segmentation]
    if isinstance(segmentation, Mapping) and "counts" in segmentation:
        return {"counts": _counts(segmentation, height, width), "size": [height, width]}
    raise BadAnnotationError("is neither polygons nor run lengths")


def _polygon(numbers: Any, height: int, width: int) -> list[float]:
    if not isinstance(numbers, list) or not all(_is_number(one) for one in numbers):
        raise BadAnnotationError("has a polygon that is no list of numbers")
    if len(numbers) < _LEAST_NUMBERS or len(numbers) % 2:
        raise BadAnnotationError(f"has a polygon of {len(numbers)} numbers, not of x, y for three corners or more")
    for values, side in ((numbers[::2], width), (numbers[1::2], height)):
        if min(values) < -side or max(values) > 2 * side:
            raise BadAnnotationError(f"has a polygon far outside of the picture of {width}x{height}")
    return [float(one) for one in numbers]


def _counts(coded: Mapping[str, Any], height: int, width: int) -> list[int]:
    counts = coded["counts"]
    if isinstance(counts, str):
        counts = _unpack(counts)
    if not isinstance(counts, list) or not all(isinstance(one, int) and one >= 0 for one in counts):
        raise BadAnnotationError("has run lengths that are no whole numbers from 0")
    if coded.get("size", [height, width]) != [height, width]:
        raise BadAnnotationError(f"is of a picture of another size than {height} rows of {width}")
    if sum(counts) != height * width:
        raise BadAnnotationError(f"has run lengths of {sum(counts)} pixels for {height * width}")
    return counts


def _unpack(text: str) -> list[int]:
    """COCO's packed run lengths: five bits a character, lowest first; from the third on, differences to the last but
    one.
    """
    counts: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - _FIRST_CHARACTER
        if not 0 <= bits < 64:
            raise BadAnnotationError("has packed run lengths that cannot be read")
        value |= (bits & 31) << shift
        shift += _BITS
        if not bits & 32:
            value -= (1 << shift) if bits & 16 else 0
            counts.append(value + (counts[-2] if len(counts) > 2 else 0))
            value = shift = 0
    if shift:
        raise BadAnnotationError("has packed run lengths that end in the middle of a number")
    return counts


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
