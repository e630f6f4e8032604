"""Cell Tracking Challenge: `maskTTT.tif` (16 bits, a label at each pixel) and `res_track.txt` (label, first, last
frame, parent). A label has no gaps: an object that was gone for a while comes back under a new one, whose parent is the
old one. Without gaps labels are the ids. napari and Fiji read the pictures as they are.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from devos.errors import MaskError
from devos.exchange.coco import write_text
from devos.exchange.tables import MaskWriter, VideoInfo
from devos.frames import MAX_OBJECT_ID, MaskFrame
from devos.whole_files import output_error, replacing


class CellsWriter(MaskWriter):
    """`path` is the folder."""

    def __init__(self, path: Path, video: VideoInfo) -> None:
        super().__init__(path, video)
        self._digits = max(3, len(str(video.num_frames - 1)))
        self._label_of: dict[int, int] = {}
        self._tracks: dict[int, list[int]] = {}
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise output_error(path, error) from error

    def write(self, masks: MaskFrame) -> None:
        """Write one frame's picture."""
        labels = np.zeros_like(masks.labels)
        for object_id in (int(value) for value in np.unique(masks.labels) if value):
            labels[masks.labels == object_id] = self._label(object_id, masks.index)
        with replacing(self.path / f"mask{masks.index:0{self._digits}d}.tif") as temporary:
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
        write_text(self.path / "res_track.txt", "".join(rows))
