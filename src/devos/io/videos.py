"""Open a video, be it a file or a folder of frames, and read it frame by frame.

`open_video` says at once whatever can be said without decoding: what is missing, is no video, or does not fit.
A frame that cannot be decoded is told when its turn comes, after all the good frames before it.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

from devos.errors import VideoError
from devos.io.containers import VideoFile
from devos.io.folders import FrameFolder
from devos.io.live import is_live, open_live
from devos.io.names import refuse_strange_name
from devos.io.pictures import UNREADABLE, num_pages, opened
from devos.io.reader import DEFAULT_FPS, OnSkip, VideoReader

__all__ = ["DEFAULT_FPS", "OnSkip", "VideoReader", "open_video"]


def open_video(
    path: str | Path,
    *,
    fps: Fraction | None = None,
    skip_bad_frames: bool = False,
    on_skip: OnSkip | None = None,
    stream: int | None = None,
    sound: bool = True,
    white: int | None = None,
    not_frames: Iterable[str | Path] = (),
) -> VideoReader:
    """Open a video file, a picture file that holds several (TIFF, GIF, animated PNG and WebP), or a folder whose
    pictures are the frames in natural order.

    `fps` is the frame rate of a folder, 24 unless given; a video file has its own. With `skip_bad_frames` a frame
    that cannot be decoded is left out, and `on_skip` told of it; the others keep their index and name. Of several video
    streams the file's default is read, else the one with most pixels; `stream` takes another by its number in the file.
    Without `sound` a video that is made of it is silent. `white` is the value that is white in pictures of more than
    8 bits; unless given, the highest that their bits hold. `not_frames` are files in the folder that are no frames.
    As a text, `path` may also be `-` (standard input), `camera:0` or an address (rtsp://..., http://...): such a video
    comes but once (`LiveVideo`), and frames of a live one that come while others are worked on are dropped.

        with open_video("bunny.mp4") as video:
            for frame in video:
                print(frame.name, frame.time_s, frame.size)
    """
    if is_live(path):
        return open_live(str(path), fps=fps)
    path = Path(path)
    refuse_strange_name(path, VideoError)
    try:
        if path.is_dir() or (path.is_file() and holds_several(path)):
            return FrameFolder(
                path, fps=fps, skip_bad_frames=skip_bad_frames, on_skip=on_skip, white=white,
                not_frames=[Path(file) for file in not_frames],
            )  # fmt: skip
        if not path.exists():
            raise VideoError(f"{path}: no such file or folder; give a video file or a folder of frames")
        return VideoFile(path, skip_bad_frames=skip_bad_frames, on_skip=on_skip, stream=stream, sound=sound)
    except OSError as error:
        raise VideoError(f"{path}: cannot be read ({error.strerror or error})") from error


def holds_several(path: Path) -> bool:
    """Whether a file holds several pictures that are a video, as a TIFF or a GIF may."""
    try:
        with opened(path) as picture:
            return num_pages(picture) > 1
    except UNREADABLE:
        return False
