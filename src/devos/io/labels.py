"""Write labels as PNG, with the colours that the DAVIS and VOC data sets use."""

from __future__ import annotations

import io
import zlib
from functools import cache
from pathlib import Path

import numpy as np
from jaxtyping import UInt8, UInt16
from PIL import Image

from devos.errors import InputError
from devos.io.files import replacing
from devos.io.pictures import UNREADABLE

_MAX_PALETTE_ID = 255


@cache
def davis_palette() -> UInt8[np.ndarray, "256 3"]:
    """The colour (RGB) of each id from 0 to 255: the bits of the id, dealt in turn to red, green and blue."""
    ids = np.arange(256)
    palette = np.zeros((256, 3), dtype=np.uint8)
    for bit in range(8):
        for channel in range(3):
            palette[:, channel] |= (((ids >> (3 * bit + channel)) & 1) << (7 - bit)).astype(np.uint8)
    palette.flags.writeable = False
    return palette


def label_png(labels: UInt16[np.ndarray, "h w"]) -> bytes:
    """One label map as the content of a PNG file; the same labels are the same bytes.

    With ids up to 255 it is an 8-bit indexed PNG whose index is the id, coloured with `davis_palette`; with a higher
    id anywhere on the frame it is a 16-bit grey PNG whose grey is the id.
    """
    if labels.max(initial=0) > _MAX_PALETTE_ID:
        picture, strategy = Image.fromarray(labels), zlib.Z_DEFAULT_STRATEGY
    else:
        # Labels are runs of one byte: looking for nothing else takes half the time and gives smaller files.
        picture, strategy = Image.fromarray(labels.astype(np.uint8)), zlib.Z_RLE
        picture.putpalette(davis_palette().tobytes())
    content = io.BytesIO()
    picture.save(content, format="PNG", compress_type=strategy)
    return content.getvalue()


def write_label_png(path: str | Path, labels: UInt16[np.ndarray, "h w"]) -> bytes:
    """Write one label map as `label_png` has it; the file appears whole or not at all. Gives its content."""
    content = label_png(labels)
    with replacing(Path(path)) as temporary:
        temporary.write_bytes(content)
    return content


def read_label_png(path: str | Path) -> UInt16[np.ndarray, "h w"]:
    """Labels that `write_label_png` wrote. InputError if the file is damaged or lost."""
    try:
        with Image.open(path) as picture:
            return np.asarray(picture).astype(np.uint16)
    except UNREADABLE as error:
        raise InputError(f"{path}: a mask that cannot be read ({error}); put it back from a copy") from error
