"""Soft (anti-aliased) edges of a mask: where they are, as apart from small objects, and making them hard.

A soft edge lies between two plain areas, or is a thin line; its codes change from pixel to pixel and lie between those
of its neighbours. A small object has one code, in one place, however small it is.
"""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Bool, Int32

from devos.io.mask_pictures import Coding, MaskPicture, describe

_WHITE = {255, 65535}
_WHITE_OF_BYTES = 255
_SOFT_CODES = 3
"""Fewer odd codes than this are no soft edge, but in a mask of black and white."""
_MOST = 0.8
"""Share of an edge's pixels whose codes lie between those of its neighbours."""
_BLURRED_CODES = 20
"""More codes than this in one connected part that change little by little are one blurred object."""
_STEP = 0.1
"""How far the codes of a blurred object's neighbours lie apart, in half of all places, as a share of all its codes."""
_PLAIN = 0.5
"""Share of a code's pixels that lie in blocks of 2x2 of it, from which on it is an object."""


def soft_codes(mask: MaskPicture) -> set[int]:
    """The codes that only soft edges have; empty for a mask with hard edges."""
    stray = set(mask.areas) - mask.solid - {0}
    if not stray:
        return set()
    plain = {code for code in stray if _is_plain(mask.codes, code)}
    if _is_black_and_white(mask) and max(stray) < max(mask.solid):
        return stray - plain
    found = _of_edges(mask, stray)
    return found if len(found) >= _SOFT_CODES else set()


def snap(mask: MaskPicture, soft: set[int]) -> MaskPicture:
    """Give each pixel of a soft edge the code of the nearest pixel that has a clear one.

    Greys between black and white are cut at the middle instead, as the edge is where half a pixel is covered; in a part
    whose brightest grey is soft too, that stands for white. Whatever is no soft edge stays as it is.
    """
    is_soft = _is_one_of(mask.codes, soft)
    if mask.coding is Coding.GREY and max(mask.areas) in soft:
        sharp, blurred = _without_blur(mask.codes, soft)
        mask, is_soft = describe(mask.path, mask.coding, sharp), is_soft & ~blurred
    if _is_black_and_white(mask):
        white = max(mask.solid)
        codes = np.where(is_soft, np.where(mask.codes > white // 2, white, 0), mask.codes).astype(np.int32)
    else:
        codes = _take_nearest(mask.codes, is_soft)
    return describe(mask.path, mask.coding, codes)


def _without_blur(
    codes: Int32[np.ndarray, "h w"], soft: set[int]
) -> tuple[Int32[np.ndarray, "h w"], Bool[np.ndarray, "h w"]]:
    """The same with white and black for each part apart whose brightest code is soft, and where these parts are."""
    sharp, blurred = codes.copy(), np.zeros(codes.shape, bool)
    num_parts, parts = cv2.connectedComponents((codes > 0).astype(np.uint8), connectivity=8)
    for part in range(1, num_parts):
        inside = parts == part
        brightest = int(codes[inside].max())
        if brightest in soft:
            sharp[inside] = np.where(codes[inside] > brightest // 2, _WHITE_OF_BYTES, 0)
            blurred |= inside
    return sharp, blurred


def _is_black_and_white(mask: MaskPicture) -> bool:
    objects = mask.solid - {0}
    return mask.coding is Coding.GREY and bool(objects) and objects <= _WHITE


def _is_plain(codes: Int32[np.ndarray, "h w"], code: int) -> bool:
    """Whether most of a code's pixels lie in blocks of it: an object, if a small one."""
    inside = (codes == code).astype(np.uint8)
    return bool(_opened(inside).sum() >= _PLAIN * inside.sum())


def _opened(inside: np.ndarray) -> np.ndarray:
    """The pixels that lie in some block of 2x2."""
    opened: np.ndarray = cv2.morphologyEx(inside, cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
    return opened


def _of_edges(mask: MaskPicture, stray: set[int]) -> set[int]:
    """The codes of those connected parts of odd pixels that look like edges."""
    is_stray = _is_one_of(mask.codes, stray)
    num_parts, parts, boxes, _ = cv2.connectedComponentsWithStats(is_stray.astype(np.uint8), connectivity=8)
    found: set[int] = set()
    for part in range(1, num_parts):
        left, top, width, height, _ = (int(value) for value in boxes[part])
        window = slice(max(0, top - 1), top + height + 1), slice(max(0, left - 1), left + width + 1)
        inside, codes = parts[window] == part, mask.codes[window]
        if _is_edge(mask, inside, codes):
            found.update(int(code) for code in np.unique(codes[inside]))
    return found


def _is_edge(mask: MaskPicture, inside: Bool[np.ndarray, "h w"], codes: Int32[np.ndarray, "h w"]) -> bool:
    own = np.unique(codes[inside])
    if len(own) < 2:
        return False
    in_blocks = sum(int(_opened(((codes == code) & inside).astype(np.uint8)).sum()) for code in own.tolist())
    if in_blocks >= _PLAIN * np.count_nonzero(inside):
        return False
    if len(own) > _BLURRED_CODES and _is_smooth(inside, codes):
        return True
    around = cv2.dilate(inside.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool) & ~inside
    touched = np.unique(codes[around])
    if not set(touched.tolist()) - {0}:
        return len(own) >= _SOFT_CODES
    if len(touched) < 2:
        return False
    return mask.coding is Coding.PALETTE or _share_between(codes[inside], touched, mask.coding) >= _MOST


def _is_smooth(inside: Bool[np.ndarray, "h w"], codes: Int32[np.ndarray, "h w"]) -> bool:
    """Whether codes change little by little from pixel to pixel, as a blur makes them."""
    both = inside[:, 1:] & inside[:, :-1]
    steps = np.abs(codes[:, 1:] - codes[:, :-1])[both]
    return steps.size > 0 and bool(np.median(steps) <= _STEP * np.ptp(codes[inside]))


def _share_between(codes: np.ndarray, touched: np.ndarray, coding: Coding) -> float:
    """How many of the pixels have values between the least and the greatest that they touch, in each channel."""
    shifts = (16, 8, 0) if coding is Coding.COLOUR else (0,)
    bits = 255 if coding is Coding.COLOUR else 0xFFFF
    is_between = np.ones(codes.shape, bool)
    for shift in shifts:
        values, ends = codes >> shift & bits, touched >> shift & bits
        is_between &= (values >= ends.min()) & (values <= ends.max())
    return float(is_between.mean())


def _take_nearest(codes: Int32[np.ndarray, "h w"], replace: Bool[np.ndarray, "h w"]) -> Int32[np.ndarray, "h w"]:
    if replace.all():
        return codes
    _, nearest = cv2.distanceTransformWithLabels(
        replace.astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    code_of_source = np.zeros(int(nearest.max()) + 1, dtype=np.int32)
    code_of_source[nearest[~replace]] = codes[~replace]
    taken: np.ndarray = code_of_source[nearest]
    return taken


def _is_one_of(codes: np.ndarray, wanted: set[int] | frozenset[int]) -> Bool[np.ndarray, "h w"]:
    return np.isin(codes, np.array(sorted(wanted), dtype=np.int32))
