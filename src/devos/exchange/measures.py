"""CSV of measures: for each object on each frame its area, box, middle, speed, and the objects that it touches."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
from jaxtyping import UInt16

from devos.exchange.writers import Shot, VideoInfo, Writer
from devos.whole_files import output_error, partial_path

COLUMNS = ("frame", "index", "time_s", "object", "name", "area_px", "x", "y", "width", "height", "centre_x", "centre_y",
           "speed_px_per_frame", "touching")  # fmt: skip


class MeasuresWriter(Writer):
    """A line for each object that has a pixel. x and y: the box's corner; the centre: the mean of its pixels' centres,
    which lie at whole numbers; speed: how far the centre moved since the frame before on which it was seen, for each
    frame between; touching: ids, with spaces, that a pixel of it has among its eight neighbours.
    """

    def __init__(self, path: Path, video: VideoInfo) -> None:
        super().__init__(path, video)
        self._before: dict[int, tuple[int, float, float]] = {}
        try:
            self._file = partial_path(path).open("w", newline="", encoding="utf-8")
        except OSError as error:
            raise output_error(path, error) from error
        self._rows = csv.writer(self._file, lineterminator="\n")
        self._rows.writerow(COLUMNS)

    def write(self, shot: Shot) -> None:
        """Add the lines of one frame."""
        index, touching = shot.masks.index, touching_objects(shot.masks.labels) if len(shot.objects) > 1 else {}
        rows = []
        for one in shot.objects:
            ys, xs = np.nonzero(one.inside)
            x, y = float(xs.mean()) + one.region.x_min, float(ys.mean()) + one.region.y_min
            speed = ""
            if (before := self._before.get(one.object_id)) is not None:
                speed = f"{math.hypot(x - before[1], y - before[2]) / (index - before[0]):.3f}"
            self._before[one.object_id] = index, x, y
            others = " ".join(map(str, sorted(touching.get(one.object_id, ()))))
            rows.append((shot.masks.name, index, f"{shot.masks.time_s:.6f}", one.object_id,
                         self.video.names.get(one.object_id, ""), one.region.area, *one.box, f"{x:.3f}", f"{y:.3f}",
                         speed, others))  # fmt: skip
        try:
            self._rows.writerows(rows)
        except OSError as error:
            raise output_error(self.path, error) from error

    def close(self) -> None:
        """Give the file its name."""
        try:
            self._file.close()
            partial_path(self.path).replace(self.path)
        except OSError as error:
            raise output_error(self.path, error) from error

    def discard(self) -> None:
        """Without a file."""
        self._file.close()
        partial_path(self.path).unlink(missing_ok=True)


def touching_objects(labels: UInt16[np.ndarray, "h w"]) -> dict[int, set[int]]:
    """For each object the others that have a pixel right beside one of its own, also over a corner."""
    touching: dict[int, set[int]] = {}
    pairs = ((labels[:, :-1], labels[:, 1:]), (labels[:-1], labels[1:]), (labels[:-1, :-1], labels[1:, 1:]),
             (labels[:-1, 1:], labels[1:, :-1]))  # fmt: skip
    for one, other in pairs:
        here = (one != other) & (one > 0) & (other > 0)
        for a, b in np.unique(np.stack([one[here], other[here]], 1), axis=0).tolist():
            touching.setdefault(a, set()).add(b)
            touching.setdefault(b, set()).add(a)
    return touching
