"""Write a video of the frames with their objects drawn on them."""

from __future__ import annotations

import math
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.error import FFmpegError

from devos.errors import OutputError
from devos.frames import Frame, FrameSize, MaskFrame
from devos.io.drawing import draw_overlay
from devos.io.files import Sink, output_error, partial_path

_MIN_TICKS_PER_S = 10_000
_ENCODERS = (("libx264", {"crf": "19", "preset": "superfast"}), ("mpeg4", {"q:v": "4"}))
"""Tried in order, with their settings for good quality.

`superfast` and `veryfast` at one crf come out equally good; the file is a third larger, the time half.
"""


class OverlayVideo(Sink):
    """An mp4 (H.264) with the source's frame rate and its frames' own times.

    While it grows it is a fragmented file under the name `overlay.partial.mp4`, which plays up to its last fragment
    even if the process is killed. Leaving the `with`, also through an error or Ctrl-C, makes it a plain mp4 under its
    own name. An odd width or height grows by one pixel, as H.264 wants them even.
    """

    def __init__(self, path: str | Path, fps: Fraction, size: FrameSize) -> None:
        self.path = Path(path)
        self._partial = partial_path(self.path)
        self._size = size
        # ticks so fine that varying frame times keep their place, and of which each frame of `fps` is a whole number
        self._ticks_per_s = fps.numerator * math.ceil(_MIN_TICKS_PER_S / fps.numerator)
        self._ticks_per_frame = round(self._ticks_per_s / fps)
        self._first_s: float | None = None
        self._next_pts = 0
        try:
            # hybrid: fragments while writing, turned into a plain file at the end
            movflags = "+hybrid_fragmented+frag_keyframe"
            options = {"movflags": movflags, "flush_packets": "1"}
            # libav opens the file with the first packet only, too late to tell that it cannot be written
            self._partial.touch()
            self._container: Any = av.open(str(self._partial), "w", format="mp4", options=options)
            self._stream = self._add_stream(fps)
        except (OSError, FFmpegError) as error:
            raise self._failure(error) from error

    def write(self, frame: Frame, masks: MaskFrame) -> None:
        """Draw and encode one frame."""
        if frame.size != self._size:
            raise ValueError(f"the overlay is {self._size}, but frame {frame.name} is {frame.size}")
        # not a copy: the encoder converts it before this returns, and nobody else has it
        picture = av.VideoFrame.from_numpy_buffer(_to_even(draw_overlay(frame, masks)), format="rgb24")
        if self._first_s is None:
            self._first_s = frame.time_s
        pts = max(self._next_pts, round((frame.time_s - self._first_s) * self._ticks_per_s))
        self._next_pts = pts + 1
        picture.pts, picture.time_base = pts, self._stream.codec_context.time_base
        picture.duration = self._ticks_per_frame
        self._mux(picture)

    def close(self) -> None:
        """Finish the file and give it its name; nothing is left where no frame was written."""
        if self._container is None:
            return
        if self._first_s is not None:
            self._mux(None)
        container, self._container = self._container, None
        try:
            container.close()
            if self._first_s is None:
                self._partial.unlink(missing_ok=True)
            else:
                self._partial.replace(self.path)
        except (OSError, FFmpegError) as error:
            raise self._failure(error) from error

    def _add_stream(self, fps: Fraction) -> Any:
        codec, options = next(encoder for encoder in _ENCODERS if encoder[0] in av.codecs_available)
        stream = self._container.add_stream(codec, rate=fps, options=options)
        stream.height, stream.width = (side + side % 2 for side in self._size)
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = stream.time_base = Fraction(1, self._ticks_per_s)
        stream.codec_context.gop_size = max(1, round(2 * fps))
        return stream

    def _mux(self, picture: Any) -> None:
        """Encode a picture, or with None what the encoder still holds."""
        if self._container is None:
            raise ValueError(f"{self.path} is closed")
        try:
            for packet in self._stream.encode(picture):
                self._container.mux(packet)
        except (OSError, FFmpegError) as error:
            raise self._failure(error) from error

    def _failure(self, error: Exception) -> OutputError:
        """Remove what was begun, and say why in one line."""
        container, self._container = getattr(self, "_container", None), None
        if container is not None:
            with suppress(OSError, FFmpegError):
                container.close()
        with suppress(OSError):
            self._partial.unlink(missing_ok=True)
        strerror = getattr(error, "strerror", None) or str(error)
        return output_error(self.path, OSError(0, strerror))


def _to_even(rgb: np.ndarray) -> np.ndarray:
    """Repeat the last row or column where their number is odd."""
    height, width = rgb.shape[:2]
    if height % 2 == 0 and width % 2 == 0:
        return rgb
    return np.pad(rgb, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
