"""Where the whole job writes, and how long each part of it takes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from pathlib import Path
from types import TracebackType

from devos.frames import Frame, FrameSize, MaskFrame
from devos.io import MaskFolder, ObjectsTable, OverlayVideo
from devos.io.files import MASKS_FOLDER, OBJECTS_FILE, OVERLAY_FILE


class Clock:
    """Seconds spent so far, by part."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._begun = time.perf_counter()

    @property
    def total(self) -> float:
        """Seconds since the clock was made."""
        return time.perf_counter() - self._begun

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Add the time inside the `with` to a part, also when it fails."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - begun


class Results:
    """The masks, the table and, if wanted, the overlay of one run; each can be read whatever way the `with` is left."""

    def __init__(self, out: Path, fps: Fraction, size: FrameSize, *, overlay: bool, clock: Clock) -> None:
        self._clock = clock
        self._stack = ExitStack()
        self.num_frames = 0
        """Frames that are written completely."""
        with ExitStack() as opened:  # what was opened is closed again if the next one fails
            self._masks = opened.enter_context(MaskFolder(out / MASKS_FOLDER))
            self._table = opened.enter_context(ObjectsTable(out / OBJECTS_FILE))
            self._overlay = opened.enter_context(OverlayVideo(out / OVERLAY_FILE, fps, size)) if overlay else None
            self._stack = opened.pop_all()

    def write(self, frame: Frame, masks: MaskFrame) -> None:
        """Write one frame everywhere."""
        with self._clock.part("write_masks"):
            self._masks.write(masks)
            self._table.write(masks)
        if self._overlay is not None:
            with self._clock.part("write_overlay"):
                self._overlay.write(frame, masks)
        self.num_frames += 1

    def __enter__(self) -> Results:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._clock.part("write_overlay"):
            self._stack.__exit__(kind, error, trace)
