"""What a person says of some objects on some frames, as annotations; refused where it does not fit or is locked."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import UInt8, UInt16

from devos.errors import MaskError, OptionError
from devos.io import VideoReader
from devos.io.labels import label_png
from devos.pipeline.publish import stored_masks
from devos.pipeline.running import frame_label
from devos.pipeline.segment import check_range
from devos.project.folder import ProjectFolder
from devos.project.history import Annotation, Step

Labels = UInt16[np.ndarray, "h w"] | UInt8[np.ndarray, "h w"]


def annotation_of(folder: ProjectFolder, reader: VideoReader, frame: int, labels: Labels,
                  objects: Collection[int] | None, first: int, last: int | None,
                  source: str) -> Annotation:  # fmt: skip
    """An annotation, its mask kept in the project.

    `objects`: None names all that have a pixel; else these alone, of which one without a pixel is not on this frame.
    MaskError for a size that does not fit, or where nothing is named; OptionError for what is locked.
    """
    check_range(reader, frame, None)
    name = frame_label(reader, frame)
    if labels.shape != tuple(reader.size):
        raise MaskError(f"the mask for frame {name} is {labels.shape[1]}x{labels.shape[0]}, but the video is "
                        f"{reader.size}; draw it on a frame of the video")  # fmt: skip
    named = sorted({int(i) for i in np.unique(labels)} - {0} if objects is None else {int(i) for i in objects})
    if not named:
        raise MaskError(f"the mask for frame {name} names no object; paint each with its id")
    refuse_locked(folder, named, (frame,))
    own = np.zeros(labels.shape, np.uint16)
    for object_id in named:
        own[labels == object_id] = object_id
    return Annotation(frame, name, tuple(named), folder.content.add(label_png(own)), source, first, last)


def corrections(
    folder: ProjectFolder, reader: VideoReader, masks: Mapping[int, Labels], objects: Collection[int] | None,
    absent: Mapping[int, Collection[int]], within: tuple[int, int | None], sources: Mapping[int, Path],
) -> tuple[tuple[Annotation, ...], list[str]]:  # fmt: skip
    """Annotations of what differs from the results, or of the objects asked for; and what is to be told of them."""
    results, said, notes = folder.history.results(), list[Annotation](), list[str]()
    locked = set(folder.locks().objects)
    for frame in sorted({*masks, *absent}):
        labels = np.asarray(masks[frame]) if frame in masks else np.zeros(reader.size, np.uint16)
        gone = {int(i) for i in absent.get(frame, ())}
        stored = stored_masks(folder, results[frame]).labels if frame in results else None
        differing = _differing(labels, stored, objects)
        if objects is None and (held := differing & locked):  # a whole label map was given, not this very object
            differing -= held
            notes.append(f"object {listed(held)} is locked; what the mask of frame {frame_label(reader, frame)} "
                         "says of it is left out")  # fmt: skip
        named = gone | {i for i in differing if i not in gone}
        if not named:
            continue
        source = str(sources[frame]) if frame in sources else ""
        labels = np.where(np.isin(labels, list(gone)), 0, labels).astype(np.uint16)
        said.append(annotation_of(folder, reader, frame, labels, named, *within, source))
        if stored is not None:
            notes += _taken(frame_label(reader, frame), labels, stored, named)
    if not said:
        raise MaskError("nothing to correct: the masks are what the results are already; change them, or name the "
                        "objects to follow again with --objects")  # fmt: skip
    _refuse_outside(said, *within)
    return tuple(said), notes


def _differing(labels: Labels, stored: Labels | None, objects: Collection[int] | None) -> set[int]:
    drawn = {int(i) for i in np.unique(labels)} - {0}
    if objects is not None:
        return drawn & set(objects)
    if stored is None or stored.shape != labels.shape:
        return drawn
    return {i for i in drawn if not np.array_equal(labels == i, stored == i)}


def _taken(name: str, labels: Labels, stored: Labels, named: Collection[int]) -> list[str]:
    """Where a mask gives pixels of objects that are not corrected to one that is."""
    others = np.isin(labels, list(named)) & (stored > 0) & ~np.isin(stored, list(named))
    if not (taken := np.count_nonzero(others)):
        return []
    ids = listed({int(i) for i in np.unique(stored[others])})
    return [f"on frame {name} the mask gives {taken} pixels of object {ids} to another one; what was marked counts "
            "there, unless that object is locked"]  # fmt: skip


def _refuse_outside(said: Sequence[Annotation], first: int, last: int | None) -> None:
    outside = [one.name for one in said if one.frame < first or (last is not None and one.frame > last)]
    if outside:
        raise MaskError(f"the masks of frames {', '.join(outside[:5])} lie outside --from and --to; leave them out, or "
                        "widen the range")  # fmt: skip


def refuse_locked(folder: ProjectFolder, objects: Collection[int], frames: Collection[int] = ()) -> None:
    """OptionError for objects and frames that are locked."""
    locks = folder.locks()
    if held := set(objects) & set(locks.objects):
        raise OptionError(f"object {listed(held)} is locked; unlock it first, or leave it out with --objects")
    if held := {frame for frame in frames if locks.holds(frame)}:
        raise OptionError(f"frame {listed(held)} is locked; unlock it first, or leave it out")


def still_said(steps: Sequence[Step], step: Step) -> list[Annotation]:
    """A step's annotations without what was removed later."""
    removals = [one for later in steps if later.number > step.number for one in later.removals]
    said = []
    for one in step.annotations:
        gone = {removal.object_id for removal in removals if removal.holds(one.frame)}
        if objects := tuple(i for i in one.objects if i not in gone):
            said.append(replace(one, objects=objects))
    return said


def listed(ids: Collection[int]) -> str:
    """As people write them."""
    return ", ".join(map(str, sorted(ids)))
