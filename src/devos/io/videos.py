"""Open a video, be it a file or a folder of frames, and read it frame by frame.

`open_video` says at once whatever can be said without decoding: what is missing, is no video, or does not fit.
A frame that cannot be decoded is told when its turn comes, after all the good frames before it.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from devos.errors import VideoError
from devos.io.containers import VideoFile
from devos.io.folders import FrameFolder
from devos.io.reader import DEFAULT_FPS, OnSkip, VideoReader

__all__ = ["DEFAULT_FPS", "OnSkip", "VideoReader", "open_video"]


def open_video(
    path: str | Path,
    *,
    fps: Fraction | None = None,
    skip_bad_frames: bool = False,
    on_skip: OnSkip | None = None,
    stream: int | None = None,
) -> VideoReader:
    """Open a video file, or a folder whose pictures are the frames in natural order.

    `fps` is the frame rate of a folder, 24 unless given; a video file has its own. With `skip_bad_frames` a frame
    that cannot be decoded is left out, and `on_skip` told of it; the others keep their index and name. Of several video
    streams the file's default is read, else the one with most pixels; `stream` takes another by its number in the file.

        with open_video("bunny.mp4") as video:
            for frame in video:
                print(frame.name, frame.time_s, frame.size)
    """
    path = Path(path)
    if path.is_dir():
        return FrameFolder(path, fps=fps or DEFAULT_FPS, skip_bad_frames=skip_bad_frames, on_skip=on_skip)
    if not path.exists():
        raise VideoError(f"{path}: no such file or folder; give a video file or a folder of frames")
    return VideoFile(path, skip_bad_frames=skip_bad_frames, on_skip=on_skip, stream=stream)
