"""A video file (mp4, mov, mkv, webm, avi, ...), decoded with PyAV."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.error import FFmpegError
from av.stream import Disposition
from av.video.reformatter import VideoReformatter

from devos.errors import VideoError
from devos.frames import Frame, FrameSize, frame_name
from devos.io.pictures import is_picture_file
from devos.io.reader import DEFAULT_FPS, OnSkip, VideoReader

_ACCEPTED = "give a video file (mp4, mov, mkv, webm, avi, ...) or a folder of frames"
_TEXT_FORMATS = ("tty", "ass", "srt", "webvtt", "subviewer", "lrc", "image2")
"""What libav calls files that it can show as pictures though they are no videos."""
_MICROSECONDS = 1_000_000


class VideoFile(VideoReader):
    """The first video stream of a file; sound and all else is passed over."""

    names = None

    def __init__(self, path: Path, *, skip_bad_frames: bool, on_skip: OnSkip | None) -> None:
        super().__init__(path, skip_bad_frames=skip_bad_frames, on_skip=on_skip)
        _refuse_what_is_no_video(path)
        with _open(path) as container:
            stream = _video_stream(container, path)
            self.fps = _frame_rate(stream)
            self.num_frames, self.num_frames_is_exact = _count_frames(container, stream, self.fps)
            if _is_cut_off(stream, path) and not skip_bad_frames:
                raise VideoError(
                    f"{path}: the file is cut off: its index names frames beyond its end; "
                    "copy the file again, or take the frames that are there with --skip-bad-frames"
                )
        self.size = self._probe_size()

    def _probe_size(self) -> FrameSize:
        """The size of the first frame that decodes: only a decoded frame tells how it is turned."""
        with _open(self.path) as container:
            pictures = _Pictures(container, _video_stream(container, self.path))
            for picture in pictures:
                if isinstance(picture, _Lost):
                    if not self._skip_bad_frames:
                        self._leave_out(frame_name(picture.index), picture.reason)
                    continue
                return FrameSize(*_upright(picture.frame, VideoReformatter()).shape[:2])
        raise VideoError(f"{self.path}: no frame of it can be decoded; the file is damaged or cut off, copy it again")

    def _read(self) -> Generator[Frame, None, None]:
        with _open(self.path) as container:
            pictures = _Pictures(container, _video_stream(container, self.path))
            converter = VideoReformatter()
            for picture in pictures:
                name = frame_name(picture.index)
                if isinstance(picture, _Lost):
                    self._leave_out(name, picture.reason)
                    continue
                time_s = picture.index / float(self.fps) if picture.time_s is None else picture.time_s
                frame = Frame(picture.index, time_s, name, _upright(picture.frame, converter))
                self._check_size(name, frame.size)
                yield frame
            if pictures.ended_early:
                self._leave_out(frame_name(pictures.count), "the file is cut off before it", "copy the file again")


@dataclass(frozen=True)
class _Shown:
    """A decoded picture."""

    index: int
    time_s: float | None
    """From the first picture on; None where the file has no times."""
    frame: Any


@dataclass(frozen=True)
class _Lost:
    """A picture that could not be decoded."""

    index: int
    reason: str = "its data is damaged"


class _Pictures:
    """The pictures of a stream in the order they are shown, the lost ones at their place.

    Packets come in another order than the pictures they hold, so a packet that fails is kept by its time stamp until
    the pictures before it have been given out.
    """

    def __init__(self, container: Any, stream: Any) -> None:
        self._container, self._stream = container, stream
        self.count = 0
        """Pictures so far, lost ones too."""
        self.ended_early = False
        self._first_pts: int | None = None
        self._lost: list[int | float] = []
        self._num_packets = 0
        self._end_s = 0.0

    def __iter__(self) -> Iterator[_Shown | _Lost]:
        for packet in self._packets():
            try:
                frames = packet.decode()
            except FFmpegError:
                self._lost.append(math.inf if packet.pts is None else packet.pts)
                continue
            for frame in frames:
                yield from self._give_out(frame)
        yield from self._lost_before(math.inf)
        self.ended_early = self.ended_early or self._stops_short()

    def _packets(self) -> Iterator[Any]:
        """The stream's packets, then one that asks for the pictures still held; notes where each stream ends."""
        packets = self._container.demux()
        while True:
            try:
                packet = next(packets, None)
            except FFmpegError:
                self.ended_early = True
                packet = None
            if packet is None:
                break
            if packet.pts is not None:
                self._end_s = max(self._end_s, float((packet.pts + (packet.duration or 0)) * packet.time_base))
            if packet.stream.index == self._stream.index and packet.size > 0:
                self._num_packets += 1
                yield packet
        flush = av.Packet()
        flush.stream = self._stream
        yield flush

    def _give_out(self, frame: Any) -> Iterator[_Shown | _Lost]:
        if frame.pts is not None:
            yield from self._lost_before(frame.pts)
        index, self.count = self.count, self.count + 1
        if frame.is_corrupt:
            yield _Lost(index)
            return
        if self._first_pts is None:
            self._first_pts = frame.pts
        time_s = None
        if frame.pts is not None and self._first_pts is not None:
            time_s = float((frame.pts - self._first_pts) * self._stream.time_base)
        yield _Shown(index, time_s, frame)

    def _lost_before(self, pts: int | float) -> Iterator[_Lost]:
        due = [lost for lost in self._lost if lost < pts or pts == math.inf]
        self._lost = [lost for lost in self._lost if lost not in due]
        for _ in due:
            yield _Lost(self.count)
            self.count += 1

    def _stops_short(self) -> bool:
        """Whether the file held less than its header promised: by its index in mp4 and mov, else by its length."""
        container = self._container
        if "mp4" in container.format.name:
            return self._num_packets < len(self._stream.index_entries)
        if container.duration is None:
            return False
        promised_s = container.duration / _MICROSECONDS
        held_s = self._end_s - (container.start_time or 0) / _MICROSECONDS
        return bool(held_s < 0.98 * promised_s - 0.25)


