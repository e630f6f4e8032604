"""The rules of each benchmark, as one value for each: what is scored, where, how, and how it is brought together.

Every rule follows the official program, as far as there is one; docs/evaluation.md says where the programs are and in
what they go wrong. The servers of YouTube-VOS and MOSE v1 run code that nobody has published: for those two the rules
are what their pages say and DAVIS does, and no figure can be claimed to be the server's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum

from devos.evaluation.measures.metrics import Mask, score_mask
from devos.evaluation.measures.mose import runs_of_absence, score_mask_mose2
from devos.evaluation.rules.means import (
    Objects,
    flat_means,
    group_extras,
    group_means,
    lvos_extras,
    mose2_extras,
    no_extras,
)
from devos.evaluation.rules.meta import Meta
from devos.evaluation.rules.quality import Means
from devos.evaluation.rules.sightings import (
    FramesOf,
    Sightings,
    all_on_all_frames,
    numbers_of_first_mask,
    own_range,
    seen_and_since_sight,
    since_appearance,
    the_one_object,
)
from devos.frames import FrameSize

VOID = 255
"""The value that DAVIS 2017 gives to pixels of no known object."""

Values = tuple[float, ...]
"""What was measured of one object on one frame, in the order of `Rules.measures`."""


Measure = Callable[[Mask, Mask, FrameSize], Values]
"""Of a predicted and a true mask, both a window of a frame of that size, as `metrics.score_mask` takes them."""


class Protocol(StrEnum):
    """Which official program the numbers follow."""

    DAVIS2016 = "davis2016"
    """One object: every value but 0."""
    DAVIS2017 = "davis2017"
    """The objects 1 to the highest id of the first true mask; 255 is background."""
    DAVIS2017_UNSUPERVISED = "davis2017-unsupervised"
    """No mask is given; predicted ids are matched with the objects as suits them best. 255 is left out."""
    VOS_BENCHMARK = "vos-benchmark"
    """Any folder against any folder: what scored true masks show, from first sight."""
    VOS_BENCHMARK_ALL = "vos-benchmark-all"
    """The same with the first and the last frame."""
    YOUTUBE_VOS = "youtube-vos"
    """Each object from the frame after its first; true masks on some frames; seen and unseen classes apart."""
    MOSE = "mose"
    """MOSE v1, as DAVIS 2017."""
    MOSE2 = "mose2"
    """MOSE v2: a smoothed J, and F_dot."""
    LVOS = "lvos"
    """Each object on its own range of frames; seen and unseen classes apart; V."""


class Void(Enum):
    """What 255 in a true mask means."""

    OBJECT = "an object like any other"
    BACKGROUND = "background"
    IGNORED = "left out of both masks"


@dataclass(frozen=True, kw_only=True)
class Rules:
    """How one benchmark scores; each field answers one question on which benchmarks differ."""

    frames: Callable[[Sequence[int]], Sequence[int]]
    """Of the frames with a true mask, those that may be scored."""
    why_not: str
    """Why the others are not, to say so."""
    objects: Callable[[Sightings, Meta], FramesOf]
    """Which objects are scored, and each on which of the frames."""
    void: Void
    fold: bool = False
    """Whether every value but 0 is one and the same object, 1."""
    sparse: bool = False
    """Whether frames may lack a true mask; they are not scored then."""
    matching: bool = False
    """Whether predicted ids are matched with objects, instead of taken at their word."""
    shows_late: bool = False
    """Whether a method is shown each object on the frame where it first is, and not those of the first frame alone."""
    measure: Measure = score_mask
    """What is measured of a predicted and a true mask of one object; 1.0 in all if both are empty."""
    measures: tuple[str, ...] = ("J", "F")
    """The names of what is measured, those of `ObjectQuality.region` and `.boundary` first."""
    summary: Callable[[Sequence[Values], Sequence[int], Sequence[bool]], dict[str, float]] = lambda *_: {}
    """Single figures of one object, from its values, its frames, and whether it is there on each."""
    means: Callable[[Objects], Means] = flat_means
    extras: Callable[[Objects], dict[str, float]] = no_extras


def rules_of(protocol: Protocol) -> Rules:
    """The rules that a protocol stands for."""
    return _RULES[protocol]


def variation(values: Sequence[Values], frames: Sequence[int], present: Sequence[bool]) -> dict[str, float]:
    """V of LVOS: how far (J + F) / 2 strays from its mean over an object's frames; the variance is rounded to 1e-4."""
    figures = [sum(pair) / 2 for pair in values]
    mean = math.fsum(figures) / len(figures)
    variance = math.fsum((figure - mean) ** 2 for figure in figures) / len(figures)
    return {"V": math.sqrt(round(variance, 4))}


def _inner(frames: Sequence[int]) -> Sequence[int]:
    return frames[1:-1]


def _but_the_first(frames: Sequence[int]) -> Sequence[int]:
    return frames[1:]


def _every(frames: Sequence[int]) -> Sequence[int]:
    return frames


_INNER = "the first and the last true mask are not scored"

_DAVIS2017 = Rules(frames=_inner, why_not=_INNER, objects=numbers_of_first_mask, void=Void.BACKGROUND)
_VOS_BENCHMARK = Rules(frames=_inner, why_not=_INNER, objects=seen_and_since_sight, void=Void.OBJECT, sparse=True)

_RULES = {
    Protocol.DAVIS2016: Rules(frames=_inner, why_not=_INNER, objects=the_one_object, void=Void.OBJECT, fold=True),
    Protocol.DAVIS2017: _DAVIS2017,
    Protocol.DAVIS2017_UNSUPERVISED: Rules(
        frames=_every, why_not="", objects=numbers_of_first_mask, void=Void.IGNORED, matching=True
    ),
    Protocol.VOS_BENCHMARK: _VOS_BENCHMARK,
    Protocol.VOS_BENCHMARK_ALL: Rules(
        frames=_every, why_not="", objects=seen_and_since_sight, void=Void.OBJECT, sparse=True
    ),
    Protocol.YOUTUBE_VOS: Rules(
        frames=_but_the_first,
        why_not="the first true mask is given",
        objects=since_appearance,
        void=Void.BACKGROUND,
        sparse=True,
        shows_late=True,
        means=group_means,
        extras=group_extras,
    ),
    Protocol.MOSE: _DAVIS2017,
    Protocol.MOSE2: Rules(
        frames=_inner,
        why_not=_INNER,
        objects=all_on_all_frames,
        void=Void.BACKGROUND,
        measure=score_mask_mose2,
        measures=("J", "F_dot", "F"),
        summary=runs_of_absence,
        extras=mose2_extras,
    ),
    Protocol.LVOS: Rules(
        frames=_inner,
        why_not=_INNER,
        objects=own_range,
        void=Void.BACKGROUND,
        sparse=True,
        shows_late=True,
        summary=variation,
        means=group_means,
        extras=lvos_extras,
    ),
}
