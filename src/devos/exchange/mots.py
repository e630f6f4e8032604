"""MOTS: a 16-bit PNG for each frame (class * 1000 + instance), and the same as text with COCO's run lengths."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from devos.errors import MaskError
from devos.exchange.writers import FolderWriter, Shot, VideoInfo
from devos.whole_files import output_error

_CLASS, _MOST = 1, 999
_TEXT = "instances.txt"


class MotsWriter(FolderWriter):
    """`instances/FRAME.png`, FRAME in six digits from 0, and `instances.txt`: frame, class * 1000 + id, class, height,
    width, run lengths. All objects are of class 1. MaskError for an id above 999.
    """

    def __init__(self, path: Path, video: VideoInfo) -> None:
        super().__init__(path, video)
        try:
            self._text = self.growing(_TEXT).open("w", encoding="utf-8")
        except OSError as error:
            raise output_error(path, error) from error

    def write(self, shot: Shot) -> None:
        """Write one frame's picture and lines."""
        index, (height, width) = shot.masks.index, self.video.size
        if shot.objects and shot.objects[-1].object_id > _MOST:
            raise MaskError(f"{self.path}: object {shot.objects[-1].object_id} has no place in MOTS, whose instances "
                            f"go to {_MOST}; choose another format")  # fmt: skip
        values = np.where(shot.masks.labels > 0, shot.masks.labels + np.uint16(_CLASS * 1000), 0).astype(np.uint16)
        with self.file(f"instances/{index:06d}.png") as path:
            Image.fromarray(values).save(path, format="PNG", compress_level=3)
        try:
            for one in shot.objects:
                number = _CLASS * 1000 + one.object_id
                self._text.write(f"{index} {number} {_CLASS} {height} {width} {one.counts}\n")
        except OSError as error:
            raise output_error(self.path, error) from error

    def close(self) -> None:
        """Give the text its name."""
        try:
            self._text.close()
            with self.file(_TEXT) as path:
                self.growing(_TEXT).replace(path)
        except OSError as error:
            raise output_error(self.path, error) from error
        super().close()

    def discard(self) -> None:
        """Without the text."""
        self._text.close()
        self.growing(_TEXT).unlink(missing_ok=True)
        super().discard()
