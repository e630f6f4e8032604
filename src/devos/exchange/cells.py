"""Cell Tracking Challenge: `maskTTT.tif` (16 bits, a label at each pixel) and `res_track.txt` (label, first, last
frame, parent). A label has no gaps: an object that was gone for a while comes back under a new one, whose parent is the
old one. Without gaps labels are the ids. napari and Fiji read the pictures as they are.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Bool
from PIL import Image

from devos.errors import MaskError
from devos.exchange.annotations import DAMAGE, Annotations, quoted
from devos.exchange.writers import FolderWriter, Shot, VideoInfo
from devos.frames import MAX_OBJECT_ID, FrameSize
from devos.io.regions import find_regions

_TABLES = ("res_track.txt", "man_track.txt")
_DIGITS = 3


class CellsWriter(FolderWriter):
    """Frames are numbered from 0, with as many digits as the last one needs, three at least."""

    def __init__(self, path: Path, video: VideoInfo) -> None:
        super().__init__(path, video)
        self._digits = max(_DIGITS, len(str((video.num_frames or 1) - 1)))
        self._label_of: dict[int, int] = {}
        self._tracks: dict[int, list[int]] = {}

    def write(self, shot: Shot) -> None:
        """Write one frame's picture."""
        index, labels = shot.masks.index, np.zeros_like(shot.masks.labels)
        for one in shot.objects:
            labels[one.region.window][one.inside] = self._label(one.object_id, index)
        with self.file(f"mask{index:0{self._digits}d}.tif") as temporary:
            Image.fromarray(labels).save(temporary, format="TIFF", compression="tiff_adobe_deflate")

    def _label(self, object_id: int, index: int) -> int:
        label = self._label_of.get(object_id)
        if label is not None and self._tracks[label][1] == index - 1:
            self._tracks[label][1] = index
            return label
        new, parent = object_id, 0
        if label is not None or object_id in self._tracks:
            new, parent = max(*self._tracks, *self._label_of) + 1, label or 0
        if new > MAX_OBJECT_ID:
            raise MaskError(f"{self.path}: more than {MAX_OBJECT_ID} tracks, which 16 bits do not hold")
        self._label_of[object_id], self._tracks[new] = new, [index, index, parent]
        return new

    def close(self) -> None:
        """Write the table of tracks."""
        rows = (f"{label} {first} {last} {parent}\n" for label, (first, last, parent) in sorted(self._tracks.items()))
        with self.file(_TABLES[0]) as path:
            path.write_text("".join(rows), encoding="utf-8")
        super().close()


def is_cells(folder: Path) -> bool:
    """Whether a folder has a table of tracks beside its masks."""
    return any((folder / name).is_file() for name in _TABLES)


def read_cells(folder: Path) -> Annotations:
    """Masks by the number of the frame; a track has the id of the first one of its line of parents, where that line
    does not fork (a cell that divides becomes two objects).
    """
    found = Annotations(folder)
    try:
        table = next(folder / name for name in _TABLES if (folder / name).is_file())
        rows = [[int(value) for value in line.split()] for line in table.read_text(encoding="utf-8").splitlines()]
        parent_of = {row[0]: row[3] for row in rows if row}
        for file in sorted(folder.glob("*.tif")):
            number = re.fullmatch(r"(?:mask|man_track)(\d+)", file.stem)
            if number is None:
                continue
            with Image.open(file) as picture:
                labels = np.asarray(picture)
            found.add_frame(int(number[1]), FrameSize(*labels.shape))
            for label in find_regions(labels.astype(np.uint16)):
                found.add(int(number[1]), _first_of_line(label, parent_of), partial(_where, file, label))
    except DAMAGE as error:
        raise MaskError(
            f"{folder}: no masks of the Cell Tracking Challenge that can be read ({quoted(error)})"
        ) from error
    return found


def _first_of_line(label: int, parent_of: dict[int, int]) -> int:
    children = list(parent_of.values())
    while parent_of.get(label, 0) and children.count(parent_of[label]) == 1:
        label = parent_of[label]
    return label


def _where(file: Path, label: int, size: FrameSize) -> Bool[np.ndarray, "h w"]:
    with Image.open(file) as picture:
        same: np.ndarray = np.asarray(picture) == label
    return same
