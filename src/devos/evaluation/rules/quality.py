"""The nouns of scoring: what is known of one object, of one sequence, and the headline of many."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from devos.evaluation.measures.metrics import Statistics


@dataclass(frozen=True)
class ObjectQuality:
    """How well one object was followed through one sequence."""

    frames: tuple[int, ...]
    """Indices of the evaluated frames; value i of each measure belongs to frame `frames[i]` of the sequence."""
    region: Statistics
    """J; under mose2 its smoothed kind."""
    boundary: Statistics
    """F; under mose2 F_dot, which is stricter on small objects."""
    others: dict[str, Statistics] = field(default_factory=dict)
    """Further measures of the protocol by their names: under mose2 the classic F."""
    extras: dict[str, float] = field(default_factory=dict)
    """Single figures of the protocol by their names: V under lvos; what became of runs of absence under mose2."""
    seen: bool | None = None
    """Whether its class was there to learn from, where a benchmark asks that; None if it is not known."""


@dataclass(frozen=True)
class SequenceScore:
    """How well the objects of one sequence were followed."""

    name: str
    objects: dict[int, ObjectQuality]
    """By object id, in rising order."""
    notes: tuple[str, ...] = ()
    """What a reader of the numbers has to know, a sentence each."""
    skipped: dict[str, tuple[int, ...]] = field(default_factory=dict)
    """The frames that were not scored, as a matter of course: why, and their indices."""
    matches: dict[int, int] = field(default_factory=dict)
    """The predicted id that was matched with each object, under davis2017-unsupervised."""


@dataclass(frozen=True)
class Means:
    """J, F and their mean, in [0, 1]; which J and F, and how they are brought together, is a matter of the protocol."""

    jf: float
    j: float
    f: float

    @classmethod
    def of(cls, objects: Iterable[ObjectQuality]) -> Means:
        """The means over these objects, of which there is at least one and which all weigh the same."""
        pairs = [(quality.region.mean, quality.boundary.mean) for quality in objects]
        j, f = (sum(values) / len(values) for values in zip(*pairs, strict=True))
        return cls(jf=(j + f) / 2, j=j, f=f)
