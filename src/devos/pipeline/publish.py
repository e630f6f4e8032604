"""What a person takes away, made from a project's results: the table and the overlay."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from devos.frames import Frame, MaskFrame
from devos.io import ObjectsTable, OverlayVideo, VideoReader
from devos.io.files import replacing
from devos.io.labels import read_label_png
from devos.io.overlay import read_groups
from devos.project.folder import ProjectFolder
from devos.project.results import FrameResult, ResultTable


def publish(folder: ProjectFolder, reader: VideoReader, results: ResultTable, *, overlay: bool) -> None:
    """Make table and overlay those of the results."""
    ordered = [results[index] for index in results]
    write_table(folder.table, ordered)
    if overlay:
        redraw_overlay(folder, reader, ordered)


def write_table(path: Path, results: Iterable[FrameResult]) -> None:
    """Write the whole table; whoever reads it sees the old one or the new one."""
    with replacing(path) as temporary, ObjectsTable(temporary) as table:
        for result in results:
            table.add(result.name, result.index, ((one.score, one.region) for one in result.objects))


def redraw_overlay(folder: ProjectFolder, reader: VideoReader, results: Sequence[FrameResult]) -> None:
    """Make the overlay anew, with all groups of frames taken over from the old one that look as they did."""
    if not results:
        folder.overlay.unlink(missing_ok=True)
        return
    shown = folder.shown_by_overlay()
    with OverlayVideo(folder.overlay, reader.fps, reader.size, look=reader.look, sound=reader.sound) as overlay:
        size = overlay.group_size
        old = read_groups(folder.overlay, size)
        places = itertools.count(0, size)

        def same(group: Sequence[FrameResult]) -> Any:
            coded, place = next(old, None), next(places)
            return coded if shown[place : place + size] == [(one.index, one.mask) for one in group] else None

        add_to_overlay(overlay, folder, reader, results, same)
        folder.note_overlay(None)
    folder.note_overlay(results)


def add_to_overlay(overlay: OverlayVideo, folder: ProjectFolder, reader: VideoReader, results: Sequence[FrameResult],
                   coded: Callable[[Sequence[FrameResult]], Any]) -> None:  # fmt: skip
    """Add frames to an overlay that has none yet. `coded`: asked for each whole group in turn, gives it as an earlier
    overlay has it, or None if it must be drawn.
    """
    size = overlay.group_size
    first_s: float | None = None
    to_draw: list[FrameResult] = []
    for start in range(0, len(results), size):
        group = results[start : start + size]
        taken = coded(group) if len(group) == size else None
        if taken is None:
            to_draw += group
            continue
        _draw(overlay, folder, reader, to_draw)
        to_draw = []
        if first_s is None:
            first_s = _time_of(reader, results[0].index)
        overlay.copy(taken, first_s)
    _draw(overlay, folder, reader, to_draw)


def _time_of(reader: VideoReader, index: int) -> float:
    """When a frame is shown."""
    if index == 0:
        return 0.0
    with closing(reader.read_range(index, index + 1)) as frames:
        return next((frame.time_s for frame in frames), 0.0)


def _draw(overlay: OverlayVideo, folder: ProjectFolder, reader: VideoReader, results: Sequence[FrameResult]) -> None:
    """Draw frames that follow each other, from what is stored."""
    if not results:
        return
    wanted = {result.index: result for result in results}
    for frame in reader.read_range(results[0].index, results[-1].index + 1):
        if frame.index in wanted:
            overlay.write(frame, stored_masks(folder, wanted[frame.index], frame))


def stored_masks(folder: ProjectFolder, result: FrameResult, frame: Frame | None = None) -> MaskFrame:
    """A result as it was given: labels and scores. The time is the frame's; 0 where none is given."""
    labels = read_label_png(folder.mask_file(result))
    time_s = 0.0 if frame is None else frame.time_s
    return MaskFrame(result.index, time_s, result.name, labels, tuple(one.score for one in result.objects),
                     cut=result.cut)  # fmt: skip
