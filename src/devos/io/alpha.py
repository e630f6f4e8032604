"""What was followed, cut out: RGBA pictures, and videos with an alpha channel or before green."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.error import FFmpegError
from PIL import Image

from devos.errors import OutputError
from devos.frames import Frame, FrameSize, MaskFrame
from devos.io.files import Sink, output_error, partial_path, replacing
from devos.io.look import PICTURES, Look

KINDS = {
    "prores": ("prores.mov", "prores_ks", "yuva444p10le", {"profile": "4444", "alpha_bits": "16"}),
    "ffv1": ("ffv1.mkv", "ffv1", "yuva444p", {"level": "3"}),
    "vp9": ("vp9.webm", "libvpx-vp9", "yuva420p", {"crf": "20", "b": "0", "deadline": "good", "cpu-used": "5"}),
    "green": ("green.mp4", "libx264", "yuv420p", {"crf": "14", "preset": "veryfast"}),
}
"""For each kind of video its file, encoder, pixel format and settings; `green` alone has no alpha."""
_GREEN = (0, 177, 64)
_TICKS_PER_S = 90_000


class CutoutFolder(Sink):
    """A folder of RGBA PNGs, straight alpha: 255 on every object, 0 elsewhere, the picture's colours everywhere."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise output_error(directory, error) from error

    def write(self, frame: Frame, masks: MaskFrame) -> None:
        """Write one frame; its file is whole before this returns."""
        with replacing(self.directory / f"{masks.name}.png") as temporary:
            Image.fromarray(_rgba(frame, masks)).save(temporary, format="PNG", compress_level=3)

    def close(self) -> None:
        """Every file is whole already."""


class CutoutVideo(Sink):
    """A video of what was followed, with the source's frame times and colours' tags. It is whole or not there."""

    def __init__(self, path: Path, kind: str, fps: Fraction, size: FrameSize, look: Look = PICTURES) -> None:
        _, codec, self._pix_fmt, options = KINDS[kind]
        self.path, self._partial, self._look = path, partial_path(path), look
        self._is_green = kind == "green"
        if codec not in av.codecs_available:
            raise OutputError(f"{path}: the encoder {codec} is not in this build of PyAV; choose another kind")
        # 4:2:0 needs even sides; the other kinds take any
        self._even = self._pix_fmt in ("yuv420p", "yuva420p")
        self._first_s: float | None = None
        self._last_pts = -1
        try:
            self._partial.touch()
            self._container: Any = av.open(str(self._partial), "w")
            self._stream: Any = self._container.add_stream(codec, rate=fps, options=dict(options))
            height, width = (side + side % 2 if self._even else side for side in size)
            self._stream.height, self._stream.width, self._stream.pix_fmt = height, width, self._pix_fmt
            self._stream.codec_context.time_base = Fraction(1, _TICKS_PER_S)
            look.mark(self._stream.codec_context)
        except (OSError, FFmpegError) as error:
            raise output_error(path, OSError(0, str(error))) from error

    def write(self, frame: Frame, masks: MaskFrame) -> None:
        """Encode one frame."""
        rgba = _rgba(frame, masks)
        if self._is_green:
            rgba[rgba[..., 3] == 0] = (*_GREEN, 255)
        if self._even:
            rgba = np.pad(rgba, ((0, rgba.shape[0] % 2), (0, rgba.shape[1] % 2), (0, 0)), mode="edge")
        self._first_s = frame.time_s if self._first_s is None else self._first_s
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgba), format="rgba").reformat(
            format=self._pix_fmt, dst_colorspace=self._look.conversion, dst_color_range=self._look.colour_range or 1
        )
        pts = max(self._last_pts + 1, round((frame.time_s - self._first_s) * _TICKS_PER_S))
        self._last_pts = pts
        picture.pts, picture.time_base = pts, Fraction(1, _TICKS_PER_S)
        self._mux(picture)

    def close(self) -> None:
        """Finish the file and give it its name."""
        if self._container is None:
            return
        if self._first_s is not None:
            self._mux(None)
        container, self._container = self._container, None
        try:
            container.close()
            self._partial.replace(self.path)
        except (OSError, FFmpegError) as error:
            self._partial.unlink(missing_ok=True)
            raise output_error(self.path, OSError(0, str(error))) from error

    def _mux(self, picture: Any) -> None:
        try:
            self._container.mux(self._stream.encode(picture))
        except (OSError, FFmpegError) as error:
            raise output_error(self.path, OSError(0, str(error))) from error


def _rgba(frame: Frame, masks: MaskFrame) -> np.ndarray:
    alpha = np.where(masks.labels > 0, np.uint8(255), np.uint8(0))
    return np.dstack([frame.rgb, alpha])
