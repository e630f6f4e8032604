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
_STILLS = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
"""Streams that a file itself calls pictures."""


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
        return av.open(str(path), metadata_errors="replace")
    except FFmpegError as error:
        with path.open("rb") as file:
            is_mp4 = file.read(8)[4:] == b"ftyp"
        if is_mp4:
            raise VideoError(f"{path}: an mp4 or mov file that is cut off (it has no index); copy it again") from error
        raise VideoError(f"{path}: not a video that can be read; {_ACCEPTED}") from error
    except OSError as error:
        raise VideoError(f"{path}: cannot be opened ({error.strerror})") from error


def video_stream(container: Any, path: Path, wanted: int | None = None) -> Any:
    """The stream to be read: the one that is asked for by its number in the file, else the best, ready to decode."""
    found = container.streams.video
    if container.format.name in _TEXT_FORMATS or (not found and not container.streams.audio):
        raise VideoError(f"{path}: not a video that can be read; {_ACCEPTED}")
    if wanted is None:
        stream = max(rank(container), key=lambda pair: pair[1], default=(None, None))[0]
    else:
        stream = next((stream for stream in found if stream.index == wanted), None)
        if stream is None:
            numbers = ", ".join(str(stream.index) for stream in found)
            raise VideoError(f"{path}: has no video stream {wanted}; its video streams are {numbers}")
    if stream is None:
        raise VideoError(f"{path}: has sound but no pictures; {_ACCEPTED}")
    if stream.codec_context is None:
        raise VideoError(f"{path}: its pictures are in a coding that cannot be read here; convert it to H.264 mp4")
    # "explode": a damaged frame is an error, not a frame patched up with grey
    stream.codec_context.options = {"err_detect": "explode"}
    # threads over slices only: threads over frames report an error at another packet than the damaged one
    stream.thread_type = "SLICE"
    return stream


def rank(container: Any) -> list[tuple[Any, tuple[Any, ...]]]:
    """The streams that may be the video, each with what speaks for it: it can be read, it moves, it is the file's
    default, it has more pixels, more frames, and comes first. The cover of a song is none.
    """
    return [
        (
            stream,
            (
                stream.codec_context is not None,
                _moves(stream),
                bool(stream.disposition & Disposition.default),
                _num_pixels(stream),
                stream.frames or 0,
                -stream.index,
            ),
        )
        for stream in container.streams.video
        if not stream.disposition & _STILLS
    ]


def stream_notes(container: Any, chosen: Any) -> list[str]:
    """Which of several streams is read, and what was passed over."""
    others = [stream for stream in container.streams.video if stream.index != chosen.index]
    if not any(not stream.disposition & _STILLS for stream in others):
        return []
    listing = "; ".join(f"{stream.index}: {describe(stream)}" for stream in others)
    return [
        f"of {len(others) + 1} video streams, number {chosen.index} is read ({describe(chosen)}), not {listing}; "
        "--stream N takes another"
    ]


def describe(stream: Any) -> str:
    """A video stream in a few words."""
    if stream.codec_context is None:
        return "a coding that cannot be read here"
    context = stream.codec_context
    facts = [context.codec.canonical_name, f"{context.width}x{context.height}"]
    if stream.frames:
        facts.append("a single picture" if stream.frames == 1 else f"{stream.frames} frames")
    if stream.disposition & Disposition.default:
        facts.append("the file's default")
    return ", ".join(facts)


def promised_s(container: Any, stream: Any) -> float | None:
    """How long the header says that the stream is, in seconds; None where it does not."""
    parts = str(stream.metadata.get("DURATION", "")).split(":")
    if len(parts) == 3:  # in mkv the stream's duration is the file's
        hours, minutes, seconds = (float(part) for part in parts)
        return 3600 * hours + 60 * minutes + seconds
    if stream.duration is not None:
        return float(stream.duration * stream.time_base)
    if container.duration is not None and len(container.streams) == 1:
        return float(container.duration / _MICROSECONDS)
    return None


def _moves(stream: Any) -> bool:
    """Whether a stream is more than one picture, as far as the header tells."""
    if stream.frames:
        return bool(stream.frames > 1)
    length_s, fps = promised_s(stream.container, stream), stream.average_rate
    return length_s is None or not fps or length_s * fps > 1.5


def _num_pixels(stream: Any) -> int:
    return stream.codec_context.width * stream.codec_context.height if stream.codec_context is not None else 0


def frame_rate(stream: Any) -> Fraction:
    """Mean frames a second, as the file says."""
    for rate in (stream.average_rate, stream.guessed_rate, stream.base_rate):
        if rate:
            return Fraction(rate)
    return DEFAULT_FPS


def count_frames(container: Any, stream: Any, fps: Fraction) -> tuple[int | None, bool]:
    """How many frames there should be, and whether the file itself counts them."""
    if stream.frames:
        entries = stream.index_entries
        if len(entries) == stream.frames:  # pre-roll is not shown
            return sum(1 for entry in entries if not entry.is_discard), True
        return stream.frames, True
    length_s = promised_s(container, stream)
    if length_s is None and container.duration is not None:
        length_s = container.duration / _MICROSECONDS
    return (None, False) if length_s is None else (max(1, round(length_s * fps)), False)


def is_cut_off(stream: Any, path: Path) -> bool:
    """Whether the last frame that the file's index names, where it has one, lies beyond the end of the file."""
    entries = stream.index_entries
    if len(entries) < 2:
        return False
    last = entries[len(entries) - 1]
    return bool(last.pos + last.size > path.stat().st_size)
