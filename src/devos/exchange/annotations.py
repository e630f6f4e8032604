"""Masks as other tools' files have them: for each frame shapes with an id, painted only when a frame is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from jaxtyping import Bool, UInt16

from devos.errors import MaskError
from devos.frames import MAX_OBJECT_ID, FrameSize
from devos.io.pictures import UNREADABLE

FrameKey = str | int
"""A frame's name without a suffix; or its number, from 0, in formats that only count."""
DAMAGE = (*UNREADABLE, AttributeError, RecursionError, StopIteration, ElementTree.ParseError)
"""What reading a file of another tool raises where it is not as that tool writes it."""
_MOST_PIXELS = 1 << 26
Shape = Callable[[FrameSize], Bool[np.ndarray, "h w"]]
"""Called with the size of the frame it gives the pixels."""


class Annotations(Mapping[FrameKey, np.ndarray]):
    """The labels (uint16, h w) of each frame that a file names. Where objects overlap, the one named last has it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.names: dict[int, str] = {}
        """What the file calls its objects, by id, where that is more than their kind."""
        self._sizes: dict[FrameKey, FrameSize] = {}
        self._shapes: dict[FrameKey, list[tuple[int, Shape]]] = {}

    def add_frame(self, key: FrameKey, size: FrameSize) -> None:
        """A frame that the file names, with or without objects. ValueError for a size that no picture has."""
        if min(size) < 1 or size.height * size.width > _MOST_PIXELS:
            raise ValueError(f"frame {str(key)[:40]} of {size}; pictures have 1 to {_MOST_PIXELS} pixels")
        self._sizes[key] = size
        self._shapes.setdefault(key, [])

    def add(self, key: FrameKey, object_id: int, shape: Shape) -> None:
        """A shape of an object, on a frame that was added. ValueError for an id that cannot be one."""
        if not 0 < object_id <= MAX_OBJECT_ID:
            raise ValueError(f"an object with the id {object_id}; ids go from 1 to {MAX_OBJECT_ID}")
        self._shapes[key].append((object_id, shape))

    def size(self, key: FrameKey) -> FrameSize:
        """Of a frame, as the file has it."""
        return self._sizes[key]

    def ids(self, key: FrameKey) -> tuple[int, ...]:
        """The objects of a frame, rising."""
        return tuple(sorted({object_id for object_id, _ in self._shapes[key]}))

    def __getitem__(self, key: FrameKey) -> UInt16[np.ndarray, "h w"]:
        """MaskError where a shape cannot be painted."""
        labels = np.zeros(self._sizes[key], np.uint16)
        try:
            for object_id, shape in self._shapes[key]:
                labels[shape(self._sizes[key])] = object_id
        except (*DAMAGE, MaskError) as error:
            raise MaskError(f"{self.path}: a mask of frame {key} cannot be read ({quoted(error)})") from error
        return labels

    def __iter__(self) -> Iterator[FrameKey]:
        return iter(self._shapes)

    def __len__(self) -> int:
        return len(self._shapes)


def quoted(error: Exception) -> str:
    """An error in a few words: it may quote the whole of a damaged file."""
    return f"{type(error).__name__}: {str(error)[:120]}"


def own_id(given: object, number: int) -> int:
    """The id that a file gives, as text or number; else the object's number on its frame."""
    return number if given is None or given == "" else int(str(given))
