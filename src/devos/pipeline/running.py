"""Run one step of a project to its end, and say what came of it, however it ends."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from devos.errors import DevosError
from devos.frames import MaskFrame, frame_name
from devos.io import VideoReader, write_json
from devos.io.labels import read_label_png
from devos.io.regions import find_regions
from devos.pipeline.exports import write_again
from devos.pipeline.follow import Work
from devos.pipeline.notes import cuts_told, left_out
from devos.pipeline.publish import publish
from devos.pipeline.versions import versions
from devos.project.folder import ProjectFolder
from devos.project.history import FINISHED, STOPPED
from devos.project.results import ResultTable


@dataclass(frozen=True)
class Progress:
    """How far a run has come; told for each frame, some moments after it is written."""

    num_done: int
    """Frames that are written, those of the run that this one goes on from too."""
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
    """`run.json`: the settings, versions and weights that made it, and what came of it; the same bytes each time."""
    num_frames: int
    """Frames that have a mask."""
    object_ids: tuple[int, ...]
    seconds: float
    """Of the whole job."""
    fps: float
    """Frames followed in a second, reading and writing included, loading not."""
    timings: dict[str, float]
    """Seconds that each part took. `decode`, `resize`, `flow` and, on a CPU, `encode` and `look` are done ahead of the
    rest of the network, `masks` (at the frames' own size), `write_masks`, `write_overlay`, `write_exports` and
    `snapshots` behind it, by threads of their own, so that all parts may add up to more than `seconds`. `waiting`: the
    network's thread waited for one of them. Where a GPU works beside the CPU, what waits for it shows in `masks`.
    `other`: the rest of the network's thread."""
    skipped: tuple[dict[str, str], ...]
    """Bad frames that were left out: name and reason."""
    notes: tuple[str, ...]
    """What the user may want to know of; one line each."""

    def as_json(self) -> dict[str, Any]:
        """The same, of plain values."""
        return {name: str(value) if isinstance(value, Path) else value for name, value in asdict(self).items()}


def run_step(work: Work, progress: Callable[[Progress], None],
             notes: Sequence[str] = ()) -> Generator[MaskFrame, None, RunSummary]:  # fmt: skip
    """Every frame of the step, then what a person takes away, and the record; also where it ends early."""
    folder, clock, started = work.folder, work.clock, datetime.now(UTC)
    begun, num_before, num_new = clock.total, len(folder.history.changes(work.step.number)), 0
    status, reason = "finished", ""
    try:
        num_told = num_before if work.streams else 0
        for masks in work.run():
            num_new += 1
            yield masks
            progress(Progress(num_told + num_new, work.reader.num_frames, clock.total - begun))
    except BaseException as error:
        status = "interrupted" if isinstance(error, KeyboardInterrupt | GeneratorExit) else "failed"
        reason = str(error)
        with suppress(DevosError):  # a disk that is full takes no record either
            work.step = replace(work.step, status=STOPPED, error=reason)
            folder.history.write(work.step)
        raise
    finally:
        seconds = clock.total - begun
        # what went wrong first is what to tell
        with suppress(*((DevosError,) if status != "finished" else ())):
            summary = _settle(work, notes, status, reason, num_new, seconds, started)
    return summary


def _settle(work: Work, notes: Sequence[str], status: str, reason: str, num_new: int, seconds: float,
            started: datetime) -> RunSummary:  # fmt: skip
    """Table and overlay where they did not grow with the results, the record and the timings; then it is finished."""
    folder, is_over = work.folder, status == "finished"
    after = folder.history.results()
    if not work.streams:
        with work.clock.part("write_overlay"):
            publish(folder, work.reader, after, overlay=work.overlay)
        with work.clock.part("write_exports"):
            if is_over:  # what was stopped is written when it is gone on with, or taken back
                write_again(folder, work.reader, after)
    summary = _summary(work, after, [*notes, *(_unused(work, after) if is_over else ())], num_new, seconds)
    write_record(folder, work.reader, status, reason, summary.notes)
    write_json(folder.timings, {"started": started.isoformat(timespec="seconds"), "seconds": summary.seconds,
                                "fps": summary.fps, "timings": summary.timings})  # fmt: skip
    step = replace(work.step, notes=summary.notes)
    folder.history.write(replace(step, status=FINISHED, error="") if is_over else step)
    if is_over:
        folder.clear_scratch()
        folder.snapshots.drop("backward", lambda _: True)
    return summary


def _unused(work: Work, results: ResultTable) -> list[str]:
    return [f"the mask for frame {one.name} was not used: no such frame was read"
            for one in work.step.annotations if one.frame not in results]  # fmt: skip


def _summary(work: Work, results: ResultTable, notes: Sequence[str], num_new: int, seconds: float) -> RunSummary:
    clock, folder = work.clock, work.folder
    timings = work.timings
    in_turn = sum(timings.get(part, 0.0) for part in ("check", "load", "network", "waiting"))
    timings["other"] = max(0.0, clock.total - in_turn)
    skipped = [one for step in folder.history.steps() for one in folder.history.skipped(step.number)]
    said = [*work.reader.notes, *notes, *left_out(skipped), *cuts_told(results.cuts)]
    return RunSummary(
        out=folder.path,
        masks=folder.masks,
        overlay=folder.overlay if work.overlay else None,
        table=folder.table,
        record=folder.run_record,
        num_frames=len(results),
        object_ids=results.object_ids,
        seconds=round(clock.total, 3),
        fps=round(num_new / seconds, 2) if num_new else 0.0,
        timings={part: round(taken, 3) for part, taken in timings.items()},
        skipped=tuple(asdict(one) for one in skipped),
        notes=tuple(said),
    )


def publish_again(folder: ProjectFolder, reader: VideoReader, overlay: bool) -> None:
    """Table, overlay and record as the results are now."""
    publish(folder, reader, folder.history.results(), overlay=overlay)
    write_again(folder, reader, folder.history.results())
    step = folder.open_step()
    if step is not None and step.removals:
        step = None  # all that it takes out is out; it is finished once this is written
    notes = [one.notes for one in folder.history.steps() if one.plan or one.removals]
    status, reason = ("finished", "") if step is None else ("interrupted", step.error)
    write_record(folder, reader, status, reason, notes[-1] if notes else ())


def write_record(folder: ProjectFolder, reader: VideoReader, status: str, reason: str, notes: Sequence[str]) -> None:
    """`run.json`: what ran, on what, with what, and how it ended. The same work gives the same bytes."""
    record, results = folder.record, folder.history.results()
    skipped = [asdict(one) for step in folder.history.steps() for one in folder.history.skipped(step.number)]
    write_json(folder.run_record, {
        "status": status,
        **({"error": reason} if reason else {}),
        "input": {"path": record.video.path, "width": reader.size.width, "height": reader.size.height,
                  "fps": str(reader.fps), "num_frames": reader.num_frames},
        "given_masks": _given(folder),
        "model": {"name": record.model["name"], "sha256": record.model["sha256"]},
        "settings": {**record.settings, **record.choices},
        "device": record.device,
        "threads": torch.get_num_threads(),
        "versions": versions(),
        "num_frames": len(results),
        "object_ids": results.object_ids,
        "skipped": skipped,
        "notes": list(notes),
    })  # fmt: skip


def _given(folder: ProjectFolder) -> dict[str, Any]:
    """What was given, frame by frame: how many pixels of each object."""
    areas: dict[str, dict[str, int]] = {}
    annotations = folder.annotations()
    for one in annotations:
        regions = find_regions(read_label_png(folder.content.path(one.mask)))
        seen = areas.setdefault(one.name, {})
        seen.update({str(i): regions[i].area if i in regions else 0 for i in one.objects})
    return {"path": annotations[0].source if annotations else "", "areas": areas}


def frame_label(reader: VideoReader, index: int) -> str:
    """What a frame is called."""
    return reader.names[index] if reader.names is not None and index < len(reader.names) else frame_name(index)
