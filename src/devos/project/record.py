"""What a project is about: the video, the network and how it is used. Written once, before any work."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from devos.errors import InputError, VideoError
from devos.io.live import LiveVideo
from devos.io.pictures import list_pictures
from devos.io.reader import VideoReader
from devos.project.content import DAMAGED, whole

FORMAT = 1
"""Of the project's files. A later devos reads earlier ones, or says why not."""
RECORDED = "recorded"
"""Stands for the fingerprint of a video that is still to come."""
_WHOLE = 1 << 28
_PIECES, _PIECE = 64, 1 << 20


@dataclass(frozen=True)
class VideoFacts:
    """Which video it is."""

    path: str
    """As it was given."""
    place: str
    """The same from the root of the file system."""
    width: int
    height: int
    fps: str
    """A fraction."""
    num_frames: int | None
    exact: bool
    """Whether so many were counted, or only follow from length and rate."""
    fingerprint: str
    """SHA-256 of the content; of a very large video, of its size and of pieces all over it."""

    @property
    def is_recorded(self) -> bool:
        """Whether it came but once, and the project has what it showed."""
        return self.fingerprint == RECORDED

    @staticmethod
    def of(video: VideoReader) -> VideoFacts:
        """Of a video that is open."""
        if isinstance(video, LiveVideo):
            return VideoFacts(video.name, str(video.recording), video.size.width, video.size.height, str(video.fps),
                              None, False, RECORDED)  # fmt: skip
        return VideoFacts(
            str(video.path), str(video.path.absolute()), video.size.width, video.size.height, str(video.fps),
            video.num_frames, video.num_frames_is_exact, fingerprint(video.path),
        )  # fmt: skip


@dataclass(frozen=True)
class ProjectRecord:
    """All that decides what the results are, besides what a person says of the frames."""

    video: VideoFacts
    model: dict[str, Any]
    """name, and sha256 of the weights."""
    settings: dict[str, Any]
    """How the network sees the video (`engine.Settings`)."""
    choices: dict[str, Any]
    """What else was chosen: rate of a folder, direction, range, overlay, how masks are read."""
    device: str
    devos: str
    """The version that began it."""
    format: int = FORMAT

    def as_json(self) -> dict[str, Any]:
        """Plain values, the format first."""
        values = asdict(self)
        return {"format": values.pop("format"), "devos": values.pop("devos"), **values}

    @staticmethod
    def read(path: Path) -> ProjectRecord:
        """From its file. InputError if it is damaged, or of a devos to come."""
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            if values["format"] != FORMAT:
                raise InputError(f"{path}: a project of format {values['format']}; this devos reads format {FORMAT}: "
                                 "open it with the devos that wrote it, or a newer one")  # fmt: skip
            return _checked(ProjectRecord(**{**values, "video": VideoFacts(**values["video"])}))
        except FileNotFoundError:
            raise InputError(f"{path.parent.parent}: holds no project; give a folder that devos segment wrote, or "
                             "begin one with devos segment VIDEO -m MASKS -o FOLDER") from None  # fmt: skip
        except DAMAGED as error:
            raise InputError(f"{path}: a project's file that cannot be read ({str(error)[:80]}); put it back from a "
                             "copy, or begin anew with --overwrite") from error  # fmt: skip

    def differences(self, other: ProjectRecord) -> list[str]:
        """What an other one has different, one line each, as far as results depend on it."""
        lines = []
        if other.video.fingerprint != self.video.fingerprint:
            lines.append(f"the video: {other.video.path} is not the one that was begun with ({self.video.path})")
        if other.model["sha256"] != self.model["sha256"]:
            lines.append(f"the weights: {other.model['name']} {str(other.model['sha256'])[:12]}, "
                         f"begun with {self.model['name']} {str(self.model['sha256'])[:12]}")  # fmt: skip
        mine = {**self.settings, **self.choices, "device": self.device}
        for name, value in {**other.settings, **other.choices, "device": other.device}.items():
            value = list(value) if isinstance(value, tuple) else value
            before = mine.get(name)
            if value != (list(before) if isinstance(before, tuple) else before):
                lines.append(f"--{name.replace('_', '-')}: {value}, begun with {before}")
        return lines


def _checked(record: ProjectRecord) -> ProjectRecord:
    """The record; one of `DAMAGED` where something in it is not what is written there."""
    video, choices = record.video, record.choices
    texts = (video.path, video.place, video.fps, video.fingerprint, record.device, record.devos, record.model["name"])
    if not all(isinstance(one, str) for one in texts) or not isinstance(record.settings, dict):
        raise TypeError("a record with other values than devos writes")
    Fraction(video.fps)
    if "\0" in video.path + video.place:
        raise ValueError("a path that cannot be")
    for count in (video.num_frames, choices["first"], choices["last"]):
        if count is not None:
            whole(count)
    if choices["direction"] not in ("forward", "backward", "both") or rate_of(record) == 0:
        raise ValueError("a direction or a rate that cannot be")
    return record


def fingerprint(path: Path) -> str:
    """What tells one video from another, wherever it lies and whatever it is called."""
    digest = hashlib.sha256()
    try:
        if path.is_dir():
            for file in sorted(list_pictures(path)):
                digest.update(f"{file.name}\0{file.stat().st_size}\0".encode(errors="surrogateescape"))
                with file.open("rb") as content:
                    digest.update(content.read(_PIECE))
        else:
            digest.update(str(path.stat().st_size).encode())
            for piece in _pieces(path):
                digest.update(piece)
    except OSError as error:
        raise VideoError(f"{path}: cannot be read ({error.strerror}); give the video again") from error
    return digest.hexdigest()


def _pieces(path: Path) -> Iterator[bytes]:
    size = path.stat().st_size
    with path.open("rb") as file:
        if size <= _WHOLE:
            while piece := file.read(_PIECE):
                yield piece
            return
        for number in range(_PIECES):
            file.seek((size - _PIECE) * number // (_PIECES - 1))
            yield file.read(_PIECE)


def rate_of(record: ProjectRecord) -> Fraction | None:
    """The frame rate that was chosen for a folder of frames."""
    rate = record.choices.get("fps")
    return None if rate is None else Fraction(rate)
