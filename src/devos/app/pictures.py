"""Frames of a video as JPEG, whichever is asked for, from a bounded cache."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import suppress
from threading import RLock

import cv2
import numpy as np
from jaxtyping import UInt8

from devos.app.bounded import MOST_BYTES, Bounded
from devos.errors import DevosError, VideoError
from devos.frames import Frame
from devos.io import VideoReader

WIDTHS = (240, 480, 960, 1920)
"""What a picture may be made smaller to; the page asks for one of them, or for all pixels."""
THUMB = 160
"""Width of the pictures along the timeline."""
_QUALITY = 88
_NEAR = 24
"""A frame that lies so few beyond the last one is come to by going on."""


class Pictures:
    """One reader for however many ask; they wait for each other."""

    def __init__(self, reader: VideoReader, decodes: Callable[[], None] = lambda: None) -> None:
        """`decodes` is called whenever somebody waits for a frame."""
        self.reader, self._decodes = reader, decodes
        self._lock = RLock()
        self._frames: Bounded[Frame] = Bounded()
        self._jpegs: Bounded[bytes] = Bounded()
        self._coming: Generator[Frame, None, None] | None = None
        self._next = -1
        self.end: int | None = reader.num_frames if reader.num_frames_is_exact else None
        """How many frames there are, once that is known."""

    def frame(self, index: int) -> Frame:
        """A frame. IndexError beyond the end."""
        with self._lock:
            if (kept := self._frames.get(index)) is not None:
                return kept
            if index < 0 or (self.end is not None and index >= self.end):
                raise IndexError(index)
            self._decodes()
            found = self._go_on(index)
            if found is None:
                raise IndexError(index)
            return found

    def jpeg(self, index: int, width: int | None) -> bytes:
        """A frame as JPEG, at most so wide."""
        key = (index, width)
        kept = self._jpegs.get(key)
        if kept is None:
            kept = encoded(self.frame(index).rgb, width)
            self._jpegs.put(key, kept, len(kept))
        return kept

    def prepare(self) -> None:
        """Find out where decoding can begin, so that the first jump need not."""
        with suppress(DevosError, OSError):
            self.reader.key_frame_before(0)

    def close(self) -> None:
        """Close the video."""
        with self._lock:
            if self._coming is not None:
                self._coming.close()
            self.reader.close()

    def _go_on(self, index: int) -> Frame | None:
        """Decode up to a frame, keeping what comes by; a little before it where one goes back."""
        if self._coming is None or not self._next <= index < self._next + _NEAR:
            start = max(0, index - 1)  # the frame before comes by anyway, and is looked at next as often as not
            if 0 <= self._next - index <= _NEAR:  # step by step backwards
                start = max(0, index - self._most_before())
            if self._coming is not None:
                self._coming.close()
            self._coming, self._next = self.reader.read_range(start), start
        try:
            for frame in self._coming:
                self._next = frame.index + 1
                self._frames.put(frame.index, frame, frame.rgb.nbytes)
                if frame.index >= index:
                    return frame if frame.index == index else None
        except VideoError:
            self._coming = None
            raise
        self._coming = None
        self.end = max(self._next, 0) if self.end is None else self.end
        return None

    def _most_before(self) -> int:
        size = self.reader.size
        return max(0, min(12, MOST_BYTES // 2 // (3 * size.height * size.width) - 1))


def encoded(rgb: UInt8[np.ndarray, "h w 3"], width: int | None) -> bytes:
    """A picture as JPEG, at most so wide."""
    if width is not None and width < rgb.shape[1]:
        height = max(1, round(rgb.shape[0] * width / rgb.shape[1]))
        rgb = cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA)
    with suppress(cv2.error):
        done, data = cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
        if done:
            return bytes(data)
    raise VideoError("a frame could not be made a JPEG; it is larger than JPEG allows")


def smaller(jpeg: bytes, width: int) -> bytes:
    """A JPEG made smaller."""
    bgr = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_REDUCED_COLOR_2)
    return encoded(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), width)
