"""NPZ: all labels as one array, and what an array does not tell: each frame's index, name and time, and the rate."""

from __future__ import annotations

import zipfile
import zlib
from array import array
from pathlib import Path
from typing import Any

import numpy as np

from devos.exchange.spools import Spool
from devos.exchange.writers import Shot, VideoInfo, Writer
from devos.whole_files import replacing


class NpzWriter(Writer):
    """`labels` (frames h w; uint8, uint16 with ids above 255), `index`, `name`, `time_s`, `fps`; for `numpy.load`."""

    def __init__(self, path: Path, video: VideoInfo) -> None:
        super().__init__(path, video)
        self._labels = Spool(path.parent)
        self._index, self._time_s, self._names = array("q"), array("d"), list[str]()
        self._highest = 0

    def write(self, shot: Shot) -> None:
        """Add one frame."""
        self._labels.add(zlib.compress(np.ascontiguousarray(shot.masks.labels).tobytes(), 1))
        self._index.append(shot.masks.index)
        self._time_s.append(shot.masks.time_s)
        self._names.append(shot.masks.name)
        self._highest = max(self._highest, *(one.object_id for one in shot.objects), 0)

    def close(self) -> None:
        """Write the file."""
        kind = np.dtype(np.uint8 if self._highest < 256 else np.uint16)
        others = {"index": np.array(self._index, np.int64), "name": np.array(self._names or [""])[: len(self._names)],
                  "time_s": np.array(self._time_s, np.float64), "fps": np.float64(self.video.fps)}  # fmt: skip
        with (
            replacing(self.path) as temporary,
            zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=4) as archive,
        ):
            with archive.open("labels.npy", "w", force_zip64=True) as file:
                self._write_labels(file, kind)
            for name, values in others.items():
                with archive.open(f"{name}.npy", "w") as file:
                    np.lib.format.write_array(file, np.asanyarray(values), allow_pickle=False)
        self.discard()

    def _write_labels(self, file: Any, kind: np.dtype[Any]) -> None:
        shape = (len(self._labels), *self.video.size)
        head = {"descr": kind.str, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, head)
        for piece in self._labels:
            file.write(np.frombuffer(zlib.decompress(piece), np.uint16).astype(kind).tobytes())

    def discard(self) -> None:
        """Nothing has its name yet."""
        self._labels.close()