def _refuse_what_is_no_video(path: Path) -> None:
    if not path.is_file():
        raise VideoError(f"{path}: neither a file nor a folder; {_ACCEPTED}")
    if path.stat().st_size == 0:
        raise VideoError(f"{path}: the file is empty (0 bytes); {_ACCEPTED}")
    if is_picture_file(path):
        raise VideoError(f"{path}: a picture, not a video; put the frames in a folder and give the folder")


def _open(path: Path) -> Any:
    try:
        return av.open(str(path))
    except FFmpegError as error:
        with path.open("rb") as file:
            is_mp4 = file.read(8)[4:] == b"ftyp"
        if is_mp4:
            raise VideoError(f"{path}: an mp4 or mov file that is cut off (it has no index); copy it again") from error
        raise VideoError(f"{path}: not a video that can be read; {_ACCEPTED}") from error
    except OSError as error:
        raise VideoError(f"{path}: cannot be opened ({error.strerror})") from error


def _video_stream(container: Any, path: Path) -> Any:
    """The first real video stream; the cover of a song is none."""
    streams = [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]
    if container.format.name in _TEXT_FORMATS or (not streams and not container.streams.audio):
        raise VideoError(f"{path}: not a video that can be read; {_ACCEPTED}")
    if not streams:
        raise VideoError(f"{path}: has sound but no pictures; {_ACCEPTED}")
    if streams[0].codec_context is None:
        raise VideoError(f"{path}: its pictures are in a coding that cannot be read here; convert it to H.264 mp4")
    stream = streams[0]
    # "explode": a damaged frame is an error, not a frame patched up with grey
    stream.codec_context.options = {"err_detect": "explode"}
    # threads over slices only: threads over frames report an error at another packet than the damaged one
    stream.thread_type = "SLICE"
    return stream


def _frame_rate(stream: Any) -> Fraction:
    for rate in (stream.average_rate, stream.guessed_rate, stream.base_rate):
        if rate:
            return Fraction(rate)
    return DEFAULT_FPS


def _count_frames(container: Any, stream: Any, fps: Fraction) -> tuple[int | None, bool]:
    """How many frames there should be, and whether the file itself counts them."""
    if stream.frames:
        return stream.frames, True
    if container.duration is None:
        return None, False
    return max(1, round(container.duration * fps / _MICROSECONDS)), False


def _is_cut_off(stream: Any, path: Path) -> bool:
    """Whether the last frame that the file's index names, where it has one, lies beyond the end of the file."""
    entries = stream.index_entries
    if len(entries) < 2:
        return False
    last = entries[len(entries) - 1]
    return bool(last.pos + last.size > path.stat().st_size)


def _upright(frame: Any, converter: VideoReformatter) -> np.ndarray:
    """The picture as 8-bit RGB, turned as its display matrix says (`rotation` is counter-clockwise, in degrees).

    `converter`: the same one throughout a video, since each makes its tables anew.
    """
    rgb = converter.reformat(frame, format="rgb24").to_ndarray()
    quarter_turns = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(rgb, quarter_turns)) if quarter_turns else rgb
