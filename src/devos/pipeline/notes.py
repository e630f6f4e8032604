"""What the user may want to know of a run; one line each."""

from __future__ import annotations

from collections.abc import Sequence

from devos.frames import FrameSize
from devos.image import network_size
from devos.io import GivenMasks
from devos.project.history import Skipped

_SMALL = 40
"""Side of an area, in pixels as the network sees it, below which an object was followed better at `_LARGER`: by 0.03 to
0.05 of J on made-up clips (docs/evaluation.md)."""
_LARGER = 640
"""A short side that shows small objects to the network."""


def small_objects(given: GivenMasks, frame: FrameSize, size: int) -> list[str]:
    """What to do about objects that are small everywhere they were marked."""
    largest: dict[int, int] = {}
    for areas in given.areas.values():
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


def left_out(skipped: Sequence[Skipped]) -> list[str]:
    """Of bad frames."""
    if not skipped:
        return []
    names = ", ".join(one.frame for one in skipped[:5])
    count = "1 bad frame was" if len(skipped) == 1 else f"{len(skipped)} bad frames were"
    return [f"{count} left out, without a mask: {names}{', ...' if len(skipped) > 5 else ''}"]
