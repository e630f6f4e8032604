"""Frames as film and effects keep them: OpenEXR (linear light) and DPX, as pictures of 8 bits to be seen.

They come as `PIL.Image.Image`, whose header alone is read until the pixels are asked for. `info[MEANING]` says in words
what was made of the values, for a note.
"""

from __future__ import annotations

import importlib
import struct
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.error import FFmpegError
from jaxtyping import Float, UInt8
from PIL import Image, ImageFile

from devos.errors import VideoError
from devos.extras import install

FILM_SUFFIXES = (".exr", ".dpx")
MEANING = "devos meaning"
"""The key of `Image.info` under which it is said what the values were taken for."""

_EXR, _DPX = b"\x76\x2f\x31\x01", (b"SDPX", b"XPDS")
_MOST_HEADER, _DPX_HEADER = 1 << 20, 1024
_LOG = (1, 3)
"""Transfers of a DPX (SMPTE 268M) that are logarithmic: printing density, logarithmic."""
_BLACK, _WHITE, _STEP = 95, 685, 0.002 / 0.6
"""Cineon's codes of 10 bits for black and white, and the decades of light that a code is."""


def film_frame(path: Path) -> Image.Image | None:
    """The picture, if the content is an EXR or a DPX, whatever its name.

    VideoError without the library that reads EXR; SyntaxError, OSError or ValueError for a damaged header.
    """
    with path.open("rb") as file:
        magic = file.read(4)
    if magic == _EXR:
        return ExrPicture(path)
    return DpxPicture(path) if magic in _DPX else None


class _FilmPicture(ImageFile.ImageFile):
    """Decodes when the pixels are asked for."""

    def load(self) -> Any:
        """Decode, once."""
        if getattr(self, "_im", None) is None:
            rgb = self._decoded()
            if rgb.shape != (self.height, self.width, 3):
                raise ValueError(f"its pixels are {rgb.shape[1]}x{rgb.shape[0]}, its header says {self.size}")
            self.im = Image.fromarray(rgb).im
        return Image.Image.load(self)

    def _decoded(self) -> UInt8[np.ndarray, "h w 3"]:
        raise NotImplementedError

    def _set(self, width: int, height: int, meaning: str) -> None:
        if width * height > 2 * (Image.MAX_IMAGE_PIXELS or 1 << 30):
            raise Image.DecompressionBombError(f"{width}x{height} pixels, as the header says, are too many")
        self._mode, self._size, self.tile = "RGB", (width, height), []
        self.info[MEANING] = meaning


class ExrPicture(_FilmPicture):
    """The colours of an EXR's first part within its display window, 1.0 of linear light as white."""

    format, format_description = "EXR", "OpenEXR"

    def _open(self) -> None:
        _library()
        assert self.fp is not None
        attributes = _exr_attributes(self.fp.read(_MOST_HEADER))
        try:
            left, top, right, bottom = struct.unpack("<4i", attributes["displayWindow"])
            self._channels = _colour_channels(_exr_channels(attributes["channels"]))
        except KeyError as error:
            raise SyntaxError(f"its header lacks {error}") from error
        layer = self._channels[0].rpartition(".")[0]
        what = f"{f'the layer {layer}' if layer else 'linear light'} of OpenEXR"
        self._set(right - left + 1, bottom - top + 1, f"{what} is shown as sRGB, 1.0 as white and what is above it too")

    def _decoded(self) -> UInt8[np.ndarray, "h w 3"]:
        try:
            file = _library().File(str(self.filename), separate_channels=True)
            part = file.parts[0]
            (left, top), (right, bottom) = (np.asarray(corner).tolist() for corner in part.header["displayWindow"])
            (data_left, data_top), _ = (np.asarray(corner).tolist() for corner in part.header["dataWindow"])
            planes = [np.asarray(part.channels[name].pixels, np.float32) for name in self._channels]
        except (RuntimeError, TypeError, KeyError, AttributeError) as error:
            raise ValueError(str(error).splitlines()[0] if str(error) else "OpenEXR cannot read it") from error
        light = np.zeros((bottom - top + 1, right - left + 1, 3), np.float32)
        values = np.stack(planes if len(planes) == 3 else planes * 3, axis=-1)
        down, across = data_top - top, data_left - left  # where the values begin within what is shown
        shown = values[max(0, -down) :, max(0, -across) :]
        room = light[max(0, down) :, max(0, across) :]
        height, width = min(shown.shape[0], room.shape[0]), min(shown.shape[1], room.shape[1])
        room[:height, :width] = shown[:height, :width]
        return _seen(light)


