"""What was said of each frame, all steps together: the later word counts, and what is locked stands."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from jaxtyping import UInt16

from devos.frames import MaskFrame
from devos.io.labels import read_label_png
from devos.project.folder import ProjectFolder
from devos.project.history import Annotation


class Said:
    """Annotations after so many steps, by frame."""

    def __init__(self, folder: ProjectFolder, upto: int) -> None:
        self._folder = folder
        self._locked = set(folder.locks().objects)
        self._by_frame: dict[int, dict[int, Annotation]] = {}
        self._order: dict[int, list[Annotation]] = {}
        self.source = ""
        """Where the first mask came from."""
        for step in folder.history.steps():
            if step.number > upto:
                break
            for removal in step.removals:
                for frame, named in self._by_frame.items():
                    if removal.holds(frame):
                        named.pop(removal.object_id, None)
            for annotation in step.annotations:
                self.source = self.source or annotation.source
                named = self._by_frame.setdefault(annotation.frame, {})
                named.update(dict.fromkeys(annotation.objects, annotation))
                self._order.setdefault(annotation.frame, []).append(annotation)

    @property
    def frames(self) -> tuple[int, ...]:
        """Those of which something was said."""
        return tuple(sorted(frame for frame, named in self._by_frame.items() if named))

    def name(self, frame: int) -> str:
        """Of an annotated frame."""
        return self._order[frame][-1].name

    def named(self, frame: int) -> set[int]:
        """The objects of which something was said on a frame."""
        return set(self._by_frame.get(frame, ()))

    def around(self, object_id: int, frame: int) -> tuple[int | None, int | None]:
        """The nearest annotated frames of an object at or before a frame, and at or after it."""
        marked = [other for other, named in self._by_frame.items() if object_id in named]
        behind, ahead = [f for f in marked if f <= frame], [f for f in marked if f >= frame]
        return max(behind, default=None), min(ahead, default=None)

    def given(
        self, frame: int, followed: Collection[int], stored: MaskFrame | None, standing: Collection[int]
    ) -> tuple[UInt16[np.ndarray, "h w"] | None, list[int]]:
        """What to give to the network for a frame, and of which objects: of those that are followed what was said, of
        those that stand what they have, if somebody said it once. Pixels of a locked object stay its own.
        """
        named = self.named(frame)
        ids = sorted(named & {*followed, *standing})
        if not ids:
            return None, []
        labels: UInt16[np.ndarray, "h w"] | None = None
        if stored is not None:
            labels = np.where(np.isin(stored.labels, [i for i in ids if i in standing]), stored.labels, 0).astype(
                np.uint16
            )
        for annotation in self._order[frame]:
            own = [i for i in annotation.objects if i in ids and i not in standing]
            own = [i for i in own if self._by_frame[frame][i] is annotation]
            if not own:
                continue
            drawn = read_label_png(self._folder.content.path(annotation.mask))
            if labels is None:
                labels = np.zeros_like(drawn)
            labels[np.isin(labels, own)] = 0
            here = np.isin(drawn, own)
            if stored is not None and self._locked & set(standing):
                here &= ~np.isin(stored.labels, [i for i in standing if i in self._locked])
            labels[here] = drawn[here]
        assert labels is not None
        return labels, ids
