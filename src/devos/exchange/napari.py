"""napari and Fiji: one TIFF of labels with a page for each frame, and a table of tracks as napari's layer has them."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool
from PIL import Image

from devos.errors import MaskError
from devos.exchange.annotations import DAMAGE, Annotations, quoted
from devos.exchange.needed import needed
from devos.exchange.writers import FolderWriter, Shot, VideoInfo
from devos.frames import FrameSize
from devos.io.regions import find_regions
from devos.whole_files import output_error

_LABELS, _TRACKS = "labels.tif", "tracks.csv"


class NapariWriter(FolderWriter):
    """`labels.tif`, 16 bits, deflated; `tracks.csv`: track id (the object's), t (the frame), y, x (its middle, px)."""

    def __init__(self, path: Path, video: VideoInfo) -> None:
        tifffile = _library()
        super().__init__(path, video)
        height, width = video.size
        is_big = (video.num_frames or 0) * height * width * 2 > 1 << 31
        try:
            self._tiff: Any = tifffile.TiffWriter(self.growing(_LABELS), bigtiff=is_big)
            self._table = self.growing(_TRACKS).open("w", encoding="utf-8", newline="")
            self._table.write("track-id,t,y,x\n")
        except OSError as error:
            raise output_error(path, error) from error

    @classmethod
    def check(cls) -> None:
        """OptionError without tifffile."""
        _library()

    def write(self, shot: Shot) -> None:
        """Add one page, and a line for each object."""
        try:
            self._tiff.write(shot.masks.labels, photometric="minisblack", compression="zlib", metadata=None)
            for one in shot.objects:
                y, x = (float(np.mean(places)) for places in np.nonzero(one.inside))
                y, x = y + one.region.y_min, x + one.region.x_min
                self._table.write(f"{one.object_id},{shot.masks.index},{y:.3f},{x:.3f}\n")
        except OSError as error:
            raise output_error(self.path, error) from error

    def close(self) -> None:
        """Finish both files."""
        try:
            self._tiff.close()
            self._table.close()
            for name in (_LABELS, _TRACKS):
                with self.file(name) as path:
                    self.growing(name).replace(path)
        except OSError as error:
            raise output_error(self.path, error) from error
        super().close()

    def discard(self) -> None:
        """Without the files that are not finished."""
        self._tiff.close()
        self._table.close()
        for name in (_LABELS, _TRACKS):
            self.growing(name).unlink(missing_ok=True)
        super().discard()


def _library() -> Any:
    return needed("tifffile", "the format napari", "formats")


def read_stack(path: Path) -> Annotations:
    """Labels of a TIFF with a page for each frame, numbered from 0; of a folder that `NapariWriter` wrote, its own."""
    file = path / _LABELS if path.is_dir() else path
    found = Annotations(path)
    try:
        with Image.open(file) as picture:
            for number in range(int(getattr(picture, "n_frames", 1))):
                picture.seek(number)
                labels = _whole_numbers(np.asarray(picture))
                found.add_frame(number, FrameSize(*labels.shape))
                for object_id in find_regions(labels):
                    found.add(number, object_id, partial(_where, file, number, object_id))
    except DAMAGE as error:
        raise MaskError(f"{path}: no TIFF of labels that can be read ({quoted(error)})") from error
    return found


def _whole_numbers(values: np.ndarray) -> np.ndarray:
    if values.ndim != 2 or values.dtype.kind not in "uib":
        raise ValueError(f"pages of {values.dtype} with {values.ndim} axes; labels are whole numbers, y and x")
    if values.max(initial=0) > 65535 or values.min(initial=0) < 0:
        raise ValueError(f"labels from {values.min()} to {values.max()}; ids go from 1 to 65535")
    return values.astype(np.uint16)


def _where(file: Path, number: int, object_id: int, size: FrameSize) -> Bool[np.ndarray, "h w"]:
    with Image.open(file) as picture:
        picture.seek(number)
        same: np.ndarray = np.asarray(picture) == object_id
    return same
