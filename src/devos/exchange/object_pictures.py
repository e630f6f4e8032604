"""A folder of PNGs for each object: black and white, or soft alpha of 8 or 16 bits; and DAVIS's palette PNGs."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import ClassVar

import numpy as np
from jaxtyping import Bool
from PIL import Image

from devos.errors import MaskError
from devos.exchange.annotations import Annotations
from devos.exchange.writers import FolderWriter, Shot
from devos.frames import FrameSize
from devos.io.labels import label_png
from devos.io.pictures import UNREADABLE, list_pictures, read_size

_DIGITS = 3
_HALF = 0.5


class DavisWriter(FolderWriter):
    """`FRAME.png`: the pixel is the id, in DAVIS's colours; 16-bit grey where an id is above 255."""

    def write(self, shot: Shot) -> None:
        """Write one frame's file."""
        with self.file(f"{shot.masks.name}.png") as path:
            path.write_bytes(label_png(shot.masks.labels))


class ObjectsWriter(FolderWriter):
    """`OBJECT/FRAME.png`, OBJECT the id in three digits: 255 on the object, 0 elsewhere; for each frame on which it is
    followed, seen or not.
    """

    def write(self, shot: Shot) -> None:
        """Write one frame's files."""
        ids = {score.object_id for score in shot.masks.scores} | {one.object_id for one in shot.objects}
        for object_id in sorted(ids):
            with self.file(f"{object_id:0{_DIGITS}d}/{shot.masks.name}.png") as path:
                Image.fromarray(self._picture(shot, object_id)).save(path, format="PNG", compress_level=3)

    def _picture(self, shot: Shot, object_id: int) -> np.ndarray:
        return np.where(shot.masks.labels == object_id, np.uint8(255), np.uint8(0))


class SoftWriter(ObjectsWriter):
    """The same, with how much of each pixel is the object, as far as the network can tell: its probability."""

    needs_probabilities = True
    highest: ClassVar[int]

    def _picture(self, shot: Shot, object_id: int) -> np.ndarray:
        kind = np.uint8 if self.highest < 256 else np.uint16
        values: np.ndarray = np.rint(shot.alpha(object_id) * self.highest).astype(kind)
        return values


class Soft8Writer(SoftWriter):
    """0 to 255."""

    highest = 255


class Soft16Writer(SoftWriter):
    """0 to 65535."""

    highest = 65535


def is_objects(folder: Path) -> bool:
    """Whether a folder holds folders that are named by ids, and no pictures itself."""
    return folder.is_dir() and not list_pictures(folder) and bool(_folders(folder))


def _folders(folder: Path) -> dict[int, Path]:
    found = {}
    for one in sorted(folder.iterdir()):
        number = re.fullmatch(r"(?:object|obj|id)?[ _-]?(\d+)", one.name, re.IGNORECASE)
        if number and one.is_dir():
            found[int(number[1])] = one
    return found


def read_objects(folder: Path) -> Annotations:
    """A folder for each object, named by its id from 1 on (`007`, `object_7`; where one is called 0, all ids are one
    more, as in SA-V's folders): pictures named as their frames, brighter than half where the object is. Where objects
    overlap, the higher id has the pixel.
    """
    found = Annotations(folder)
    folders = _folders(folder)
    shift = 1 if 0 in folders else 0
    for number, own in sorted(folders.items()):
        for file in sorted(list_pictures(own)):
            try:
                if file.stem not in found:
                    found.add_frame(file.stem, read_size(file))
                if _brighter(file, found.size(file.stem)).any():
                    found.add(file.stem, number + shift, partial(_brighter, file))
            except (*UNREADABLE, ValueError) as error:
                raise MaskError(f"{file}: no mask of one object that can be read ({error})") from error
    return found


def _brighter(file: Path, size: FrameSize) -> Bool[np.ndarray, "h w"]:
    with Image.open(file) as picture:
        values = np.asarray(picture.convert("L") if picture.mode in ("RGB", "RGBA", "LA", "P") else picture)
    highest = {"b": 1, "u": 255}.get(values.dtype.kind, 255) if values.dtype != np.uint16 else 65535
    if values.max(initial=0) <= 1:
        highest = 1
    inside: np.ndarray = values > _HALF * highest
    return inside
