"""Read mask files quickly: what a folder of results is scored with, one decode for each file.

Most masks are PNGs of 8 bits, grey or with a palette. libav decodes those about twice as fast as Pillow; all others,
and all that it does not take, go to `devos.data.catalog`, which also words the errors.
"""

from __future__ import annotations

import threading
import zlib
from pathlib import Path

import av
import numpy as np
from jaxtyping import UInt8, UInt16

from devos.data.catalog import decode_labels
from devos.errors import MaskError
from devos.io.mask_checks import refuse_unclear

LabelMap = UInt8[np.ndarray, "h w"] | UInt16[np.ndarray, "h w"]
"""An object id per pixel, 0 for background; 8 bits where the file has no more."""

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY, _PALETTE = 0, 3
_LEAST_BYTES = 33
"""Of a signature and a header."""
_MOST_PIXELS = 1 << 26
"""8192 x 8192: a mask with a larger header goes to Pillow, which refuses what is a bomb."""
_PLAIN_CHUNKS = {b"PLTE", b"IDAT", b"IEND", b"gAMA", b"pHYs", b"tEXt", b"tIME", b"cHRM", b"sRGB", b"bKGD", b"zTXt"}
"""Chunks that leave the values at the pixels alone."""

_decoders = threading.local()
"""One libav decoder for each thread: a decoder has a state."""


def read_label_file(path: Path) -> LabelMap:
    """The ids in a mask file; palette and grey values are the ids. MaskError for anything else."""
    return decode_label_file(path, read_mask_bytes(path))


def read_mask_bytes(path: Path) -> bytes:
    """The content of a mask file; MaskError if it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        reason = error.strerror or error
        raise MaskError(f"{path} cannot be read as a mask ({reason}); give a palette or grey PNG") from error


def decode_label_file(path: Path, data: bytes) -> LabelMap:
    """The ids in a mask file with this content; `path` is named in errors only."""
    size = _plain_size(data)
    labels = None if size is None else _decode_plain(data, *size)
    if labels is None:
        return decode_labels(path, data)
    refuse_unclear(path, labels, is_palette=data[25] == _PALETTE)
    return labels


def _plain_size(data: bytes) -> tuple[int, int] | None:
    """Height and width of a whole 8-bit PNG, grey or palette with black first, row after row, that has no
    surprises; else None.

    The checksum of each chunk is looked at, since libav shows what it can of a damaged file and says nothing.
    """
    if len(data) < _LEAST_BYTES or not data.startswith(_SIGNATURE) or data[12:16] != b"IHDR":
        return None
    width, height = (int.from_bytes(data[start : start + 4], "big") for start in (16, 20))
    depth, colour, _, _, interlaced = data[24:29]
    if not 0 < width * height <= _MOST_PIXELS:
        return None  # libav would take the memory before it looks at the data
    if depth != 8 or colour not in (_GREY, _PALETTE) or interlaced:
        return None
    position, kind = 33, b""
    while kind != b"IEND":
        length, kind = int.from_bytes(data[position : position + 4], "big"), data[position + 4 : position + 8]
        end = position + 8 + length
        if kind not in _PLAIN_CHUNKS or len(data) < end + 4:
            return None
        if kind == b"PLTE" and data[position + 8 : position + 11] != b"\0\0\0":
            return None  # a palette that a picture program has reordered, perhaps
        if zlib.crc32(data[position + 4 : end]) != int.from_bytes(data[end : end + 4], "big"):
            return None
        position = end + 4
    return height, width


def _decode_plain(data: bytes, height: int, width: int) -> UInt8[np.ndarray, "h w"] | None:
    """What libav makes of the file, None if it does not take it."""
    if not hasattr(_decoders, "png"):
        _decoders.png = av.CodecContext.create("png", "r")
    packet = av.Packet(data)
    packet.is_keyframe = True  # else libav takes the picture for a difference from the one before
    try:
        (frame,) = _decoders.png.decode(packet)
    except (av.FFmpegError, ValueError):
        del _decoders.png
        return None
    if frame.format.name not in ("gray", "pal8") or (frame.height, frame.width) != (height, width):
        return None
    plane = frame.planes[0]
    rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
    return rows[:height, :width]
