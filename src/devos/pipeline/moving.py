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
from devos.project.history import FINISHED, RUNNING, STOPPED, Step
from devos.project.results import FrameResult


def move(folder: ProjectFolder, to: int | None) -> None:
    """Let so many steps stand, the masks with them. None: only finish a move that was cut off."""
    history = folder.history
    head, going = history.head, history.going_to
    target = going if to is None else to
    if target is None:
        return
    if to is not None and going is not None and going != to:
        move(folder, None)
        head = history.head
    history.set_head(head, going_to=target)
    before, after = history.results(head), history.results(target)
    changed = folder.show(before, after)
    if changed:
        folder.snapshots.drop(FORWARD, lambda frame: frame > changed[0])
    history.set_head(target)


def settle(folder: ProjectFolder) -> None:
    """Before something new is begun: a step that was cut off stands as far as it came."""
    step = folder.open_step()
    if step is None:
        return
    if step.removals:
        remove_objects(folder, step)
        return
    whole = True

    def stands(index: int) -> bool:
        nonlocal whole
        result = changes[index]
        if result is not None and result.mask not in folder.content:
            path = folder.mask_path(result.name)
            whole = path.is_file() and sha256_of(path.read_bytes()) == result.mask
            return whole
        return True

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
            changed = MaskFrame(index, 0.0, result.name, labels, scores)
            folder.keep_replaced(result)
            journal.add(index, FrameResult.of(changed, sha256_of(label_png(labels))))
            masks.write(changed)
        journal.sync()
    finally:
        journal.close()
    if first is not None:
        begin = first
        folder.snapshots.drop(FORWARD, lambda frame: frame > begin)
    history.write(replace(step, status=FINISHED))
