"""Write a video of the frames with their objects drawn on them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.error import FFmpegError
from av.video.reformatter import VideoReformatter

from devos.errors import OutputError
from devos.frames import Frame, FrameSize, MaskFrame
from devos.io.drawing import draw_overlay
from devos.io.files import Sink, output_error, partial_path
from devos.io.look import PICTURES, Look, ticks_per_s
from devos.io.sound import Sound, SoundSource

_ENCODERS = (("libx264", {"crf": "19", "preset": "superfast", "threads": "2", "bf": "0"}), ("mpeg4", {"q:v": "4"}))
"""Tried in order, with their settings for good quality.

`superfast` and `veryfast` at one crf come out equally good; the file is a third larger, the time half. So many threads
whatever the machine, for the same pictures to be the same bytes; no frame before its turn (`bf`), so that groups of
frames can follow each other whatever their times.
"""
_GROUP_S, _MOST_OF_A_GROUP = 2, 250
_GLOBAL_HEADER = 1 << 22


class OverlayVideo(Sink):
    """An mp4 (H.264) with the source's frame rate and its frames' own times, its colours' tags, range and pixel aspect
    (`look`), and its sound.

    While it grows it is a fragmented file under the name `overlay.partial.mp4`, which plays up to its last fragment
    even if the process is killed. Leaving the `with`, also through an error or Ctrl-C, makes it a plain mp4 under its
    own name. An odd width or height grows by one pixel, as H.264 wants them even.

    Every group of `group_size` frames is encoded by itself, so the same frames and masks are the same bytes, and the
    groups of an earlier overlay whose frames have not changed can be taken over as they are (`copy`, `read_groups`).
    """

    def __init__(
        self,
        path: str | Path,
        fps: Fraction,
        size: FrameSize,
        *,
        look: Look = PICTURES,
        sound: SoundSource | None = None,
    ) -> None:
        self.path, self._look = Path(path), look
        self._partial = partial_path(self.path)
        self._size = size
        # ticks so fine that varying frame times keep their place, and of which each frame of `fps` is a whole number
        self._ticks_per_s = ticks_per_s(fps, look.time_base)
        self._ticks_per_frame = round(self._ticks_per_s / fps)
        self.group_size = min(max(1, round(_GROUP_S * fps)), _MOST_OF_A_GROUP)
        """Frames that are encoded together."""
        self._rate = fps
        self._encoder: Any = None
        self._num_in_group = 0
        self._first_s: float | None = None
        self._next_pts = 0
        self._converter = VideoReformatter()
        self._sound: Sound | None = None
        try:
            # hybrid: fragments while writing, turned into a plain file at the end
            movflags = "+hybrid_fragmented+frag_keyframe"
            options = {"movflags": movflags, "flush_packets": "1", "video_track_timescale": str(self._ticks_per_s)}
            # libav opens the file with the first packet only, too late to tell that it cannot be written
            self._partial.touch()
            self._container: Any = av.open(str(self._partial), "w", format="mp4", options=options)
            self._stream = self._add_stream(fps)
            self._sound = Sound(sound, self._container) if sound else None
        except (OSError, FFmpegError) as error:
            raise self._failure(error) from error

    def write(self, frame: Frame, masks: MaskFrame) -> None:
        """Draw and encode one frame."""
        if frame.size != self._size:
            raise ValueError(f"the overlay is {self._size}, but frame {frame.name} is {frame.size}")
        # not a copy: the encoder converts it before this returns, and nobody else has it
        drawn = av.VideoFrame.from_numpy_buffer(_to_even(draw_overlay(frame, masks)), format="rgb24")
        picture = self._converter.reformat(
            drawn, format="yuv420p", dst_colorspace=self._look.conversion, dst_color_range=self._look.colour_range or 1
        )
        if self._first_s is None:
            self._first_s = frame.time_s
        pts = max(self._next_pts, round((frame.time_s - self._first_s) * self._ticks_per_s))
        self._next_pts = pts + 1
        picture.pts, picture.time_base = pts, self._stream.codec_context.time_base
        picture.duration = self._ticks_per_frame
        if self._encoder is None:
            self._encoder = self._new_encoder()
        self._num_in_group += 1
        self._mux(picture)
        self._sound_until(pts)
        if self._num_in_group == self.group_size:
            self._mux(None)

    def copy(self, group: Sequence[Any], first_s: float) -> None:
        """Take over a whole group of frames of an earlier overlay, as `read_groups` gives it.

        `first_s`: when the overlay's first frame is shown in the video; the same in the earlier one.
        """
        if self._num_in_group or len(group) != self.group_size:
            raise ValueError(f"only whole groups of {self.group_size} frames are taken over, between others")
        self._first_s = first_s if self._first_s is None else self._first_s
        try:
            for packet in group:
                self._next_pts, packet.duration = packet.pts + 1, self._ticks_per_frame
                packet.stream = self._stream
                self._container.mux(packet)
                self._sound_until(packet.pts)
        except (OSError, FFmpegError) as error:
            raise self._failure(error) from error

    def close(self) -> None:
        """Finish the file and give it its name; nothing is left where no frame was written."""
        if self._container is None:
            return
        if self._num_in_group:
            self._mux(None)
        if self._sound is not None:
            self._sound_until(self._next_pts - 1 + self._ticks_per_frame)
            self._sound.close()
        container, self._container = self._container, None
        try:
            container.close()
            if self._first_s is None:
                self._partial.unlink(missing_ok=True)
            else:
                self._partial.replace(self.path)
        except (OSError, FFmpegError) as error:
            raise self._failure(error) from error

    def discard(self) -> None:
        """Leave no file, finished or not."""
        self._remove()

    def _add_stream(self, fps: Fraction) -> Any:
        codec, options = _encoder()
        stream = self._container.add_stream(codec, rate=fps, options=options)
        self._set_up(stream.codec_context)
        stream.time_base = stream.codec_context.time_base
        return stream

    def _new_encoder(self) -> Any:
        """For one group. The stream's own encoder only tells the file what is coming."""
        codec, options = _encoder()
        encoder = av.CodecContext.create(codec, "w")
        encoder.options = dict(options)
        encoder.flags |= _GLOBAL_HEADER
        encoder.framerate = self._rate
        self._set_up(encoder)
        return encoder

    def _set_up(self, encoder: Any) -> None:
        encoder.height, encoder.width = (side + side % 2 for side in self._size)
        encoder.pix_fmt = "yuv420p"
        encoder.time_base = Fraction(1, self._ticks_per_s)
        encoder.gop_size = self.group_size
        self._look.mark(encoder)

    def _sound_until(self, pts: int) -> None:
        if self._sound is not None and self._first_s is not None:
            self._sound.write_until(self._first_s + pts / self._ticks_per_s, self._first_s)

    def _mux(self, picture: Any) -> None:
        """Encode a picture, or with None what the encoder still holds, which ends its group."""
        if self._container is None:
            raise ValueError(f"{self.path} is closed")
        try:
            for packet in self._encoder.encode(picture):
                packet.stream = self._stream
                self._container.mux(packet)
        except (OSError, FFmpegError) as error:
            raise self._failure(error) from error
        if picture is None:
            self._encoder, self._num_in_group = None, 0

    def _failure(self, error: Exception) -> OutputError:
        """Remove what was begun, and say why in one line."""
        self._remove()
        strerror = getattr(error, "strerror", None) or str(error)
        return output_error(self.path, OSError(0, strerror))

    def _remove(self) -> None:
        container, self._container = getattr(self, "_container", None), None
        if container is not None:
            with suppress(OSError, FFmpegError):
                container.close()
        with suppress(OSError):
            self._partial.unlink(missing_ok=True)


