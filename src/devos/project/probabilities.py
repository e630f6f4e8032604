"""How much of each pixel is each object, where a person asked to keep it: beside each result, by its mask."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float16

from devos.errors import InputError
from devos.frames import MaskFrame
from devos.project.folder import ProjectFolder
from devos.project.results import FrameResult
from devos.whole_files import make_folder, replacing

_HEAD, _ROW = struct.Struct("<4sHII"), struct.Struct("<HIIII")
_MARK = b"DVP1"
_LEAST = 0.5 / 65535
"""What would be 0 in 16 bits."""


class Probabilities:
    """A file for each result: each object's box, and the probabilities (half floats) in it, deflated.

    Found by the mask's content and the frame's name, so that undo and redo find what they had.
    """

    def __init__(self, folder: ProjectFolder) -> None:
        self._folder = folder.inner / "probabilities"

    def path(self, name: str, mask: str) -> Path:
        """Of the frame `name` with the mask of this content."""
        return self._folder / mask[:2] / f"{mask[2:18]}-{name}.soft"

    def write(self, masks: MaskFrame, mask: str) -> Path | None:
        """Keep those of a result whose mask has this content; None where it has none."""
        soft = masks.probabilities
        if soft is None:
            return None
        path = self.path(masks.name, mask)
        if path.is_file():  # the first word stays, for undo to find it
            return path
        make_folder(path.parent)
        with replacing(path) as temporary:
            temporary.write_bytes(_packed(soft, [score.object_id for score in masks.scores]))
        return path

    def read(self, result: FrameResult, masks: MaskFrame) -> Float16[np.ndarray, "objects h w"] | None:
        """Those of a result, in the order of its scores; None where none were kept. An object of which none are kept
        has its mask.
        """
        path = self.path(result.name, result.mask)
        try:
            content = path.read_bytes()
        except OSError:
            return None
        try:
            kept = _unpacked(content)
        except (ValueError, struct.error, zlib.error) as error:
            raise InputError(f"{path}: is damaged; put it back from a copy of the project") from error
        soft = np.zeros((len(masks.scores), *masks.labels.shape), np.float16)
        for row, score in enumerate(masks.scores):
            if score.object_id in kept:
                (top, left), part = kept[score.object_id]
                soft[row, top : top + part.shape[0], left : left + part.shape[1]] = part
            else:
                soft[row] = masks.labels == score.object_id
        return soft


def _packed(soft: Float16[np.ndarray, "objects h w"], ids: Sequence[int]) -> bytes:
    rows, parts = [], []
    for object_id, one in zip(ids, soft, strict=True):
        inside = one > _LEAST
        ys, xs = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
        box = (int(ys[0]), int(xs[0]), int(ys[-1]) + 1, int(xs[-1]) + 1) if len(ys) else (0, 0, 0, 0)
        rows.append(_ROW.pack(object_id, *box))
        parts.append(np.ascontiguousarray(one[box[0] : box[2], box[1] : box[3]]).tobytes())
    content = zlib.compress(b"".join(rows) + b"".join(parts), 1)
    return _HEAD.pack(_MARK, len(rows), *soft.shape[1:]) + content


def _unpacked(content: bytes) -> dict[int, tuple[tuple[int, int], np.ndarray]]:
    mark, count, _, _ = _HEAD.unpack_from(content)
    if mark != _MARK:
        raise ValueError("not what was written")
    values = zlib.decompress(content[_HEAD.size :])
    place, kept = count * _ROW.size, {}
    for row in range(count):
        object_id, top, left, bottom, right = _ROW.unpack_from(values, row * _ROW.size)
        size = (bottom - top, right - left)
        part = np.frombuffer(values, np.float16, size[0] * size[1], place).reshape(size)
        place += part.nbytes
        kept[object_id] = (top, left), part
    return kept
