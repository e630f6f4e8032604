"""Write results as they come, each to its own place, holding no more than one frame.

Every sink is a context manager. Leaving it, by whatever way, leaves only files that can be read; what the disk
refuses becomes an `OutputError`. `OverlayVideo`, the sink that draws, has a file of its own.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Literal

from devos.frames import MaskFrame, ObjectScore
from devos.io.files import Sink, output_error, prepare_output, write_json
from devos.io.labels import write_label_png
from devos.io.overlay import OverlayVideo
from devos.io.regions import Region, find_regions

__all__ = ["MaskFolder", "ObjectsTable", "OverlayVideo", "prepare_output", "write_json"]


class MaskFolder:
    """A folder of label PNGs, each named as its frame. One that is there already is replaced."""

    def __init__(self, directory: str | Path) -> None:
        self.directory = Path(directory)
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise output_error(self.directory, error) from error

    def write(self, masks: MaskFrame) -> bytes:
        """Write one frame; its file is whole before this returns. Gives the file's content."""
        return write_label_png(self.directory / f"{masks.name}.png", masks.labels)

    def __enter__(self) -> MaskFolder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is open between frames."""


class ObjectsTable(Sink):
    """A CSV with a line for each object on each frame, on the disk as soon as it is written.

    Columns: frame (its name), index, object (the user's id), presence and confidence (0 to 1, as in `ObjectScore`),
    area (pixels), x_min, y_min, x_max, y_max (pixels, the last ones included; empty where the object has no pixel).
    """

    COLUMNS = ("frame", "index", "object", "presence", "confidence", "area", "x_min", "y_min", "x_max", "y_max")

    def __init__(self, path: str | Path, *, append: bool = False) -> None:
        self.path = Path(path)
        mode: Literal["a", "w"] = "a" if append and self.path.exists() else "w"
        try:
            self._file = self.path.open(mode, newline="", encoding="utf-8", buffering=1)
        except OSError as error:
            raise output_error(self.path, error) from error
        self._num_bytes = self._file.tell()
        """Of the frames that are written completely."""
        self._rows = csv.writer(self._file, lineterminator="\n")
        if mode == "w":
            self._write([self.COLUMNS])

    def write(self, masks: MaskFrame) -> None:
        """Add the lines of one frame, an object without pixels too."""
        regions = find_regions(masks.labels)
        self.add(masks.name, masks.index, ((score, regions.get(score.object_id)) for score in masks.scores))

    def add(self, name: str, index: int, objects: Iterable[tuple[ObjectScore, Region | None]]) -> None:
        """Add the lines of a frame of which it is known how each object does and where it is."""
        self._write([_row(name, index, score, region) for score, region in objects])

    def close(self) -> None:
        """Close the file; a full disk is told here at the latest."""
        try:
            self._file.close()
        except OSError as error:
            raise output_error(self.path, error) from error

    def _write(self, rows: list[tuple[object, ...]]) -> None:
        try:
            self._rows.writerows(rows)
            self._file.flush()
            self._num_bytes = self._file.tell()
        except OSError as error:
            with suppress(OSError):
                self._file.close()
            with suppress(OSError):  # a full disk takes half a line
                os.truncate(self.path, self._num_bytes)
            raise output_error(self.path, error) from error


def _row(name: str, index: int, score: ObjectScore, region: Region | None) -> tuple[object, ...]:
    area, *box = region or (0, "", "", "", "")
    return (name, index, score.object_id, f"{score.presence:.4f}", f"{score.confidence:.4f}", area, *box)
