"""What a reader of one sequence's numbers has to know, in a sentence each."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from devos.evaluation.rules.sightings import Ids, Sightings

_MOST_NAMED = 12


def remarks(seen: Sightings, frames_of: Mapping[int, Collection[int]], *, matching: bool) -> tuple[str, ...]:
    """Ids that are scored though they are nowhere, that are not scored though they are there, or that are missing.

    `frames_of`: the scored frames of each object; `matching`: predicted ids are matched, so that they mean nothing.
    """
    scored = {object_id for object_id, frames in frames_of.items() if frames}
    given = seen.truth[seen.first]
    on_frames: Ids = frozenset().union(*(seen.truth[frame] for frame in seen.frames))
    predicted: Ids = frozenset().union(*seen.predicted.values())
    late = (seen.true_ids - given) & scored
    early = {object_id for object_id in late if len(frames_of[object_id]) == len(seen.frames)}
    notes: dict[str, Collection[int]] = {
        "object ids {} are on no true mask but are scored, as the official program does": scored - seen.true_ids,
        "object ids {} come after the first frame and count on every frame, as the official program does": early,
        "object ids {} come after the first frame and are not scored": seen.true_ids - given - scored,
        "object ids {} are only on frames that are not scored": (given & seen.true_ids) - scored,
    }
    if not matching:
        notes["object ids {} are in no predicted mask"] = (on_frames & scored) - predicted
        unknown = predicted - scored - seen.true_ids
        notes["predicted ids {} are not among the scored objects and were ignored"] = unknown
    return tuple(f"{seen.name}: {note.format(_listed(ids))}" for note, ids in notes.items() if ids)


def _listed(ids: Collection[int]) -> str:
    first = sorted(ids)[:_MOST_NAMED]
    more = f" and {len(ids) - len(first)} more" if len(ids) > len(first) else ""
    return ", ".join(map(str, first)) + more
