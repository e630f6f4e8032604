"""Steps taken back and done again, objects taken out, and what a crash left half-way made whole."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from devos.frames import MaskFrame
from devos.io.labels import label_png, read_label_png
from devos.io.sinks import MaskFolder
from devos.pipeline.plan import FORWARD
from devos.project.content import sha256_of
from devos.project.folder import ProjectFolder
from devos.project.history import RUNNING, STOPPED, Step
from devos.project.probabilities import Probabilities
from devos.project.results import FrameResult


def move(folder: ProjectFolder, to: int) -> None:
    """Let so many steps stand, and bring the masks there."""
    folder.history.set_head(to, came_from=folder.history.head)
    arrive(folder)


def arrive(folder: ProjectFolder) -> None:
    """Bring the masks to the steps that stand, from those that stood before; also where that was cut off."""
    before = folder.history.came_from
    if before is None:
        return
    changed = folder.show(folder.history.results(before), folder.history.results())
    if changed:
        folder.snapshots.drop(FORWARD, lambda frame: frame > changed[0])


def settle(folder: ProjectFolder) -> None:
    """Before something new is begun: a step that was cut off stands as far as it came."""
    step = folder.open_step()
    if step is None:
        return

    def stands(index: int) -> bool:
        result = changes[index]
        if result is None or result.mask in folder.content:
            return True
        path = folder.mask_path(result.name)
        return path.is_file() and sha256_of(path.read_bytes()) == result.mask

    changes = dict(folder.history.changes(step.number))
    folder.history.keep_changes(step.number, stands)
    # what was written of a frame after its line was lost, or before it: as it was
    before, now = folder.history.results(step.number - 1), folder.history.results(step.number)
    folder.show_again(before, now)
    if step.status == RUNNING:
        folder.history.write(replace(step, status=STOPPED))


def remove_objects(folder: ProjectFolder, step: Step) -> None:
    """Carry out a step that takes objects out of results: their pixels become background."""
    history = folder.history
    before = history.results(step.number - 1)
    history.keep_changes(step.number, lambda _: False)
    journal, masks, locks = history.journal(step.number), MaskFolder(folder.masks), folder.locks()
    first: int | None = None
    soft = Probabilities(folder)
    try:
        for index in before:
            result = before[index]
            gone = {one.object_id for one in step.removals if one.holds(index)} & {*result.object_ids}
            if not gone or locks.holds(index):
                continue
            first = index if first is None else first
            labels = read_label_png(folder.mask_file(result))
            labels[np.isin(labels, list(gone))] = 0
            scores = tuple(one.score for one in result.objects if one.object_id not in gone)
            changed = MaskFrame(index, 0.0, result.name, labels, scores, cut=result.cut)
            mask = sha256_of(label_png(labels))
            soft.write(replace(changed, probabilities=soft.read(result, changed)), mask)
            folder.keep_replaced(result)
            journal.add(index, FrameResult.of(changed, mask))
            masks.write(changed)
        journal.sync()
    finally:
        journal.close()
    if first is not None:
        begin = first
        folder.snapshots.drop(FORWARD, lambda frame: frame > begin)
