"""Open a run's video as its choices say; the same when the project is opened again."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

from devos.io import OnSkip, VideoReader, open_video
from devos.io.live import LiveVideo, is_live, open_frames, open_live
from devos.project.folder import ProjectFolder

Source = str | Path | Iterable[Any]
"""A file, a folder, what comes but once (`-`, `camera:0`, an address), or arrays (h w 3, uint8, RGB)."""


def input_choices(video: Path, masks: Path | None, *, stream: int | None, white: int | None,
                  sound: bool) -> dict[str, Any]:  # fmt: skip
    """What is to be kept of how the video is read, beside its rate and bad frames."""
    beside = masks is not None and masks.is_file() and video.is_dir() and masks.resolve().parent == video.resolve()
    not_frames = [masks.name] if masks is not None and beside else []
    return {"stream": stream, "white": white, "sound": sound, "not_frames": not_frames}


def open_input(video: Path, choices: dict[str, Any], on_skip: OnSkip | None = None) -> VideoReader:
    """The video of a run or project; projects of before some choice was there have what was done then."""
    return open_video(
        video, fps=choices["fps"] and Fraction(choices["fps"]), skip_bad_frames=choices["skip_bad_frames"],
        on_skip=on_skip, stream=choices.get("stream"), white=choices.get("white"), sound=choices.get("sound", True),
        not_frames=[video / name for name in choices.get("not_frames", [])],
    )  # fmt: skip


def comes_once(video: Source) -> bool:
    """Whether a video can be read but once, so that it is recorded."""
    return is_live(video) or not isinstance(video, str | Path)


def open_source(video: Source, choices: dict[str, Any], folder: ProjectFolder,
                on_skip: OnSkip | None = None) -> VideoReader:  # fmt: skip
    """The video of a run that begins; one that comes but once is recorded in the project."""
    if not comes_once(video):
        assert isinstance(video, str | Path)
        return open_input(Path(video), choices, on_skip)
    rate = choices["fps"] and Fraction(choices["fps"])
    if isinstance(video, str):
        return open_live(video, fps=rate, recording=folder.recording)
    assert not isinstance(video, Path)
    return open_frames(video, fps=rate, recording=folder.recording)


@contextmanager
def ending_on_ctrl_c(reader: VideoReader) -> Iterator[None]:
    """The first Ctrl-C ends a live source, as if it had ended by itself; the second one breaks off."""
    if not isinstance(reader, LiveVideo) or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGINT)

    def end(number: int, frame: object) -> None:
        signal.signal(signal.SIGINT, before)
        reader.stop()

    signal.signal(signal.SIGINT, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
