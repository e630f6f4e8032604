"""What is measured on each frame of one sequence, kept until it is known which of it counts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from devos.errors import MaskError
from devos.evaluation.measures.label_files import LabelMap
from devos.evaluation.measures.metrics import Outline, score_outlines
from devos.evaluation.rules.protocols import Measure, Values
from devos.evaluation.rules.sightings import Ids
from devos.frames import FrameSize

MOST_PROPOSALS = 20
"""DAVIS takes so many predicted ids for a sequence where ids are matched with objects."""


@dataclass(frozen=True)
class FramePair:
    """What is true and what was predicted on one frame: the window of it that holds all objects of both."""

    frame: int
    """Its index in the sequence."""
    size: FrameSize
    """Of the whole frame."""
    predicted: LabelMap
    truth: LabelMap
    predicted_ids: Ids
    true_ids: Ids
    """Those that count."""


class Collector(ABC):
    """Measures frame by frame."""

    @abstractmethod
    def add(self, pair: FramePair) -> None:
        """Measure the objects of one frame, whose ids are those that count."""

    @abstractmethod
    def match(self, objects: Iterable[int], frames: Sequence[int], name: str) -> dict[int, int]:
        """The predicted id that stands for each object; empty if each stands for itself. `name`: the sequence's."""

    @abstractmethod
    def values(self, object_id: int, frame: int) -> Values:
        """What was measured of an object on a frame, once they are matched."""


class SameIds(Collector):
    """A predicted id is the object of that id."""

    def __init__(self, measure: Measure, num_measures: int) -> None:
        self._measure = measure
        self._agreed: Values = (1.0,) * num_measures
        """What an object scores where neither mask has it."""
        self._values: dict[tuple[int, int], Values] = {}

    def add(self, pair: FramePair) -> None:
        """Measure every id that either map has."""
        for object_id in pair.predicted_ids | pair.true_ids:
            masks = pair.predicted == object_id, pair.truth == object_id
            self._values[object_id, pair.frame] = self._measure(*masks, pair.size)

    def match(self, objects: Iterable[int], frames: Sequence[int], name: str) -> dict[int, int]:
        """Nothing: each id stands for itself."""
        return {}

    def values(self, object_id: int, frame: int) -> Values:
        """What was measured, or full agreement that the object is not there."""
        return self._values.get((object_id, frame), self._agreed)


class EveryPair(Collector):
    """Predicted ids are proposals, matched with the objects so that the sum of all J and F is the highest (DAVIS)."""

    def __init__(self) -> None:
        self._values: dict[int, dict[tuple[int, int], Values]] = {}
        """On each frame, for a proposal and an object; 0 stands for a proposal or an object that is not there."""
        self._proposals: set[int] = set()
        self._objects: dict[int, Ids] = {}
        self._proposed: dict[int, Ids] = {}
        self._matches: dict[int, int] = {}

    def add(self, pair: FramePair) -> None:
        """Measure every proposal against every object, and each against nothing."""
        self._proposals |= pair.predicted_ids
        self._objects[pair.frame], self._proposed[pair.frame] = pair.true_ids, pair.predicted_ids
        proposals = _outlines(pair.predicted, pair.predicted_ids, pair.size)
        objects = _outlines(pair.truth, pair.true_ids, pair.size)
        self._values[pair.frame] = {
            (proposal, object_id): score_outlines(predicted, true)
            for proposal, predicted in proposals.items()
            for object_id, true in objects.items()
        }

    def match(self, objects: Iterable[int], frames: Sequence[int], name: str) -> dict[int, int]:
        """The best partner of each object, by the Hungarian method; MaskError for more than 20 proposals."""
        from scipy.optimize import linear_sum_assignment

        if len(self._proposals) > MOST_PROPOSALS:
            raise MaskError(
                f"sequence {name} has {len(self._proposals)} predicted ids; at most {MOST_PROPOSALS} proposals are "
                "matched with objects: keep the best"
            )
        wanted = list(objects)
        rows = self._rows(len(wanted))
        table = np.array([[self._pair(row, one, frames) for one in wanted] for row in rows])
        chosen, columns = linear_sum_assignment(-table)
        self._matches = {wanted[column]: rows[row] for row, column in zip(chosen, columns, strict=True)}
        return dict(sorted(self._matches.items()))

    def values(self, object_id: int, frame: int) -> Values:
        """What was measured of an object and its partner."""
        return self._of(self._matches[object_id], object_id, frame)

    def _rows(self, fewest: int) -> list[int]:
        """The proposals in the order of their ids, filled up with such as are nowhere.

        Up to 20 every number is one, as in the official program, so that ties fall out as there.
        """
        highest = max(self._proposals, default=0)
        rows = list(range(1, highest + 1)) if highest <= MOST_PROPOSALS else sorted(self._proposals)
        return [*rows, *range(highest + 1, highest + 1 + fewest - len(rows))]

    def _pair(self, proposal: int, object_id: int, frames: Sequence[int]) -> float:
        """The mean of J and of F over all frames, and of both."""
        means = np.mean([self._of(proposal, object_id, frame) for frame in frames], axis=0)
        return float(means.sum() / 2)

    def _of(self, proposal: int, object_id: int, frame: int) -> Values:
        pair = (
            proposal if proposal in self._proposed[frame] else 0,
            object_id if object_id in self._objects[frame] else 0,
        )
        return self._values[frame][pair]


def _outlines(labels: LabelMap, ids: Ids, size: FrameSize) -> dict[int, Outline]:
    """The outline of each id, and under 0 that of nothing."""
    nothing = Outline.of(np.zeros(labels.shape, bool), size)
    return {0: nothing, **{one: Outline.of(labels == one, size) for one in ids}}