class DpxPicture(_FilmPicture):
    """A DPX, decoded by FFmpeg; logarithmic values as Cineon has them, all others as they are."""

    format, format_description = "DPX", "SMPTE 268M"

    def _open(self) -> None:
        assert self.fp is not None
        header = self.fp.read(_DPX_HEADER)
        if len(header) < _DPX_HEADER:
            raise SyntaxError("its header is cut off")
        width, height = struct.unpack((">" if header[:4] == b"SDPX" else "<") + "2I", header[772:780])
        transfer, bits = header[801], header[803]
        self._is_log = transfer in _LOG
        how = ("logarithmic as on film (black 95, white 685 of 1023), are shown as sRGB" if self._is_log
               else "which are not said to be logarithmic, are shown as they are")  # fmt: skip
        self._set(width, height, f"the {bits}-bit values of DPX, {how}")

    def _decoded(self) -> UInt8[np.ndarray, "h w 3"]:
        try:
            decoder: Any = av.CodecContext.create("dpx", "r")
            content = Path(str(self.filename)).read_bytes()
            frames = decoder.decode(av.Packet(content)) or decoder.decode(None)
            deep = frames[0].reformat(format="rgb48le").to_ndarray()
        except (FFmpegError, IndexError) as error:
            raise ValueError(f"FFmpeg cannot decode it ({error})") from error
        if not self._is_log:
            plain: UInt8[np.ndarray, "h w 3"] = ((deep.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
            return plain
        codes = np.arange(1 << 16, dtype=np.float32) * (1023 / 65535)
        least = 10 ** ((_BLACK - _WHITE) * _STEP)
        table = _seen((10 ** ((codes - _WHITE) * _STEP) - least) / (1 - least))
        rgb: UInt8[np.ndarray, "h w 3"] = table[deep]
        return rgb


def _library() -> Any:
    try:
        return importlib.import_module("OpenEXR")
    except ImportError as error:
        raise VideoError(f"frames in OpenEXR need the package OpenEXR, which is not installed: {install('formats')}; "
                         "or convert them to 16-bit PNG or TIFF") from error  # fmt: skip


def _seen(light: Float[np.ndarray, "*shape"]) -> UInt8[np.ndarray, "*shape"]:
    """Linear light (1 is white) as sRGB (IEC 61966-2-1); what is no number is black."""
    clipped = np.clip(np.nan_to_num(light, nan=0.0, posinf=1.0, neginf=0.0), 0, 1)
    curved = np.where(clipped <= 0.0031308, 12.92 * clipped, 1.055 * clipped ** (1 / 2.4) - 0.055)
    shown: UInt8[np.ndarray, "*shape"] = np.rint(curved * 255).astype(np.uint8)
    return shown


def _exr_attributes(content: bytes) -> dict[str, bytes]:
    """The header of a file's first part: name, kind and size before each value, an empty name after the last."""
    attributes: dict[str, bytes] = {}
    place = 8
    try:
        while content[place] != 0:
            name_end = content.index(b"\0", place)
            kind_end = content.index(b"\0", name_end + 1)
            (size,) = struct.unpack_from("<i", content, kind_end + 1)
            begin = kind_end + 5
            if size < 0 or begin + size > len(content):
                raise ValueError("an attribute is longer than the file")
            attributes[content[place:name_end].decode("latin-1")] = content[begin : begin + size]
            place = begin + size
    except (ValueError, IndexError, struct.error) as error:
        raise SyntaxError(f"its header is damaged ({error})") from error
    return attributes


def _exr_channels(value: bytes) -> list[str]:
    """The names of a list of channels; 16 bytes of facts follow each."""
    names: list[str] = []
    place = 0
    while place < len(value) and value[place] != 0:
        end = value.find(b"\0", place)
        if end < 0:
            raise SyntaxError("its list of channels is damaged")
        names.append(value[place:end].decode("latin-1"))
        place = end + 17
    return names


def _colour_channels(names: list[str]) -> tuple[str, ...]:
    """Red, green and blue, those without a layer first; else the brightness alone. SyntaxError where there is none."""
    for layer in sorted({name.rpartition(".")[0] for name in names}):
        before = f"{layer}." if layer else ""
        for wanted in ("RGB", "rgb", ("red", "green", "blue"), "Y"):
            channels = tuple(f"{before}{one}" for one in wanted)
            if set(channels) <= set(names):
                return channels
    raise SyntaxError(f"no colours among its channels ({', '.join(names[:6]) or 'none'}); R, G, B or Y are read")
