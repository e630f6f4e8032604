"""Open a run's video as its choices say; the same when the project is opened again."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

from devos.io import OnSkip, VideoReader, open_video


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
