"""Open a video file and choose the stream that is to be read."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.error import FFmpegError
from av.stream import Disposition

from devos.errors import VideoError
from devos.io.pictures import is_picture_file
from devos.io.reader import DEFAULT_FPS

_ACCEPTED = "give a video file (mp4, mov, mkv, webm, avi, ...) or a folder of frames"
_TEXT_FORMATS = ("tty", "ass", "srt", "webvtt", "subviewer", "lrc", "image2")
"""What libav calls files that it can show as pictures though they are no videos."""
_MICROSECONDS = 1_000_000


def refuse_what_is_no_video(path: Path) -> None:
    """Tell what is no video before libav says less."""
    if not path.is_file():
        raise VideoError(f"{path}: neither a file nor a folder; {_ACCEPTED}")
    if path.stat().st_size == 0:
        raise VideoError(f"{path}: the file is empty (0 bytes); {_ACCEPTED}")
    if is_picture_file(path):
        raise VideoError(f"{path}: a picture, not a video; put the frames in a folder and give the folder")


def open_container(path: Path) -> Any:
    """Open a file with libav; VideoError where it cannot."""
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


def video_stream(container: Any, path: Path) -> Any:
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


def frame_rate(stream: Any) -> Fraction:
    """Mean frames a second, as the file says."""
    for rate in (stream.average_rate, stream.guessed_rate, stream.base_rate):
        if rate:
            return Fraction(rate)
    return DEFAULT_FPS


def count_frames(container: Any, stream: Any, fps: Fraction) -> tuple[int | None, bool]:
    """How many frames there should be, and whether the file itself counts them."""
    if stream.frames:
        return stream.frames, True
    if container.duration is None:
        return None, False
    return max(1, round(container.duration * fps / _MICROSECONDS)), False


def is_cut_off(stream: Any, path: Path) -> bool:
    """Whether the last frame that the file's index names, where it has one, lies beyond the end of the file."""
    entries = stream.index_entries
    if len(entries) < 2:
        return False
    last = entries[len(entries) - 1]
    return bool(last.pos + last.size > path.stat().st_size)
