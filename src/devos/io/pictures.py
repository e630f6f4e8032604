"""Read one picture file: its size from the header alone, and its pixels as 8-bit RGB."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps

from devos.frames import FrameSize

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp")
"""What a picture's name may end with, in any case."""
PICTURE_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP")
"""The same, as Pillow names the decoders."""
UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError)
"""What Pillow raises for a damaged picture."""

_ORIENTATION_TAG = 0x0112
_SIDEWAYS = (5, 6, 7, 8)


def is_picture_file(path: Path) -> bool:
    """Whether the content, whatever the name, is a still picture that we read."""
    try:
        with Image.open(path, formats=PICTURE_FORMATS):
            return True
    except UNREADABLE:
        return False


def list_pictures(folder: Path) -> list[Path]:
    """The folder's pictures by their suffix, hidden files left out, in no particular order."""
    return [
        path
        for path in folder.iterdir()
        if path.suffix.lower() in PICTURE_SUFFIXES and not path.name.startswith(".") and path.is_file()
    ]


def read_size(path: Path) -> FrameSize:
    """Size as shown, turned upright where the picture says so; reads the header only."""
    with Image.open(path, formats=PICTURE_FORMATS) as picture:
        width, height = picture.size
        # asking a PNG that has none in its header would decode all of it
        has_exif = picture.format != "PNG" or "exif" in picture.info
        sideways = has_exif and picture.getexif().get(_ORIENTATION_TAG) in _SIDEWAYS
    return FrameSize(width, height) if sideways else FrameSize(height, width)


def read_rgb(path: Path) -> UInt8[np.ndarray, "h w 3"]:
    """The picture as it is meant to be seen: upright, and transparent parts over black."""
    with Image.open(path, formats=PICTURE_FORMATS) as picture:
        upright = ImageOps.exif_transpose(picture)
        return _to_rgb(upright)


def _to_rgb(picture: Image.Image) -> UInt8[np.ndarray, "h w 3"]:
    if picture.mode == "F":
        raise ValueError("its pixels are 32-bit floats; save it with 8 or 16 bits")
    if picture.mode.startswith("I"):
        return _grey16_to_rgb(np.asarray(picture))
    if picture.has_transparency_data:
        with_alpha = picture.convert("RGBA")
        black = Image.new("RGBA", picture.size, (0, 0, 0, 255))
        picture = Image.alpha_composite(black, with_alpha)
    return np.array(picture.convert("RGB"))


def _grey16_to_rgb(grey: np.ndarray) -> UInt8[np.ndarray, "h w 3"]:
    """16-bit grey, 65535 as white, to 8 bits."""
    in_range = np.clip(grey.astype(np.int64), 0, 65535)
    eight_bit = ((in_range + 128) // 257).astype(np.uint8)
    return np.repeat(eight_bit[..., None], 3, axis=2)