def read_groups(path: str | Path, group_size: int) -> Iterator[list[Any]]:
    """The whole groups of frames of an overlay, one after the other, coded as they are, up to where it can be read."""
    with suppress(OSError, FFmpegError), av.open(str(path), metadata_errors="replace") as container:
        if not container.streams.video:
            return
        stream = container.streams.video[0]
        group: list[Any] = []
        for packet in container.demux(stream):
            if packet.size:
                group.append(_as_encoded(packet) if stream.codec_context.name == "h264" else packet)
            if len(group) == group_size:
                yield group
                group = []


def _as_encoded(packet: Any) -> Any:
    """A packet of H.264 as its encoder gave it: in a file each of its units has its length before it, not a mark."""
    content, units, place = bytes(packet), [], 0
    while place + 4 <= len(content):
        length = int.from_bytes(content[place : place + 4], "big")
        units.append(b"\0\0\0\1" + content[place + 4 : place + 4 + length])
        place += 4 + length
    coded = av.Packet(b"".join(units))
    coded.pts, coded.dts, coded.time_base = packet.pts, packet.dts, packet.time_base
    coded.is_keyframe = packet.is_keyframe
    return coded


def _encoder() -> tuple[str, dict[str, str]]:
    return next(encoder for encoder in _ENCODERS if encoder[0] in av.codecs_available)


def _to_even(rgb: np.ndarray) -> np.ndarray:
    """Repeat the last row or column where their number is odd."""
    height, width = rgb.shape[:2]
    if height % 2 == 0 and width % 2 == 0:
        return rgb
    return np.pad(rgb, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
