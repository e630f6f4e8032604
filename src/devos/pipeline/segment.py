"""The whole job: a video and its masks in; masks of every frame, an overlay, a table and a record out."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch

from devos.engine.prepared import PreparedFrame
from devos.engine.segmenter import DEFAULT_MODEL, Segmenter, load
from devos.engine.session import Labels, Session
from devos.errors import MaskError, OptionError, OutputError
from devos.frames import Frame, MaskFrame, frame_name
from devos.image import network_size
from devos.io import GivenMasks, VideoReader, open_video, prepare_output, read_masks, write_json
from devos.io.files import MASKS_FOLDER, OBJECTS_FILE, OVERLAY_FILE, RUN_FILE
from devos.pipeline.results import Clock, Results
from devos.pipeline.stages import ReadAhead, WriteBehind
from devos.pipeline.versions import versions

_HIGHEST_FPS = 1000
_MOST_WAITING = 2
"""Frames that wait for the network, and frames that wait to be written. One would do if each took equally long."""
_SMALL = 40
"""Side of an area, in pixels as the network sees it, below which an object was followed better at `_LARGER`: by 0.03 to
0.05 of J on made-up clips (docs/evaluation.md)."""
_LARGER = 640
"""A short side that shows small objects to the network."""


@dataclass(frozen=True)
class Progress:
    """How far a run has come; told for each frame, some moments after it is written."""

    num_done: int
    """Frames that are written."""
    num_frames: int | None
    """Frames of the video; None where its file does not say, and only about right for some files."""
    seconds: float
    """Since the first frame was begun."""


@dataclass(frozen=True)
class RunSummary:
    """What a run did and where its results are."""

    out: Path
    masks: Path
    """A folder of label PNGs, each named as its frame."""
    overlay: Path | None
    table: Path
    """Frame, object, presence, confidence, area and box."""
    record: Path
    """`run.json`: all that is here, and the settings, versions and weights that made it."""
    num_frames: int
    object_ids: tuple[int, ...]
    seconds: float
    """Of the whole job."""
    fps: float
    """Frames followed in a second, reading and writing included, loading not."""
    timings: dict[str, float]
    """Seconds that each part took. `decode`, `resize`, `flow` and, on a CPU, `encode` and `look` are done ahead of the
    rest of the network, `masks` (at the frames' own size), `write_masks` and `write_overlay` behind it, by threads of
    their own, so that all parts may add up to more than `seconds`. `waiting`: the network's thread waited for one of
    them. Where a GPU works beside the CPU, what waits for it shows in `masks`. `other`: the rest of the network's
    thread."""
    skipped: tuple[dict[str, str], ...]
    """Bad frames that were left out: name and reason."""
    notes: tuple[str, ...]
    """What the user may want to know of; one line each."""

    def as_json(self) -> dict[str, Any]:
        """The same, of plain values."""
        return {name: str(value) if isinstance(value, Path) else value for name, value in asdict(self).items()}


def segment(
    video: str | Path,
    masks: str | Path,
    out: str | Path,
    *,
    model: str | Path | Segmenter = DEFAULT_MODEL,
    device: str = "auto",
    size: int | None = None,
    memory_every: int | None = None,
    bank: int | None = None,
    fine_bank: int | None = None,
    focus: bool | None = None,
    flow: str | None = None,
    flip: bool | None = None,
    scales: Sequence[float] | None = None,
    runtime: str | None = None,
    precision: str | None = None,
    fps: float | Fraction | None = None,
    overwrite: bool = False,
    resize_masks: bool = False,
    snap_masks: bool = False,
    skip_bad_frames: bool = False,
    overlay: bool = True,
    progress: Callable[[Progress], None] | None = None,
) -> RunSummary:
    """Follow the objects of the given masks through a video, and write all results to the folder `out`.

    `video`: a file or a folder of frames, whose rate is `fps`. `masks`: a PNG for the first frame, or a folder of PNGs
    named as their frames. `model`: a name, a weights file, or a `Segmenter`, with its own device and settings; `size`,
    `memory_every`, `bank`, `fine_bank`, `focus`, `flow`, `flip`, `scales`, `runtime` and `precision` are those of
    `devos.load`, each as the model has it unless given. All of it is checked before any work. Raises a DevosError for
    whatever the user can mend. However the run ends, what is done stays readable; `out/run.json` tells how it ended.

    >>> import devos
    >>> summary = devos.segment("clip.mp4", "first.png", "out", size=64)
    >>> summary.object_ids
    (1,)
    >>> print(summary.overlay.as_posix())
    out/overlay.mp4
    """
    out, clock = Path(out), Clock()
    skipped: list[dict[str, str]] = []
    rate = _folder_rate(fps, Path(video))
    with open_video(
        video, fps=rate, skip_bad_frames=skip_bad_frames,
        on_skip=lambda name, reason: skipped.append({"frame": name, "reason": reason}),
    ) as reader:  # fmt: skip
        with clock.part("check"):
            given = read_masks(masks, reader, resize=resize_masks, snap=snap_masks)
        with clock.part("load"):
            segmenter = _segmenter(model, device, {
                "size": size, "memory_every": memory_every, "bank": bank, "fine_bank": fine_bank, "focus": focus,
                "flow": flow, "flip": flip, "scales": scales, "runtime": runtime, "precision": precision,
            })  # fmt: skip
        # Last of the checks, since with `overwrite` it removes what an earlier run wrote.
        prepare_output(out, overwrite=overwrite, inputs=(video, masks))
        choices = {"fps": None if rate is None else str(rate), "overwrite": overwrite, "resize_masks": resize_masks,
                   "snap_masks": snap_masks, "skip_bad_frames": skip_bad_frames, "overlay": overlay}  # fmt: skip
        run = _Run(reader, Path(masks), given, segmenter, segmenter.session(), out, choices, clock, skipped)
        return run.to_the_end(progress or (lambda _: None))


@dataclass(frozen=True)
class _Coming:
    """A frame that was read ahead."""

    prepared: PreparedFrame
    labels: Labels | None
    """What is given for it."""
    num_skipped: int
    """Bad frames before it."""


@dataclass
class _Run:
    """One video on its way; everything has been checked."""

    reader: VideoReader
    masks: Path
    given: GivenMasks
    segmenter: Segmenter
    session: Session
    out: Path
    choices: dict[str, Any]
    clock: Clock
    skipped: list[dict[str, str]]
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    num_frames: int = 0
    """Frames that are written."""
    num_told: int = 0
    """Frames that `progress` was told of."""
    num_skipped: int = 0
    """Bad frames before the one that the network has come to; those after it are no part of the results."""
    seconds_following: float = 0.0
    unused_masks: set[int] = field(default_factory=set)
    """Indices of the marked frames that the video turned out not to have; known at its end."""

    def to_the_end(self, progress: Callable[[Progress], None]) -> RunSummary:
        """Every frame; then the record, however it ends."""
        try:
            self._follow(progress)
        except BaseException as error:
            status = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
            with suppress(OutputError):  # a disk that is full takes no record either
                self._write_record(status, str(error))
            raise
        self._write_record("finished")
        return self.summary()

    def _follow(self, progress: Callable[[Progress], None]) -> None:
        """Read, follow, write, side by side: the network in this thread, what comes before and after it in others.

        However this ends, every frame that was followed is written, and no thread is left.
        """
        begun, unused = self.clock.total, set(self.given)
        results = Results(
            self.out, self.reader.fps, self.reader.size, overlay=self.choices["overlay"], clock=self.clock
        )

        def tell() -> None:
            while self.num_told < results.num_frames:
                self.num_told += 1
                progress(Progress(self.num_told, self.reader.num_frames, self.clock.total - begun))

        def write(pair: tuple[Frame, Callable[[], MaskFrame]]) -> None:
            frame, masks = pair
            results.write(frame, masks())

        try:
            with results:
                with (
                    WriteBehind(write, most=_MOST_WAITING) as writer,
                    ReadAhead(self._read(), most=_MOST_WAITING) as coming,
                ):
                    while (one := self._next(coming)) is not None:
                        unused.discard(one.prepared.frame.index)
                        masks = self.session.advance(one.prepared, one.labels)
                        with self.clock.part("waiting"):
                            writer.put((one.prepared.frame, masks))
                        tell()
                tell()
        finally:
            self.num_frames, self.seconds_following = results.num_frames, self.clock.total - begun
        self.unused_masks = unused

    def _read(self) -> Generator[_Coming, None, None]:
        """Every frame, prepared, and what is given for it."""
        first, before = min(self.given), None
        with closing(iter(self.reader)) as frames:
            while True:
                with self.clock.part("decode"):
                    frame = next(frames, None)
                    labels = None if frame is None else self.given.get(frame.index)
                if frame is None:
                    return
                before = self.session.prepare(frame, before, followed=frame.index >= first)
                yield _Coming(before, labels, len(self.skipped))
                if frame.index < first:  # nothing is followed yet, and the next needs no flow
                    before = None

    def _next(self, coming: ReadAhead[_Coming]) -> _Coming | None:
        """The next frame; None at the end."""
        one = None
        try:
            with self.clock.part("waiting"):
                one = next(coming, None)
        finally:
            self.num_skipped = len(self.skipped) if one is None else one.num_skipped
        self._refuse_if_nothing_to_follow(one.prepared.frame.index if one else None)
        return one

    def _refuse_if_nothing_to_follow(self, index: int | None) -> None:
        """Stop where every marked frame was left out. `index`: of the frame to come; None at the end."""
        if self.session.object_ids or any(index is not None and marked >= index for marked in self.given):
            return
        names = ", ".join(self._name(marked) for marked in self.given)
        raise MaskError(f"{self.masks}: there is nothing to follow, as no frame that it marks ({names}) could be read; "
                        "mark another frame")  # fmt: skip

    def summary(self) -> RunSummary:
        """What there is so far."""
        timings = {**self.clock.seconds, **self.session.timings}
        in_turn = sum(timings.get(part, 0.0) for part in ("check", "load", "network", "waiting"))
        timings["other"] = max(0.0, self.clock.total - in_turn)
        return RunSummary(
            out=self.out,
            masks=self.out / MASKS_FOLDER,
            overlay=self.out / OVERLAY_FILE if self.choices["overlay"] else None,
            table=self.out / OBJECTS_FILE,
            record=self.out / RUN_FILE,
            num_frames=self.num_frames,
            object_ids=self.session.object_ids,
            seconds=round(self.clock.total, 3),
            fps=round(self.num_frames / self.seconds_following, 2) if self.num_frames else 0.0,
            timings={part: round(seconds, 3) for part, seconds in timings.items()},
            skipped=tuple(self.skipped[: self.num_skipped]),
            notes=self._notes(),
        )

    def _notes(self) -> tuple[str, ...]:
        notes = list(self.given.notes)
        notes += self._too_small()
        if (first := min(self.given)) > 0:
            notes.append(f"frames {self._name(0)} to {self._name(first - 1)} come before the first mask; "
                         "their masks are empty")  # fmt: skip
        if num_skipped := self.num_skipped:
            names = ", ".join(skipped["frame"] for skipped in self.skipped[: min(5, num_skipped)])
            count = "1 bad frame was" if num_skipped == 1 else f"{num_skipped} bad frames were"
            more = ", ..." if num_skipped > 5 else ""
            notes.append(f"{count} left out, without a mask: {names}{more}")
        notes += [f"the mask for frame {self._name(i)} was not used: no such frame was read"
                  for i in sorted(self.unused_masks)]  # fmt: skip
        return tuple(notes)

    def _too_small(self) -> list[str]:
        """What to do about objects that are small everywhere they were marked."""
        size, frame = self.segmenter.settings.size, self.reader.size
        largest: dict[int, int] = {}
        for areas in self.given.areas.values():
            for object_id, area in areas.items():
                largest[object_id] = max(area, largest.get(object_id, 0))
        inner = network_size(frame, size)
        scale = (inner.height * inner.width / (frame.height * frame.width)) ** 0.5
        small = {object_id: round(area**0.5 * scale) for object_id, area in sorted(largest.items())}
        small = {object_id: side for object_id, side in small.items() if side < _SMALL}
        if not small or size >= _LARGER:
            return []
        sides = ", ".join(f"{object_id} ({side} px)" for object_id, side in list(small.items())[:5])
        more = ", ..." if len(small) > 5 else ""
        return [f"as the network sees them, these objects are small: {sides}{more}; --size {_LARGER} often follows "
                f"small objects better, in about {(_LARGER / size) ** 2:.1f} times the time"]  # fmt: skip

    def _name(self, index: int) -> str:
        return self.reader.names[index] if self.reader.names is not None else frame_name(index)

    def _write_record(self, status: str, error: str = "") -> None:
        """`run.json`: what ran, on what, with what, and how it ended."""
        reader, weights = self.reader, self.segmenter.weights
        summary = self.summary().as_json()
        content = {
            "status": status,
            **({"error": error} if error else {}),
            "started": self.started.isoformat(timespec="seconds"),
            "input": {"path": str(reader.path), "width": reader.size.width, "height": reader.size.height,
                      "fps": str(reader.fps), "num_frames": reader.num_frames},
            "given_masks": {"path": str(self.masks), "areas": {self._name(i): a for i, a in self.given.areas.items()}},
            "model": {"name": self.segmenter.model.config.name, "sha256": weights.sha256 if weights else None},
            "settings": {**asdict(self.segmenter.settings), **self.choices},
            "device": str(self.segmenter.device),
            "threads": torch.get_num_threads(),
            "versions": versions(),
            **{name: value for name, value in summary.items() if name != "record"},
        }  # fmt: skip
        write_json(self.out / RUN_FILE, content)


def _segmenter(model: str | Path | Segmenter, device: str, settings: dict[str, Any]) -> Segmenter:
    """`settings`: None stands for what the model has."""
    settings = {name: value for name, value in settings.items() if value is not None}
    if not isinstance(model, Segmenter):
        return load(model, device=device, **settings)
    if device != "auto":
        raise ValueError(f"the model is already on {model.device}; load it with device={device!r} instead")
    return model.with_settings(**settings)


def _folder_rate(fps: float | Fraction | None, video: Path) -> Fraction | None:
    """The frame rate that was asked for; only a folder of frames takes one."""
    if fps is None:
        return None
    if not 0 < fps <= _HIGHEST_FPS:
        raise OptionError(f"--fps is a number of frames a second above 0 and up to {_HIGHEST_FPS}, got {fps}")
    if video.is_file():
        raise OptionError(f"--fps is for a folder of frames, but {video} is a file with its own rate; leave it out")
    return Fraction(fps).limit_denominator(1001)
