"""`--size auto`: the short side at which the network works, chosen by what is marked.

Several objects of which one is small are followed better at a larger size; a single small one is not: it often comes
nearer (docs/evaluation.md has the figures).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from devos.errors import OptionError
from devos.frames import FrameSize
from devos.image import network_size

AUTO = "auto"
USUAL = 384
"""The short side, in pixels, that is the default everywhere."""
LARGER = 640
"""The one that shows small objects to the network."""
SMALL = 40
"""Side of an area, in pixels as the network sees it at `USUAL`, below which an object is small."""


def parse_size(text: str) -> int | str:
    """A short side as it is written on a command line: a number, or `AUTO`; OptionError for anything else.

    >>> parse_size("auto"), parse_size("480")
    ('auto', 480)
    """
    if text == AUTO:
        return AUTO
    if not text.isdecimal():
        raise OptionError(f"--size is a short side in pixels from 64 to 4096, or auto; got {text or 'nothing'}")
    return int(text)


def largest_areas(given: Iterable[Mapping[int, int]]) -> dict[int, int]:
    """Each object's largest area, of the areas (pixels by object id) of several frames."""
    largest: dict[int, int] = {}
    for areas in given:
        for object_id, area in areas.items():
            largest[object_id] = max(area, largest.get(object_id, 0))
    return dict(sorted(largest.items()))


def small_sides(areas: Mapping[int, int], frame: FrameSize, size: int) -> dict[int, int]:
    """The side, in pixels as the network sees it at `size`, of each object that is small there.

    `areas`: pixels of the frame by object id.
    """
    inner = network_size(frame, size)
    scale = (inner.height * inner.width / (frame.height * frame.width)) ** 0.5
    sides = {object_id: round(area**0.5 * scale) for object_id, area in areas.items()}
    return {object_id: side for object_id, side in sides.items() if side < SMALL}


def choose_size(areas: Mapping[int, int], frame: FrameSize) -> int:
    """The short side for these objects, `USUAL` or `LARGER`.

    >>> choose_size({1: 90 * 90, 2: 15 * 15}, FrameSize(240, 432))
    640
    >>> choose_size({1: 15 * 15}, FrameSize(240, 432))
    384
    """
    return LARGER if len(areas) > 1 and small_sides(areas, frame, USUAL) else USUAL
