"""What is measured on each frame of one sequence, kept until it is known which of it counts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from devos.errors import MaskError
from devos.evaluation.label_files import LabelMap
from devos.evaluation.metrics import Mask
from devos.evaluation.protocols import Values
from devos.evaluation.sightings import Ids

MOST_PROPOSALS = 20
"""DAVIS takes so many predicted ids for a sequence where ids are matched with objects."""


class Collector(ABC):
    """Measures frame by frame."""

    def __init__(self, measure: Callable[[Mask, Mask], Values], num_measures: int) -> None:
        self._measure = measure
        self._agreed: Values = (1.0,) * num_measures
        """What an object scores where neither mask has it."""

    @abstractmethod
    def add(self, frame: int, predicted: LabelMap, truth: LabelMap, predicted_ids: Ids, true_ids: Ids) -> None:
        """Measure the objects of one frame, whose ids are those that count."""

    @abstractmethod
    def match(self, objects: Iterable[int], frames: Sequence[int], name: str) -> dict[int, int]:
        """The predicted id that stands for each object; empty if each stands for itself. `name`: the sequence's."""

    @abstractmethod
    def values(self, object_id: int, frame: int) -> Values:
        """What was measured of an object on a frame, once they are matched."""


class SameIds(Collector):
    """A predicted id is the object of that id."""

    def __init__(self, measure: Callable[[Mask, Mask], Values], num_measures: int) -> None:
        super().__init__(measure, num_measures)
        self._values: dict[tuple[int, int], Values] = {}

    def add(self, frame: int, predicted: LabelMap, truth: LabelMap, predicted_ids: Ids, true_ids: Ids) -> None:
        """Measure every id that either map has."""
        for object_id in predicted_ids | true_ids:
            self._values[object_id, frame] = self._measure(predicted == object_id, truth == object_id)

    def match(self, objects: Iterable[int], frames: Sequence[int], name: str) -> dict[int, int]:
        """Nothing: each id stands for itself."""
        return {}

    def values(self, object_id: int, frame: int) -> Values:
        """What was measured, or full agreement that the object is not there."""
        return self._values.get((object_id, frame), self._agreed)


class EveryPair(Collector):
    """Predicted ids are proposals, matched with the objects so that the sum of all J and F is the highest."""

    def __init__(self, measure: Callable[[Mask, Mask], Values], num_measures: int) -> None:
        super().__init__(measure, num_measures)
        self._values: dict[int, dict[tuple[int, int], Values]] = defaultdict(dict)
        """On each frame, for a proposal and an object; 0 stands for a proposal or an object that is not there."""
        self._proposals: set[int] = set()
        self._objects: dict[int, Ids] = {}
        self._proposed: dict[int, Ids] = {}
        self._matches: dict[int, int] = {}

    def add(self, frame: int, predicted: LabelMap, truth: LabelMap, predicted_ids: Ids, true_ids: Ids) -> None:
        """Measure every proposal against every object, and each against nothing."""
        self._proposals |= predicted_ids
        self._objects[frame], self._proposed[frame] = true_ids, predicted_ids
        nothing = np.zeros(truth.shape, bool)
        truths = {object_id: truth == object_id for object_id in true_ids} | {0: nothing}
        for proposal in (*predicted_ids, 0):
            mask = predicted == proposal if proposal else nothing
            for object_id, true_mask in truths.items():
                if proposal or object_id:
                    self._values[frame][proposal, object_id] = self._measure(mask, true_mask)

    def match(self, objects: Iterable[int], frames: Sequence[int], name: str) -> dict[int, int]:
        """The best partner of each object, by the Hungarian method; MaskError for more than 20 proposals."""
        from scipy.optimize import linear_sum_assignment

        if len(self._proposals) > MOST_PROPOSALS:
            raise MaskError(
                f"sequence {name} has {len(self._proposals)} predicted ids; at most {MOST_PROPOSALS} proposals are "
                "matched with objects: keep the best"
            )
        wanted = list(objects)
        # As many rows as the official program has, in its order, so that ties fall out as there.
        rows = range(1, max(max(self._proposals, default=0), len(wanted)) + 1)
        table = np.array([[self._pair(row, one, frames) for one in wanted] for row in rows])
        chosen, columns = linear_sum_assignment(-table)
        self._matches = {wanted[column]: rows[row] for row, column in zip(chosen, columns, strict=True)}
        return dict(sorted(self._matches.items()))

    def values(self, object_id: int, frame: int) -> Values:
        """What was measured of an object and its partner."""
        return self._of(self._matches[object_id], object_id, frame)

    def _pair(self, proposal: int, object_id: int, frames: Sequence[int]) -> float:
        """The mean of J and of F over all frames, and of both."""
        means = np.mean([self._of(proposal, object_id, frame) for frame in frames], axis=0)
        return float(means.sum() / 2)

    def _of(self, proposal: int, object_id: int, frame: int) -> Values:
        pair = (
            proposal if proposal in self._proposed[frame] else 0,
            object_id if object_id in self._objects[frame] else 0,
        )
        return self._values[frame].get(pair, self._agreed)
