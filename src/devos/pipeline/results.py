"""Where a step's results go, frame by frame, and how long each part of the work takes."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType

from devos.errors import DevosError, OutputError
from devos.exchange.registry import Format
from devos.frames import Frame, MaskFrame
from devos.io import MaskFolder, ObjectsTable, OverlayVideo, VideoReader
from devos.io.files import output_error, partial_path, sync
from devos.io.overlay import read_groups
from devos.pipeline.exports import feed, opened_exports
from devos.pipeline.publish import add_to_overlay, write_table
from devos.project.content import sha256_of
from devos.project.folder import ProjectFolder
from devos.project.history import Skipped, Step
from devos.project.probabilities import Probabilities
from devos.project.results import FrameResult, ResultTable


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
    """The masks of one step, and its journal; each can be read whatever way the `with` is left.

    Of a first run from the first frame to the last also the table and, if wanted, the overlay and other formats grow
    with it (`streams`); after any other step they are made anew (`pipeline.publish`).
    """

    def __init__(self, folder: ProjectFolder, step: Step, before: ResultTable, reader: VideoReader, *, streams: bool,
                 overlay: bool, formats: Sequence[Format], clock: Clock) -> None:  # fmt: skip
        self._folder, self._step, self._before, self._clock = folder, step.number, before, clock
        self._unsynced: list[Path] = []
        self._soft = Probabilities(folder)
        self._stack = ExitStack()
        done = self._done()
        with ExitStack() as opened:  # what was opened is closed again if the next one fails
            self._masks = opened.enter_context(MaskFolder(folder.masks))
            self._journal = folder.history.journal(step.number)
            opened.callback(self._journal.close)
            self._table = self._overlay = self._exports = None
            if streams:
                write_table(folder.table, done)
                self._table = opened.enter_context(ObjectsTable(folder.table, append=True))
            if streams and overlay:
                self._overlay = opened.enter_context(self._grown_overlay(done, reader))
            if streams and formats:
                with clock.part("write_exports"):
                    total = reader.num_frames if reader.num_frames_is_exact else None
                    self._exports = opened.enter_context(opened_exports(folder, reader, formats, total, whole=False))
                    feed(self._exports, folder, reader, {one.index: one for one in done})
            self._stack = opened.pop_all()

    def _done(self) -> list[FrameResult]:
        """What the step has given so far, as its journal has it: held here it would grow with the video."""
        found = dict(self._folder.history.changes(self._step))
        return [result for _, result in sorted(found.items()) if result is not None]

    def _grown_overlay(self, done: Sequence[FrameResult], reader: VideoReader) -> OverlayVideo:
        """An overlay with all frames that are done, taken over from the one that was cut off as far as that goes."""
        earlier = self._folder.scratch / "overlay.mp4"
        for found in (partial_path(self._folder.overlay), self._folder.overlay):
            if done and found.is_file():
                self._folder.scratch.mkdir(parents=True, exist_ok=True)
                with suppress(OSError):
                    if not earlier.exists() or found.stat().st_size >= earlier.stat().st_size:
                        found.replace(earlier)
        overlay = OverlayVideo(self._folder.overlay, reader.fps, reader.size, look=reader.look, sound=reader.sound)
        with ExitStack() as opened:
            opened.enter_context(overlay)
            groups = read_groups(earlier, overlay.group_size)
            add_to_overlay(overlay, self._folder, reader, done, lambda group: next(groups, None))
            opened.pop_all()
        earlier.unlink(missing_ok=True)
        return overlay

    def write(self, frame: Frame, masks: MaskFrame) -> None:
        """Write one frame everywhere. The mask that it had is kept first; a crash at any point loses neither."""
        with self._clock.part("write_masks"):
            before = self._before.get(frame.index)
            if before is not None:
                self._folder.keep_replaced(before)
            content = self._masks.write(masks)
            result = FrameResult.of(masks, sha256_of(content))
            if (soft := self._soft.write(masks, result.mask)) is not None:
                self._unsynced.append(soft)
            self._journal.add(frame.index, result)
            self._unsynced.append(self._folder.mask_path(masks.name))
            if self._table is not None:
                self._table.add(masks.name, masks.index, ((one.score, one.region) for one in result.objects))
        if self._overlay is not None:
            with self._clock.part("write_overlay"):
                self._overlay.write(frame, masks)
        if self._exports is not None:
            with self._clock.part("write_exports"):
                self._exports.write(masks, frame)

    def skip(self, skipped: Skipped) -> None:
        """Note a frame that was left out."""
        self._journal.add_skipped(skipped)

    def later_sync(self, path: Path) -> None:
        """Have a file on the disk by the next `sync`."""
        self._unsynced.append(path)

    def sync(self) -> None:
        """Return when all that was written is on the disk."""
        unsynced, self._unsynced = self._unsynced, []
        try:
            for path in unsynced:
                sync(path)
            for folder in {path.parent for path in unsynced}:
                sync(folder)
        except OSError as error:
            raise output_error(self._folder.path, error) from error
        self._journal.sync()

    def __enter__(self) -> Results:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None or not isinstance(error, OutputError):
            with suppress(OutputError):
                self.sync()
        with self._clock.part("write_overlay"):
            if self._overlay is not None:
                self._folder.note_overlay(None)
            self._stack.__exit__(kind, error, trace)
            if self._overlay is not None:
                with suppress(DevosError):
                    self._folder.note_overlay(self._done())
