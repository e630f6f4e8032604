"""The process that makes a video's small copy (`devos.app.proxy`): some frames from all over it first, then all.

    python -m devos.app.proxy_maker '{"video": ..., "choices": ..., "folder": ...}'

It ends with whoever began it: when its standard input does.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from contextlib import closing, suppress
from pathlib import Path
from threading import Thread
from typing import BinaryIO

import cv2
import numpy as np
from filelock import FileLock, Timeout
from jaxtyping import UInt8

from devos.app.proxy import ENTRY, PICTURES, PLACES
from devos.engine.cuts import has_other_colours, is_cut
from devos.errors import DevosError
from devos.flow.estimator import DisFlow
from devos.frames import Frame
from devos.io import VideoReader
from devos.pipeline.opening import open_input

WIDTHS = (640, 480, 320, 240, 160)
MOST_BYTES = 256 << 20
_FREE_SHARE = 0.25
"""Of what is free on the disk, at most so much is taken."""
_BYTES_A_PIXEL = 0.11
"""Of a JPEG of this quality, about."""
_QUALITY = 72
_STRIP = 48
"""Frames from all over the video that come first."""
_TELL_S = 1.0
_Picture = UInt8[np.ndarray, "h w 3"]


class Maker:
    """Adds to a copy, never more than is allowed."""

    def __init__(self, folder: Path, reader: VideoReader) -> None:
        self._reader = reader
        self._pictures = (folder / PICTURES).open("ab")
        self._places = (folder / PLACES).open("ab")
        known = np.fromfile(folder / PLACES, ENTRY)
        self._end = int(known["end"][-1]) if len(known) else 0
        _cut_to(self._places, len(known) * ENTRY.itemsize)
        _cut_to(self._pictures, self._end)
        self._known = set(known["frame"].tolist())
        self._most = min(MOST_BYTES, int(_FREE_SHARE * shutil.disk_usage(folder).free) + self._end)
        self._width = _width_for(reader, self._most)
        self._told = time.monotonic()

    def make(self) -> None:
        """All of it, from where it is."""
        self._make_strip()
        before: _Picture | None = None
        first = max(0, self._first_missing() - 1)  # the one before shows whether there is a cut
        with closing(self._reader.read_range(first)) as frames:
            for frame in frames:
                small = self._small(frame)
                is_first = before is not None and cuts_between(before, small)
                if not self._add(frame.index, small, is_first):
                    return
                before = small

    def close(self) -> None:
        """No more is added."""
        self._pictures.close()
        self._places.close()
        print(flush=True)

    def _make_strip(self) -> None:
        count = self._reader.num_frames or 0
        if self._known or count < 2 * _STRIP:
            return
        for place in sorted({self._reader.key_frame_before(i * count // _STRIP) for i in range(_STRIP)}):
            with closing(self._reader.read_range(place, place + 1)) as frames:
                for frame in frames:
                    self._add(frame.index, self._small(frame), False)

    def _first_missing(self) -> int:
        """Where the copy is whole up to."""
        frame = 0
        while frame in self._known:
            frame += 1
        return frame

    def _small(self, frame: Frame) -> _Picture:
        height, width = frame.rgb.shape[:2]
        if width <= self._width:
            return frame.rgb
        size = self._width, max(1, round(height * self._width / width))
        small: np.ndarray = cv2.resize(frame.rgb, size, interpolation=cv2.INTER_AREA)
        return small

    def _add(self, index: int, small: _Picture, cut: bool) -> bool:
        """Whether there is room for more. A frame that is there is added again only to say that a shot begins."""
        if index in self._known and not cut:
            return True
        is_done, data = cv2.imencode(
            ".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
        )
        if not is_done or self._end + len(data) > self._most:
            return False
        self._pictures.write(data.tobytes())
        self._pictures.flush()
        self._end += len(data)
        self._places.write(np.array([(index, cut, self._end)], ENTRY).tobytes())
        self._places.flush()
        self._known.add(index)
        if time.monotonic() > self._told + _TELL_S:
            self._told = time.monotonic()
            print(flush=True)
        return True


def cuts_between(before: _Picture, now: _Picture) -> bool:
    """Whether another shot begins; the motion is looked for only where colours say that it may."""
    if before.shape != now.shape or not has_other_colours(before, now):
        return False
    height, width = (side // 2 * 2 for side in now.shape[:2])
    before, now = before[:height, :width], now[:height, :width]
    return is_cut(before, now, DisFlow().estimate(before, now))


def _width_for(reader: VideoReader, most: int) -> int:
    count, shape = reader.num_frames or 1, reader.size.height / reader.size.width
    return next((w for w in WIDTHS if w * w * shape * _BYTES_A_PIXEL * count <= most), WIDTHS[-1])


def _cut_to(file: BinaryIO, size: int) -> None:
    if file.seek(0, os.SEEK_END) > size:
        file.truncate(size)
        file.seek(size)


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(0)


def main() -> None:
    """Do the task; whatever is wrong with the video is told where it is opened to be seen."""
    Thread(target=_end_with_parent, daemon=True).start()
    with suppress(AttributeError, OSError):
        os.nice(10)
    cv2.setNumThreads(1)
    task = json.loads(sys.argv[1])
    folder = Path(task["folder"])
    with suppress(DevosError, OSError, Timeout):
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / "lock", timeout=0), open_input(Path(task["video"]), task["choices"]) as reader:
            maker = Maker(folder, reader)
            try:
                maker.make()
            finally:
                maker.close()


if __name__ == "__main__":
    main()
