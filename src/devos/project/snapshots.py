"""States of a session on disk, by the frame that comes next: to go on from, without beginning at the first frame."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from devos.io.files import replacing

EVERY = 40
"""A snapshot is made before every frame whose index is a multiple of this."""
MOST = 8
"""Most that are kept of frames walked forwards; the newest, and others as evenly spread as that allows."""


class Snapshots:
    """Files `forward-000040.safetensors`: the state before frame 40, walking forwards. Bytes to this room."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def frames(self, direction: str) -> list[int]:
        """The frames before which there is a state, rising."""
        found = []
        for path in self.folder.glob(f"{direction}-*.safetensors"):
            digits = path.stem.rpartition("-")[2]
            if digits.isdigit():
                found.append(int(digits))
        return sorted(found)

    def path(self, direction: str, frame: int) -> Path:
        """Where the state before a frame is, or would be."""
        return self.folder / f"{direction}-{frame:06d}.safetensors"

    def put(self, direction: str, frame: int, content: bytes) -> None:
        """Keep a state, durably, and let others go so that there are few. Walking backwards the newest is enough."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with replacing(self.path(direction, frame), durable=True) as temporary:
            temporary.write_bytes(content)
        if direction == "forward":
            kept = thinned(self.frames(direction), frame)
            self.drop(direction, lambda other: other not in kept)
        else:
            self.drop(direction, lambda other: other != frame)

    def drop(self, direction: str, unwanted: Callable[[int], bool]) -> None:
        """Remove the states before some frames."""
        for frame in self.frames(direction):
            if unwanted(frame):
                with suppress(FileNotFoundError):
                    self.path(direction, frame).unlink()


def thinned(frames: list[int], newest: int) -> set[int]:
    """Those of the frames to keep: the newest, and multiples of the least power of two times `EVERY` that is enough.

    It depends on the frames alone, so that a run that was cut off keeps the same ones.
    """
    step = EVERY
    while len(kept := {frame for frame in frames if frame % step == 0}) >= MOST:
        step *= 2
    return kept | {newest}
