"""Read pictures: their size from the header alone, and their pixels as 8-bit RGB.

A file may hold several (TIFF, GIF, animated PNG and WebP); each is asked for by its page. Values of more than 8 bits
are whatever the camera or microscope made of them: the caller says which one is white.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps

from devos.frames import FrameSize
from devos.io.film_frames import FILM_SUFFIXES, film_frame

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".apng", ".jp2", ".j2k",
                    *FILM_SUFFIXES)  # fmt: skip
"""What a picture's name may end with, in any case."""
PICTURE_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "JPEG2000")
"""The same, as Pillow names the decoders; EXR and DPX are read beside it."""
UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, TypeError, LookupError, ArithmeticError, struct.error,
              cv2.error, Image.DecompressionBombError)  # fmt: skip
"""What Pillow and OpenCV raise for a damaged picture."""
WHITE_16 = 65535

_ORIENTATION_TAG, _PHOTOMETRIC_TAG, _BITS_TAG = 0x0112, 262, 258
_SIDEWAYS = (5, 6, 7, 8)


def is_picture_file(path: Path) -> bool:
    """Whether the content, whatever the name, is a still picture that we read."""
    try:
        with opened(path):
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


@contextmanager
def opened(path: Path) -> Iterator[Image.Image]:
    """A picture file, its first page before us; nothing is decoded yet. VideoError for an EXR without its library."""
    with film_frame(path) or Image.open(path, formats=PICTURE_FORMATS) as picture:
        yield picture


def num_pages(picture: Image.Image) -> int:
    """How many pictures a file holds; the preview beside a camera's photograph is none."""
    if picture.format == "MPO":
        return 1
    return int(getattr(picture, "n_frames", 1))


def read_size(path: Path) -> FrameSize:
    """Size as shown, turned upright where the picture says so; reads the header only."""
    with opened(path) as picture:
        return size_of(picture)


def size_of(picture: Image.Image) -> FrameSize:
    """The same, of a file that is open."""
    width, height = picture.size
    # asking a PNG that has none in its header would decode all of it
    has_exif = picture.format != "PNG" or "exif" in picture.info
    sideways = has_exif and picture.getexif().get(_ORIENTATION_TAG) in _SIDEWAYS
    return FrameSize(width, height) if sideways else FrameSize(height, width)


def read_rgb(path: Path, white: int = WHITE_16) -> UInt8[np.ndarray, "h w 3"]:
    """The picture as it is meant to be seen: upright, and transparent parts over black. `white`: see `page_rgb`."""
    with opened(path) as picture:
        return page_rgb(picture, path, 0, white)


def page_rgb(picture: Image.Image, path: Path, page: int, white: int = WHITE_16) -> UInt8[np.ndarray, "h w 3"]:
    """One page of an open file. `white`: the value of more than 8 bits that becomes 255; higher ones do too."""
    if page or num_pages(picture) > 1:
        picture.seek(page)
    values = deep_values(picture, path, page)
    if values is not None:
        return _to_eight_bits(values, white)
    return _to_rgb(ImageOps.exif_transpose(picture))


def deep_values(picture: Image.Image, path: Path, page: int) -> np.ndarray | None:
    """The values (h w, or h w 3, RGB) of a picture with more than 8 bits; None for any other."""
    if picture.mode == "F":
        raise ValueError("its pixels are 32-bit floats; save it with 8 or 16 bits")
    if picture.mode.startswith("I"):
        upright: Any = ImageOps.exif_transpose(picture)
        values = np.asarray(upright).astype(np.int64)
        is_white_zero = picture.format == "TIFF" and _tiff_tag(picture, _PHOTOMETRIC_TAG) == 0
        return WHITE_16 - values if is_white_zero else values
    if picture.mode in ("RGB", "RGBA") and _bits(picture, path) == 16:  # Pillow would drop the lower byte
        return _deep_colours(path, page)
    return None


def has_alpha(picture: Image.Image) -> bool:
    """Whether some pixels may be transparent."""
    return picture.has_transparency_data


def _deep_colours(path: Path, page: int) -> np.ndarray | None:
    _, pages = cv2.imreadmulti(str(path), start=page, count=1, flags=cv2.IMREAD_UNCHANGED)
    if not pages or pages[0].dtype != np.uint16 or pages[0].ndim != 3:
        return None
    values = pages[0].astype(np.int64)
    rgb: np.ndarray = values[..., 2::-1]
    if values.shape[2] == 4:
        rgb = rgb * values[..., 3:] // WHITE_16
    return rgb


def _bits(picture: Image.Image, path: Path) -> int:
    """Bits of each value, as the file says."""
    if picture.format == "TIFF":
        bits = _tiff_tag(picture, _BITS_TAG)
        return int(bits[0] if isinstance(bits, tuple) else bits or 8)
    if picture.format == "PNG":
        with path.open("rb") as file:
            header = file.read(25)
        return header[24] if len(header) == 25 else 8
    return 8


def _tiff_tag(picture: Any, tag: int) -> Any:
    return picture.tag_v2.get(tag)


def _to_rgb(picture: Image.Image) -> UInt8[np.ndarray, "h w 3"]:
    if picture.has_transparency_data:
        with_alpha = picture.convert("RGBA")
        black = Image.new("RGBA", picture.size, (0, 0, 0, 255))
        picture = Image.alpha_composite(black, with_alpha)
    return np.array(picture.convert("RGB"))


def _to_eight_bits(values: np.ndarray, white: int) -> UInt8[np.ndarray, "h w 3"]:
    """Values of more than 8 bits to 8, `white` and above to 255."""
    in_range = np.clip(values, 0, white)
    eight_bit = ((in_range * 255 + white // 2) // white).astype(np.uint8)
    return eight_bit if eight_bit.ndim == 3 else np.repeat(eight_bit[..., None], 3, axis=2)
