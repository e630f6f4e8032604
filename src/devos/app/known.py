"""A project as it lies on the disk at one moment, read once and looked at by many."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Bool, UInt16

from devos.app.bounded import Bounded
from devos.frames import FrameSize
from devos.io.labels import read_label_png
from devos.pipeline.plan import Plan
from devos.project.folder import ProjectFolder
from devos.project.history import Annotation, Locks, Step
from devos.project.results import FrameResult, ResultTable


def among(labels: UInt16[np.ndarray, "h w"], objects: Collection[int]) -> Bool[np.ndarray, "h w"]:
    """Where one of some objects is; `np.isin`, many times as quick for the few that there are."""
    found = np.zeros(labels.shape, bool)
    for object_id in objects:
        found |= labels == object_id
    return found


Said = tuple[int, Annotation]
"""The step in which something was said, and what."""


@dataclass(frozen=True)
class Known:
    """Steps that stand, what they made, and what was said and not followed yet."""

    folder: ProjectFolder
    size: FrameSize
    steps: tuple[Step, ...]
    """Undone ones too."""
    head: int
    results: ResultTable
    changed: dict[int, set[int]]
    """The frames that each step changed."""
    pngs: Bounded[np.ndarray]

    @staticmethod
    def read(folder: ProjectFolder, size: FrameSize, pngs: Bounded[np.ndarray]) -> Known:
        """As it is now. `pngs`: keeps masks from one reading to the next."""
        history = folder.history
        head = history.head
        changed = {number: {index for index, _ in history.changes(number)} for number in range(1, head + 1)}
        steps = tuple(history[number] for number in range(1, len(history) + 1))
        return Known(folder, size, steps, head, history.results(), changed, pngs)

    @property
    def standing(self) -> tuple[Step, ...]:
        """Those that were not undone."""
        return self.steps[: self.head]

    @cached_property
    def locks(self) -> Locks:
        """What may not be changed."""
        given = [step.locks for step in self.standing if step.locks is not None]
        return given[-1] if given else Locks()

    @cached_property
    def said(self) -> dict[int, list[Said]]:
        """What was said of each frame and was not taken out since, in its order."""
        words: dict[int, list[Said]] = {}
        for step in self.standing:
            for one in step.annotations:
                if any(self._stays(step.number, one.frame, i) for i in one.objects):
                    words.setdefault(one.frame, []).append((step.number, one))
        return words

    @cached_property
    def object_ids(self) -> tuple[int, ...]:
        """Every object that was named or followed."""
        named = {i for words in self.said.values() for number, one in words for i in one.objects
                 if self._stays(number, one.frame, i)}  # fmt: skip
        return tuple(sorted(named | set(self.results.object_ids)))

    def marked(self, object_id: int) -> list[int]:
        """The frames on which something was said of an object."""
        return sorted(frame for frame, words in self.said.items()
                      if any(object_id in one.objects and self._stays(number, frame, object_id)
                             for number, one in words))  # fmt: skip

    def last_word(self, frame: int, object_id: int) -> Annotation | None:
        """What was said last of an object on a frame."""
        words = [one for number, one in self.said.get(frame, ())
                 if object_id in one.objects and self._stays(number, frame, object_id)]  # fmt: skip
        return words[-1] if words else None

    def name_of(self, frame: int) -> str | None:
        """A frame's name, where its result or something said of it tells."""
        if frame in self.results:
            return self.results[frame].name
        words = self.said.get(frame)
        return words[-1][1].name if words else None

    def labels(self, frame: int) -> UInt16[np.ndarray, "h w"]:
        """What is to be shown on a frame: its result, and over it what was said since."""
        labels = self._stored(self.results.get(frame)).copy()
        for sha256, objects in self._waiting(frame).items():
            drawn = self._png(self.folder.content.path(sha256))
            labels[among(labels, objects)] = 0
            here = among(drawn, objects) & ~among(labels, self.locks.objects)
            labels[here] = drawn[here]
        return labels

    def _waiting(self, frame: int) -> dict[str, list[int]]:
        """The masks of what was said last of each object and is not in its result yet, in the order of saying."""
        last = {i: (number, one) for number, one in self.said.get(frame, ()) for i in one.objects}
        masks: dict[str, list[int]] = {}
        for object_id, (number, one) in sorted(last.items(), key=lambda item: item[1][0]):
            if self._waits(number, frame, object_id):
                masks.setdefault(one.mask, []).append(object_id)
        return masks

    def before(self, frame: int) -> UInt16[np.ndarray, "h w"]:
        """What the frame showed before what was done to it last."""
        earlier = [n for n, _ in self.said.get(frame, ())] + [
            n for n, frames in self.changed.items() if frame in frames
        ]
        result: FrameResult | None = None
        last = max(earlier, default=0)
        for number in range(1, last):
            if frame in self.changed[number]:
                result = next((r for i, r in self.folder.history.changes(number) if i == frame), None)
        return self._stored(result)

    def _stored(self, result: FrameResult | None) -> UInt16[np.ndarray, "h w"]:
        if result is None:
            return np.zeros(self.size, np.uint16)
        return self._png(self.folder.mask_file(result), result.mask)

    def _png(self, path: Path, sha256: str = "") -> UInt16[np.ndarray, "h w"]:
        """A mask's labels, not to be changed; those that were read last are kept by their content."""
        key = sha256 or path
        kept = self.pngs.get(key)
        if kept is None:
            kept = read_label_png(path)
            self.pngs.put(key, kept, kept.nbytes)
        return kept

    def _stays(self, number: int, frame: int, object_id: int) -> bool:
        """Whether an object was not taken out of a frame after some step."""
        return not any(removal.object_id == object_id and removal.holds(frame)
                       for step in self.standing[number:] for removal in step.removals)  # fmt: skip

    def _waits(self, number: int, frame: int, object_id: int) -> bool:
        """Whether what was said in a step of an object on a frame is not in its result yet."""
        if not self._stays(number, frame, object_id):
            return False
        for step in self.standing[number - 1 :]:
            spans = (span for one in self._plans[step.number].passes for span in one.spans)
            if frame in self.changed[step.number] and any(s.object_id == object_id and s.holds(frame) for s in spans):
                return False
        return True

    @cached_property
    def _plans(self) -> dict[int, Plan]:
        return {step.number: Plan.from_json(step.plan) for step in self.standing}
