"""What was followed as a video with an alpha channel, or before green."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar

import av
import numpy as np
from av.error import FFmpegError
from av.video.reformatter import VideoReformatter

from devos.errors import OptionError
from devos.exchange.cutouts import rgba_of
from devos.exchange.matroska import PLACEHOLDER, say_pixel_aspect
from devos.exchange.writers import Shot, VideoInfo, Writer
from devos.io.look import ticks_per_s
from devos.io.sound import Sound
from devos.whole_files import output_error, partial_path

_GREEN = (0, 177, 64)


@dataclass(frozen=True)
class Coding:
    """An encoder, its pixel format and its settings."""

    encoder: str
    pix_fmt: str
    options: dict[str, str]


class CutoutVideoWriter(Writer):
    """The source's rate and frame times, colours' tags, range, pixel aspect and sound. 4:2:0 wants even sides: an odd
    one grows by a pixel. Files of 4:2:0 have the alpha, too, at full size.
    """

    needs_frames = True
    coding: ClassVar[Coding]

    def __init__(self, path: Path, video: VideoInfo) -> None:
        super().__init__(path, video)
        self.check()
        self._partial, self._converter = partial_path(path), VideoReformatter()
        self._even = "420" in self.coding.pix_fmt
        self._ticks_per_s = ticks_per_s(video.fps, video.look.time_base)
        self._first_s: float | None = None
        self._next_pts = 0
        self._container: Any = None
        self._sound: Sound | None = None
        try:
            self._partial.touch()
            self._container = av.open(str(self._partial), "w")
            self._stream = self._add_stream()
            self._sound = Sound(video.sound, self._container) if video.sound else None
        except (OSError, FFmpegError) as error:
            self.discard()
            raise output_error(path, OSError(0, str(error))) from error

    @classmethod
    def check(cls) -> None:
        """OptionError without the encoder."""
        if cls.coding.encoder not in av.codecs_available:
            raise OptionError(f"the encoder {cls.coding.encoder} is not in this build of PyAV; choose another format")

    def _add_stream(self) -> Any:
        coding, look = self.coding, self.video.look
        if self.path.suffix == ".mov":
            self._container.options["video_track_timescale"] = str(self._ticks_per_s)
        stream = self._container.add_stream(coding.encoder, rate=self.video.fps, options=dict(coding.options))
        stream.height, stream.width = (side + side % 2 if self._even else side for side in self.video.size)
        stream.pix_fmt = coding.pix_fmt
        stream.codec_context.time_base = stream.time_base = Fraction(1, self._ticks_per_s)
        look.mark(stream.codec_context)
        if self._aspect_is_said_later:
            self._container.options["write_crc32"] = "0"
            stream.metadata["title"] = PLACEHOLDER
        return stream

    @property
    def _aspect_is_said_later(self) -> bool:
        return self.path.suffix in (".mkv", ".webm") and self.video.look.pixel_aspect != 1

    def write(self, shot: Shot) -> None:
        """Encode one frame."""
        rgba = self._picture(shot)
        if self._even:
            rgba = np.pad(rgba, ((0, rgba.shape[0] % 2), (0, rgba.shape[1] % 2), (0, 0)), mode="edge")
        time_s, look = shot.picture.time_s, self.video.look
        self._first_s = time_s if self._first_s is None else self._first_s
        picture = self._converter.reformat(
            av.VideoFrame.from_ndarray(np.ascontiguousarray(rgba), format="rgba"), format=self.coding.pix_fmt,
            dst_colorspace=look.conversion, dst_color_range=look.colour_range or 1,
        )  # fmt: skip
        look.colour(picture)
        picture.pts = max(self._next_pts, round((time_s - self._first_s) * self._ticks_per_s))
        picture.time_base = Fraction(1, self._ticks_per_s)
        picture.duration = round(self._ticks_per_s / self.video.fps)
        self._next_pts = picture.pts + 1
        self._mux(picture)
        self._sound_until(picture.pts)

    def _picture(self, shot: Shot) -> np.ndarray:
        return rgba_of(shot)

    def close(self) -> None:
        """Finish the file and give it its name; without a frame there is none."""
        if self._first_s is None:
            self.discard()
            self.path.unlink(missing_ok=True)
            return
        self._mux(None)
        self._sound_until(self._next_pts - 1 + round(self._ticks_per_s / self.video.fps))
        container, self._container = self._container, None
        try:
            if self._sound is not None:
                self._sound.close()
            container.close()
            if self._aspect_is_said_later:
                say_pixel_aspect(self._partial, self.video.look.pixel_aspect)
            self._partial.replace(self.path)
        except (OSError, FFmpegError) as error:
            self._partial.unlink(missing_ok=True)
            raise output_error(self.path, OSError(0, str(error))) from error

    def discard(self) -> None:
        """Without a file."""
        container, self._container = self._container, None
        with suppress(OSError, FFmpegError):
            if container is not None:
                container.close()
        self._partial.unlink(missing_ok=True)

    def _sound_until(self, pts: int) -> None:
        if self._sound is not None and self._first_s is not None:
            self._sound.write_until(self._first_s + pts / self._ticks_per_s, self._first_s)

    def _mux(self, picture: Any) -> None:
        try:
            self._container.mux(self._stream.encode(picture))
        except (OSError, FFmpegError) as error:
            raise output_error(self.path, OSError(0, str(error))) from error


class ProresWriter(CutoutVideoWriter):
    """ProRes 4444, 10 bits for colours, 16 for alpha; `.mov`."""

    coding = Coding("prores_ks", "yuva444p10le", {"profile": "4444", "alpha_bits": "16"})


class Ffv1Writer(CutoutVideoWriter):
    """FFV1, without loss; `.mkv`, where times are thousandths of a second."""

    coding = Coding("ffv1", "yuva444p", {"level": "3"})


class Vp9Writer(CutoutVideoWriter):
    """VP9; `.webm`, for browsers, with times as in `.mkv`."""

    coding = Coding("libvpx-vp9", "yuva420p", {"crf": "20", "b": "0", "deadline": "good", "cpu-used": "5"})


class GreenWriter(CutoutVideoWriter):
    """H.264 before green (0, 177, 64), without alpha; `.mp4`."""

    coding = Coding("libx264", "yuv420p", {"crf": "14", "preset": "veryfast"})

    def _picture(self, shot: Shot) -> np.ndarray:
        rgba = rgba_of(shot)
        alpha = rgba[..., 3:].astype(np.uint16)
        over = rgba[..., :3] * alpha + np.array(_GREEN, np.uint16) * (255 - alpha)
        return np.dstack([((over + 127) // 255).astype(np.uint8), np.full(alpha.shape[:2], 255, np.uint8)])
