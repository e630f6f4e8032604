"""AV1 with alpha: an animated AVIF, whose colours and alpha are two AV1 tracks; browsers and libavif read it.

Neither mp4 nor WebM has AV1 with alpha, and FFmpeg's own writer of AVIF takes alpha only from an encoder of grey, which
the SVT-AV1 in PyAV is not; so the libavif within Pillow writes it, picture by picture (Pillow's `save` wants all at
once, so its encoder is used directly). Times are whole thousandths of a second; there is no sound. libavif holds what
it has encoded until the end, so it is given some hundred frames at a time, and `avif_parts` puts them together.
"""

from __future__ import annotations

import importlib
from fractions import Fraction
from pathlib import Path
from typing import Any

from devos.errors import OptionError
from devos.exchange.avif_parts import Parts, tables_of
from devos.exchange.cutouts import rgba_of
from devos.exchange.writers import Shot, VideoInfo, Writer
from devos.frames import FrameSize
from devos.whole_files import output_error, replacing

_QUALITY, _SPEED, _THREADS = 85, 8, 2
_PART = 200
"""Frames that libavif holds at most; each part begins with a whole picture."""


class Av1Writer(Writer):
    """A picture is encoded when the next one comes, for only then is it known how long it is shown."""

    needs_frames = True

    def __init__(self, path: Path, video: VideoInfo) -> None:
        super().__init__(path, video)
        self._encoder, self._num_encoded = _encoder(video), 0
        self._parts: Parts | None = None
        self._held: tuple[bytes, float] | None = None
        self._first_s, self._told_ms = 0.0, 0

    @classmethod
    def check(cls) -> None:
        """OptionError without libavif, or with one whose animations are not understood."""
        encoder = _encoder(VideoInfo("", FrameSize(16, 16), 1, Fraction(1)))
        encoder.add(bytes(4 * 16 * 16), 1, (16, 16), "RGBA", False)
        encoder.add(bytes(4 * 16 * 16), 1, (16, 16), "RGBA", False)
        try:
            tables_of(encoder.finish())
        except ValueError as error:
            raise _unsuited(error) from error

    def write(self, shot: Shot) -> None:
        """Encode the frame before."""
        time_s = shot.picture.time_s
        if self._held is None:
            self._first_s = time_s
        else:
            if self._num_encoded == _PART:
                self._end_part()
            self._encode(time_s)
        self._held = rgba_of(shot).tobytes(), time_s

    def _encode(self, until_s: float) -> None:
        assert self._held is not None
        duration_ms = max(1, round((until_s - self._first_s) * 1000) - self._told_ms)
        self._told_ms += duration_ms
        height, width = self.video.size
        try:
            self._encoder.add(self._held[0], duration_ms, (width, height), "RGBA", False)
        except (OSError, ValueError, RuntimeError) as error:
            raise output_error(self.path, OSError(0, str(error))) from error
        self._num_encoded += 1

    def _end_part(self) -> None:
        """Hand on what libavif holds, and begin anew: with two frames at least, for of one it makes no animation."""
        self._parts = self._parts or Parts(self.path.parent)
        self._parts.add(self._encoder.finish())
        self._encoder, self._num_encoded = _encoder(self.video), 0

    def close(self) -> None:
        """Write the file; without a frame there is none."""
        if self._held is None:
            self.path.unlink(missing_ok=True)
            return
        self._encode(self._held[1] + float(1 / self.video.fps))
        content = self._encoder.finish()
        if self._parts is not None:
            self._parts.add(content)
            self._parts.write(self.path)
            return
        with replacing(self.path) as temporary:
            temporary.write_bytes(content)

    def discard(self) -> None:
        """Nothing has its name yet."""
        if self._parts is not None:
            self._parts.close()


def _encoder(video: VideoInfo) -> Any:
    """Pillow's own, as of 11.3 to 12: it is no public part of it."""
    height, width = video.size
    try:
        return importlib.import_module("PIL._avif").AvifEncoder(
            (width, height), "4:4:4", _QUALITY, _SPEED, _THREADS, "auto", "full", 0, 0, False, True, b"", b"", 1, b"",
            None,
        )  # fmt: skip
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise _unsuited(error) from error


def _unsuited(error: Exception) -> OptionError:
    return OptionError(f"the format av1 needs a Pillow with libavif, 11.3 to 12 ({error}); install one, or choose "
                       "another format")  # fmt: skip
