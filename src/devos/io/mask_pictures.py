"""What the pixels of one mask picture say, before it is decided which object each value stands for.

A *code* is a pixel's plain value: a palette index, a grey level, or a colour as red * 65536 + green * 256 + blue.
A code is *solid* when somewhere it fills a 3x3 block; soft (anti-aliased) edges are made of codes that never do.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, Int32
from PIL import Image

from devos.errors import MaskError
from devos.frames import FrameSize
from devos.io.pictures import PICTURE_FORMATS, UNREADABLE

_MANY_CODES = 1000
_PHOTO_CODES = 100
_DAVIS_GREYS = (0, 64, 128, 192)
"""Greys that the DAVIS palette has: a coloured picture of these alone is read by that palette."""


class Coding(Enum):
    """How a mask picture tells objects apart."""

    PALETTE = "palette"
    GREY = "grey"
    COLOUR = "colour"


@dataclass(frozen=True)
class MaskPicture:
    """One mask as it lies in its file."""

    path: Path
    coding: Coding
    codes: Int32[np.ndarray, "h w"]
    areas: dict[int, int]
    """How many pixels each code has, by rising code."""
    solid: frozenset[int]

    @property
    def size(self) -> FrameSize:
        """Height and width in pixels."""
        return FrameSize(*self.codes.shape)


def read_mask_picture(path: Path) -> MaskPicture:
    """Decode a mask, whatever its kind of picture."""
    try:
        with Image.open(path, formats=(*PICTURE_FORMATS, "GIF")) as picture:
            coding, codes = _codes(picture)
    except FileNotFoundError as error:
        raise MaskError(f"{path}: no such file or folder; give a mask PNG or a folder of them") from error
    except UNREADABLE as error:
        raise MaskError(f"{path}: not a picture that can be read; a mask is a PNG file") from error
    if coding is Coding.GREY and (codes.min() < 0 or codes.max() > 65535):
        raise MaskError(f"{path}: has values from {codes.min()} to {codes.max()}; object ids go from 1 to 65535")
    return describe(path, coding, codes)


def describe(path: Path, coding: Coding, codes: Int32[np.ndarray, "h w"]) -> MaskPicture:
    """Count the codes and find the solid ones."""
    values, counts = np.unique(codes, return_counts=True)
    areas = {int(value): int(count) for value, count in zip(values, counts, strict=True)}
    ranks = np.searchsorted(values, codes).astype(np.float32)
    solid = np.unique(codes[_fills_a_block(ranks)])
    return MaskPicture(path, coding, codes, areas, frozenset(int(value) for value in solid))


def refuse_photograph(mask: MaskPicture) -> None:
    """Tell a picture that is no mask at all from one with too soft edges."""
    num_codes = len(mask.areas)
    ranks = np.searchsorted(np.array(list(mask.areas)), mask.codes).astype(np.float32)
    busy = num_codes > _PHOTO_CODES and _fills_a_block(ranks).mean() < 0.5
    if busy or (mask.coding is Coding.COLOUR and num_codes > _MANY_CODES):
        raise MaskError(
            f"{mask.path}: looks like a photograph ({num_codes} different values); "
            "a mask has one plain value or colour for each object and black for the background"
        )


def _fills_a_block(ranks: np.ndarray) -> Bool[np.ndarray, "h w"]:
    """Where a pixel and its eight neighbours have one value; pixels beyond the border agree with all."""
    block = np.ones((3, 3), np.uint8)
    same: np.ndarray = cv2.erode(ranks, block) == cv2.dilate(ranks, block)
    return same


def _codes(picture: Image.Image) -> tuple[Coding, np.ndarray]:
    if picture.mode == "P" and not black_is_elsewhere(picture):
        return Coding.PALETTE, np.array(picture).astype(np.int32)
    if picture.mode == "1":
        return Coding.GREY, np.array(picture).astype(np.int32)
    if picture.mode == "L" or picture.mode.startswith("I"):
        return Coding.GREY, np.array(picture).astype(np.int32)
    if picture.mode == "F":
        raise ValueError("floating point pixels")
    if picture.mode == "LA":
        return Coding.GREY, np.array(_over_black(picture).convert("L")).astype(np.int32)
    rgb = np.array(_over_black(picture)).astype(np.int32)
    is_grey = (rgb == rgb[..., :1]).all()
    if is_grey and not np.isin(rgb, _DAVIS_GREYS).all():
        return Coding.GREY, rgb[..., 0]
    return Coding.COLOUR, rgb[..., 0] << 16 | rgb[..., 1] << 8 | rgb[..., 2]


def _over_black(picture: Image.Image) -> Image.Image:
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    black = Image.new("RGBA", picture.size, (0, 0, 0, 255))
    return Image.alpha_composite(black, picture.convert("RGBA")).convert("RGB")


def black_is_elsewhere(picture: Image.Image) -> bool:
    """Whether a picture program has made the palette, so that an index says nothing and 0 is not the background."""
    palette = picture.getpalette("RGB") or []
    colours = [tuple(palette[start : start + 3]) for start in range(0, len(palette), 3)]
    used = {index for _, index in picture.getcolors(256) or [] if isinstance(index, int)}
    return bool(colours) and colours[0] != (0, 0, 0) and any(colours[i] == (0, 0, 0) for i in used if i < len(colours))
