"""What a source that comes but once has shown, kept without loss: FFV1 in RGB, in a Matroska file."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.error import FFmpegError

from devos.frames import Frame, FrameSize
from devos.whole_files import make_folder, output_error

_TICKS_PER_S = 1000


class Recording:
    """A file that grows: what is in it can be read also after a crash, but for the last second or so."""

    def __init__(self, path: Path, fps: Fraction, size: FrameSize) -> None:
        self.path = path
        make_folder(path.parent)
        try:
            self._container: Any = av.open(str(path), "w", options={"flush_packets": "1", "cluster_time_limit": "500"})
            self._stream = self._container.add_stream("ffv1", rate=fps, options={"level": "3", "slices": "4"})
            self._stream.height, self._stream.width = size
            self._stream.pix_fmt = "bgr0"
            self._stream.codec_context.time_base = self._stream.time_base = Fraction(1, _TICKS_PER_S)
            self._stream.codec_context.gop_size = 1
        except (OSError, FFmpegError) as error:
            raise output_error(path, OSError(0, str(error))) from error

    def write(self, frame: Frame) -> None:
        """Add a frame; times are kept to a thousandth of a second."""
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame.rgb), format="rgb24").reformat(format="bgr0")
        picture.pts, picture.time_base = round(frame.time_s * _TICKS_PER_S), Fraction(1, _TICKS_PER_S)
        self._mux(picture)

    def close(self) -> None:
        """Finish the file."""
        container, self._container = self._container, None
        if container is None:
            return
        try:
            container.mux(self._stream.encode(None))
            container.close()
        except (OSError, FFmpegError) as error:
            raise output_error(self.path, OSError(0, str(error))) from error

    def _mux(self, picture: Any) -> None:
        try:
            self._container.mux(self._stream.encode(picture))
        except (OSError, FFmpegError) as error:
            raise output_error(self.path, OSError(0, str(error))) from error
