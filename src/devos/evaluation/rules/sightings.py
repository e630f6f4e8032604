"""Which objects of a sequence are scored, and each on which frames: one function for each benchmark's rule.

An answer has the indices of the frames for each object id. It may have none for an object of which no frame is scored.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from devos.errors import MaskError
from devos.evaluation.rules.meta import FrameRange, Meta

LVOS_STEP = 5
"""LVOS has a true mask on every fifth frame."""

Ids = frozenset[int]
FramesOf = dict[int, tuple[int, ...]]


@dataclass(frozen=True)
class Sightings:
    """What is seen where in one sequence. Frames are indices; background and void are no objects."""

    name: str
    stems: Sequence[str]
    """The file name, without suffix, of each frame of the sequence."""
    first: int
    """The first frame with a true mask."""
    frames: tuple[int, ...]
    """The frames that may be scored, rising."""
    truth: Mapping[int, Ids]
    """The objects of the first true mask, and of each true mask that may be scored."""
    predicted: Mapping[int, Ids]
    """The predicted ids on each frame that may be scored."""

    @property
    def true_ids(self) -> Ids:
        """Every object on any true mask that was looked at."""
        return frozenset().union(*self.truth.values())


def numbers_of_first_mask(sightings: Sightings, meta: Meta) -> FramesOf:
    """DAVIS 2017: every number up to the highest id of the first mask, whether any pixel has it or not; all frames."""
    highest = max(sightings.truth[sightings.first], default=0)
    return dict.fromkeys(range(1, highest + 1), sightings.frames)


def the_one_object(sightings: Sightings, meta: Meta) -> FramesOf:
    """DAVIS 2016: one object, on all frames, even if no mask shows it."""
    return {1: sightings.frames}


def seen_and_since_sight(sightings: Sightings, meta: Meta) -> FramesOf:
    """vos-benchmark: what true masks on scored frames show, from the frame where it is first seen or predicted."""
    true_ids: Ids = frozenset().union(*(sightings.truth[frame] for frame in sightings.frames))
    return {object_id: _since(sightings, object_id) for object_id in sorted(true_ids)}


def since_appearance(sightings: Sightings, meta: Meta) -> FramesOf:
    """YouTube-VOS: every object, from the scored frame after the one that first shows it."""
    first_on: dict[int, int] = {}
    for frame in sorted(sightings.truth):
        for object_id in sightings.truth[frame]:
            first_on.setdefault(object_id, frame)
    wanted = _wanted(sightings, meta)
    return {
        object_id: tuple(frame for frame in sightings.frames if frame > first_on[object_id])
        for object_id in sorted(first_on.keys() & wanted)
    }


def all_on_all_frames(sightings: Sightings, meta: Meta) -> FramesOf:
    """MOSE v2: the objects of the meta file, or else all that true masks show; all frames."""
    return dict.fromkeys(sorted(_wanted(sightings, meta)), sightings.frames)


def own_range(sightings: Sightings, meta: Meta) -> FramesOf:
    """LVOS: each object's range without its first and its last frame.

    The range is that of the meta file, every fifth frame by number; without one it goes from the frame that first
    shows the object to the last with a true mask.
    """
    ranges = meta.objects(sightings.name)
    result: FramesOf = {}
    for object_id in sorted(_wanted(sightings, meta)):
        said = ranges[object_id].frames if object_id in ranges else None
        if said is not None:
            result[object_id] = _visited(sightings, said, object_id)
        else:
            shown = [frame for frame in sorted(sightings.truth) if object_id in sightings.truth[frame]]
            result[object_id] = tuple(frame for frame in sightings.frames if shown and frame > shown[0])
    return result


def _visited(sightings: Sightings, said: FrameRange, object_id: int) -> tuple[int, ...]:
    """The frames of a range of numbers, less the first and the last; those of them that may be scored."""
    index_of = {int(stem): index for index, stem in enumerate(sightings.stems) if stem.isdecimal()}
    numbers = list(range(said.start, said.end, LVOS_STEP))[1 : max(said.num_frames - 1, 0)]
    known = set(sightings.frames)
    for number in numbers:
        if index_of.get(number) not in known:
            raise MaskError(
                f"the meta file scores object {object_id} of sequence {sightings.name} on frame {number}, which has no "
                "true mask; give the masks and the meta file of the same release"
            )
    return tuple(index_of[number] for number in numbers)


def _wanted(sightings: Sightings, meta: Meta) -> Ids:
    """The objects that the meta file names, or else all that true masks show."""
    return frozenset(meta.objects(sightings.name)) or sightings.true_ids


def _since(sightings: Sightings, object_id: int) -> tuple[int, ...]:
    seen: Iterable[int] = (
        frame
        for frame in sightings.frames
        if object_id in sightings.truth[frame] or object_id in sightings.predicted[frame]
    )
    start = min(seen)
    return tuple(frame for frame in sightings.frames if frame >= start)
