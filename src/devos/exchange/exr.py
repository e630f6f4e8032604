"""OpenEXR: for each frame a file with a layer for each object and a Cryptomatte, as Blender, Nuke and Fusion read it.

After the Cryptomatte specification 1.2.0 (Psyop): an object's id is the 32-bit MurmurHash3 of its name, as a float;
ranks of id and coverage, two in each of the channels `CryptoObject00.RGBA`, `CryptoObject01.RGBA`, ...; the names in
a manifest in the header.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from devos.exchange.needed import needed
from devos.exchange.writers import FolderWriter, Shot, VideoInfo

_LAYER = "CryptoObject"
_LEVELS = 3
"""Layers of two ranks each: six objects may share a pixel."""


class ExrWriter(FolderWriter):
    """`FRAME.exr`: `NAME.A` (half floats, linear coverage 0 to 1) for each object that is followed, and `CryptoObject`.

    NAME is what a person calls the object, else `object_ID`. The coverage is the probability where it was kept, else 0
    or 1.
    """

    def __init__(self, path: Path, video: VideoInfo) -> None:
        self._exr = _library()
        super().__init__(path, video)

    @classmethod
    def check(cls) -> None:
        """OptionError without OpenEXR."""
        _library()

    def write(self, shot: Shot) -> None:
        """Write one frame's file."""
        ids = sorted({score.object_id for score in shot.masks.scores} | {one.object_id for one in shot.objects})
        names = layer_names(ids, self.video)
        coverage = [shot.alpha(object_id).astype(np.float32) for object_id in ids]
        channels: dict[str, Any] = {f"{names[i]}.A": one.astype(np.float16)
                                    for i, one in zip(ids, coverage, strict=True)}  # fmt: skip
        channels |= cryptomatte([names[i] for i in ids], coverage, (self.video.size.height, self.video.size.width))
        header = {
            "compression": self._exr.ZIP_COMPRESSION, "type": self._exr.scanlineimage,
            **cryptomatte_header([names[i] for i in ids]),
        }  # fmt: skip
        with self.file(f"{shot.masks.name}.exr") as path:
            self._exr.File(header, channels).write(str(path))


def _library() -> Any:
    return needed("OpenEXR", "the format exr", "formats")


def layer_names(ids: list[int], video: VideoInfo) -> dict[int, str]:
    """What each object's layer is called: letters, digits and `_`, no two alike."""
    names: dict[int, str] = {}
    for object_id in ids:
        name = re.sub(r"\W+", "_", video.names.get(object_id, ""), flags=re.ASCII).strip("_")
        if not name or name[0].isdigit() or name.startswith(_LAYER):
            name = f"object_{object_id}"
        names[object_id] = f"{name}_{object_id}" if name in names.values() else name
    return names


def cryptomatte_header(names: list[str]) -> dict[str, str]:
    """The metadata of a Cryptomatte with these objects."""
    key = f"cryptomatte/{murmur3(_LAYER):08x}"[: len("cryptomatte/") + 7]
    manifest = {name: f"{_as_float_bits(murmur3(name)):08x}" for name in names}
    return {f"{key}/name": _LAYER, f"{key}/hash": "MurmurHash3_32", f"{key}/conversion": "uint32_to_float32",
            f"{key}/manifest": json.dumps(manifest, separators=(",", ":"))}  # fmt: skip


def cryptomatte(names: list[str], coverage: list[Float32[np.ndarray, "h w"]],
                size: tuple[int, int]) -> dict[str, Float32[np.ndarray, "h w"]]:  # fmt: skip
    """The channels: at each pixel the objects that cover it, the one that covers most of it first."""
    ranks = 2 * _LEVELS
    ids, shares = np.zeros((ranks, *size), np.float32), np.zeros((ranks, *size), np.float32)
    if names:
        stacked = np.stack(coverage)
        order = np.argsort(-stacked, axis=0, kind="stable")[:ranks]
        floats = np.array([float_of(name) for name in names], np.float32)
        ranked = np.take_along_axis(stacked, order, axis=0)
        ids[: len(order)] = np.where(ranked > 0, floats[order], 0)
        shares[: len(order)] = ranked
    channels: dict[str, Float32[np.ndarray, "h w"]] = {}
    for level in range(_LEVELS):
        for place, (values, rank) in enumerate(((ids, 0), (shares, 0), (ids, 1), (shares, 1))):
            channels[f"{_LAYER}{level:02d}.{'RGBA'[place]}"] = np.ascontiguousarray(values[2 * level + rank])
    return channels


def float_of(name: str) -> np.float32:
    """An object's id as it stands in the channels."""
    return np.float32(np.array([_as_float_bits(murmur3(name))], np.uint32).view(np.float32)[0])


def _as_float_bits(number: int) -> int:
    """Not one of the floats that are no numbers, or too small: one bit of the exponent is turned."""
    exponent = number >> 23 & 255
    return number ^ 1 << 23 if exponent in (0, 255) else number


def murmur3(text: str) -> int:
    """MurmurHash3, x86, 32 bits, seed 0 (Austin Appleby, public domain)."""
    content, most = text.encode(), 0xFFFFFFFF
    state, whole = 0, len(text.encode()) // 4 * 4
    for place in range(0, len(content), 4):
        part = int.from_bytes(content[place : place + 4], "little") * 0xCC9E2D51 & most
        state ^= ((part << 15 | part >> 17) & most) * 0x1B873593 & most
        if place < whole:
            state = (((state << 13 | state >> 19) & most) * 5 + 0xE6546B64) & most
    state ^= len(content)
    state = (state ^ state >> 16) * 0x85EBCA6B & most
    state = (state ^ state >> 13) * 0xC2B2AE35 & most
    return state ^ state >> 16
