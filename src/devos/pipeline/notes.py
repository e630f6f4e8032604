"""What the user may want to know of a run; one line each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from devos.engine import sizes
from devos.frames import FrameSize
from devos.io import GivenMasks
from devos.project.history import Skipped


def small_objects(given: GivenMasks, frame: FrameSize, size: int, chosen: bool = False) -> list[str]:
    """What to do about objects that are small everywhere they were marked; or what was done, where `size` was `chosen`
    by what is marked.
    """
    areas = sizes.largest_areas(given.areas.values())
    if chosen and size >= sizes.LARGER:
        small = sizes.small_sides(areas, frame, sizes.USUAL)
        return [f"--size auto took {size}, in about {_times(size / sizes.USUAL)} times the time of {sizes.USUAL}, "
                f"at which the network would see these of several objects small: {_listed(small)}"]  # fmt: skip
    small = sizes.small_sides(areas, frame, size)
    if not small or size >= sizes.LARGER:
        return []
    return [f"as the network sees them, these objects are small: {_listed(small)}; --size {sizes.LARGER} often follows "
            f"small objects better, in about {_times(sizes.LARGER / size)} times the time"]  # fmt: skip


def _times(side: float) -> str:
    """How much more work so many times the side makes."""
    return f"{side**2:.1f}" if side < 3 else f"{side**2:.0f}"


def _listed(small: Mapping[int, int]) -> str:
    more = ", ..." if len(small) > 5 else ""
    return ", ".join(f"{object_id} ({side} px)" for object_id, side in list(small.items())[:5]) + more


def cuts_told(cuts: Sequence[int]) -> list[str]:
    """Of hard cuts: what lies beyond one is followed only if it is known again."""
    if not cuts:
        return []
    count = "1 hard cut" if len(cuts) == 1 else f"{len(cuts)} hard cuts"
    frames = ", ".join(map(str, cuts[:5]))
    return [f"{count}, to frame{'s' if len(cuts) > 1 else ''} {frames}{', ...' if len(cuts) > 5 else ''}: objects have "
            "masks after it only where they are known again"]  # fmt: skip


def left_out(skipped: Sequence[Skipped]) -> list[str]:
    """Of bad frames."""
    if not skipped:
        return []
    names = ", ".join(one.frame for one in skipped[:5])
    count = "1 bad frame was" if len(skipped) == 1 else f"{len(skipped)} bad frames were"
    return [f"{count} left out, without a mask: {names}{', ...' if len(skipped) > 5 else ''}"]
