"""What a person does on a frame, as the labels that it makes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import numpy as np
from jaxtyping import Bool, UInt16

from devos.app.known import Known, among
from devos.app.messages import Box, Clear, Click, Edit
from devos.app.pictures import Pictures
from devos.app.strokes import drawn
from devos.engine.marker import Look, Marker
from devos.errors import MaskError, OptionError
from devos.io import read_masks

_MOST_LOOKS = 3
_CLICKS = "clicks"

Said = tuple[float, float, bool]


class Marking:
    """Clicks, boxes and strokes on the frames of one video."""

    def __init__(self, pictures: Pictures, marker: Callable[[], Marker]) -> None:
        self._pictures, self._marker = pictures, marker
        self._looks: OrderedDict[int, Look] = OrderedDict()

    def look(self, frame: int) -> Look:
        """A frame as the marker sees it; the last few are kept."""
        if frame not in self._looks:
            self._looks[frame] = self._marker().look(self._pictures.frame(frame).rgb)
            while len(self._looks) > _MOST_LOOKS:
                self._looks.popitem(last=False)
        self._looks.move_to_end(frame)
        return self._looks[frame]

    def apply(self, edit: Edit, known: Known) -> tuple[UInt16[np.ndarray, "h w"], str]:
        """The object's pixels on the frame from now on, and in words what was done. What is locked keeps its own."""
        if edit.object in known.locks.objects:
            raise OptionError(f"object {edit.object} is locked; unlock it first")
        if known.locks.holds(edit.frame):
            raise OptionError(f"frame {edit.frame} is locked; unlock it first")
        self._pictures.frame(edit.frame)
        labels = known.labels(edit.frame)
        mask = labels == edit.object
        if isinstance(edit, Clear):
            mask, source = np.zeros_like(mask), "not here"
        elif isinstance(edit, Click | Box):
            mask, source = self._marked(edit, known, mask)
        else:
            mask, source = drawn(mask, edit), "eraser" if edit.erase else edit.kind
        mask &= ~among(labels, known.locks.objects)
        return np.where(mask, edit.object, 0).astype(np.uint16), source

    def given(self, frame: int, png: Path, known: Known) -> tuple[UInt16[np.ndarray, "h w"], tuple[str, ...]]:
        """A mask file for a frame, read as `devos segment` reads it; and notes on how."""
        self._pictures.frame(frame)
        masks = read_masks(png, self._pictures.reader)
        labels = masks[0].copy()
        labels[among(known.labels(frame), known.locks.objects)] = 0
        labels[among(labels, known.locks.objects)] = 0
        if not labels.any():
            raise MaskError("the mask marks no object that is not locked")
        return labels, masks.notes

    def _marked(self, edit: Click | Box, known: Known,
                mask: Bool[np.ndarray, "h w"]) -> tuple[Bool[np.ndarray, "h w"], str]:  # fmt: skip
        clicks = clicks_of(known, edit.frame, edit.object)
        box = None
        if isinstance(edit, Click):
            if not edit.is_object and not mask.any() and not clicks:
                raise OptionError("nothing is marked here yet: click on the object first, then beside it")
            clicks = [*clicks, (edit.x, edit.y, edit.is_object)]
        else:
            box = (min(edit.left, edit.right), min(edit.top, edit.bottom),
                   max(edit.left, edit.right), max(edit.top, edit.bottom))  # fmt: skip
            clicks = []
        so_far = mask if mask.any() and box is None else None
        marked = self._marker().mark(self.look(edit.frame), clicks, box, so_far)
        if box is not None:
            return marked.mask, "box " + ",".join(f"{v:g}" for v in box)
        return marked.mask, " ".join([_CLICKS, *(f"{'+' if c[2] else '-'}{c[0]:.1f},{c[1]:.1f}" for c in clicks)])


def clicks_of(known: Known, frame: int, object_id: int) -> list[Said]:
    """The clicks that made what an object has on a frame; none if something else was said of it since."""
    word = known.last_word(frame, object_id)
    if word is None or not word.source.startswith(f"{_CLICKS} "):
        return []
    clicks = []
    for one in word.source.split()[1:]:
        x, _, y = one[1:].partition(",")
        clicks.append((float(x), float(y), one[0] == "+"))
    return clicks
