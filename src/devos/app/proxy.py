"""A small copy of the video beside the project, each frame a JPEG: what is shown at once, while the frame itself comes.

Another process makes it, at the lowest priority, and looks for cuts as it goes. `pictures` holds one JPEG after the
other; `places` says of each 16 bytes: its frame (int32), whether a shot begins with it (int32), where its JPEG ends
(int64). What is in `places` is whole, so a copy that was cut off is gone on with. It may be deleted at any time.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Lock, Thread
from typing import Any

import numpy as np

PICTURES, PLACES = "pictures", "places"
_WAIT_S = 0.7
"""After the last thing that somebody waited for."""
ENTRY = np.dtype([("frame", "<i4"), ("cut", "<i4"), ("end", "<i8")])


class Proxy:
    """What there is of the copy so far. May be asked by any thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = Lock()
        self._places: dict[int, tuple[int, int]] = {}
        self._frames = np.zeros(0, np.int64)
        self._cuts: list[int] = []
        self._num_read = self._end = 0
        self._maker: subprocess.Popen[str] | None = None
        self._wanted, self._is_held = 0.0, False

    def begin(self, video: Path, choices: dict[str, Any], tell: Callable[[], None]) -> None:
        """Have it made; `tell` is called about once a second while it grows, and at its end."""
        task = json.dumps({"video": str(video), "choices": choices, "folder": str(self._folder)})
        group = 0 if sys.platform != "win32" else None  # Ctrl-C is for the app, which ends this one
        self._maker = subprocess.Popen([sys.executable, "-m", "devos.app.proxy_maker", task], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, text=True, process_group=group)  # fmt: skip
        Thread(target=self._listen, args=(self._maker, tell), daemon=True, name="devos app proxy").start()

    def give_way(self) -> None:
        """Somebody waits for something else: hold it for a moment, where the system can."""
        self._wanted = time.monotonic()
        if not self._is_held and self._maker is not None and self._maker.poll() is None and sys.platform != "win32":
            self._is_held = True
            self._maker.send_signal(signal.SIGSTOP)
            Thread(target=self._let_go, args=(self._maker,), daemon=True, name="devos app proxy waits").start()

    def _let_go(self, maker: subprocess.Popen[str]) -> None:
        while (left := self._wanted + _WAIT_S - time.monotonic()) > 0:
            time.sleep(left)
        self._is_held = False
        maker.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """Make no more of it."""
        if self._maker is not None:
            self._maker.kill()
            self._maker.wait()

    @property
    def cuts(self) -> list[int]:
        """Frames with which a shot begins, as far as the video was looked through."""
        self._read()
        return self._cuts

    @property
    def num_frames(self) -> int:
        """How many frames are in it."""
        self._read()
        return len(self._places)

    def jpeg(self, frame: int) -> bytes | None:
        """A frame; None while it is not there."""
        self._read()
        place = self._places.get(frame)
        if place is None:
            return None
        with suppress(OSError), (self._folder / PICTURES).open("rb") as file:
            file.seek(place[0])
            return file.read(place[1])
        return None

    def nearest(self, frame: int) -> int | None:
        """The frame of the copy that lies nearest; None while it has none."""
        self._read()
        with self._lock:
            if len(self._frames) != len(self._places):
                self._frames = np.array(sorted(self._places))
            frames = self._frames
        if not len(frames):
            return None
        right = int(np.searchsorted(frames, frame))
        around = frames[max(0, right - 1) : right + 1]
        return int(around[np.abs(around - frame).argmin()])

    def _read(self) -> None:
        """Take note of what was added."""
        with self._lock, suppress(OSError), (self._folder / PLACES).open("rb") as file:
            file.seek(self._num_read * ENTRY.itemsize)
            new = file.read()
            added = np.frombuffer(new[: len(new) // ENTRY.itemsize * ENTRY.itemsize], ENTRY)
            for frame, cut, end in added.tolist():
                self._places[frame] = (self._end, end - self._end)
                self._end = end
                if cut:
                    self._cuts = sorted({*self._cuts, frame})
            self._num_read += len(added)

    @staticmethod
    def _listen(maker: subprocess.Popen[str], tell: Callable[[], None]) -> None:
        assert maker.stdout is not None
        with maker.stdout:
            for _ in maker.stdout:
                tell()
