"""Which pictures show the same frame: byte for byte once decoded, or recompressed, resized, recoloured, mirrored.

Two pictures are compared by their edges: the steps of brightness to the right and downwards between neighbours of a
grey picture of 17 x 17 pixels, as one vector of length 1. Its product with another picture's is 1 for the same picture.
What copies and strangers have is measured by `benchmarks/likeness.py`; docs/datasets.md has the figures.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float32, UInt8
from natsort import natsorted

from devos.data.catalog import read_picture
from devos.errors import InputError
from devos.io.pictures import PICTURE_SUFFIXES

ALIKE = 0.7
"""From this likeness on, two pictures are taken for the same frame."""

_GRID = 17
_STEPS = (_GRID, _GRID - 1), (_GRID - 1, _GRID)
"""Rows and columns of the steps to the right, and of those downwards."""
_MASK_FOLDERS = ("Annotations", "masks")
_CHUNK = 2048
_FLAT = 1e-3
"""A picture whose edges are weaker than this, in levels of 255, has none: it is only compared pixel by pixel."""


@dataclass(frozen=True)
class Look:
    """What a picture is compared by."""

    digest: str
    """SHA-256 of its size and its pixels."""
    edges: Float32[np.ndarray, 544]
    """Of length 1; 0 everywhere for a flat picture."""


@dataclass(frozen=True)
class Twin:
    """A picture, and the held-back one that is likest to it."""

    own: Path
    held: Path
    likeness: float
    """The product of their edges, the picture's own or mirrored; 1 for the same pixels."""

    is_same: bool = False
    """Whether size and pixels are the same, once decoded."""

    @property
    def is_copy(self) -> bool:
        """Whether both are taken for the same frame."""
        return self.likeness >= ALIKE


def look_at(path: Path) -> Look:
    """Read a picture; InputError, naming the file, if it cannot be read."""
    return look_of(read_picture(path))


def look_of(rgb: UInt8[np.ndarray, "h w 3"]) -> Look:
    """What a picture is compared by."""
    digest = hashlib.sha256(f"{rgb.shape[0]}x{rgb.shape[1]}:".encode() + np.ascontiguousarray(rgb).tobytes())
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
    # Not INTER_LINEAR where it shrinks: single pixels would decide, and compression changes those.
    small = cv2.resize(grey, (_GRID, _GRID), interpolation=cv2.INTER_AREA)
    return Look(digest.hexdigest(), _edges(small))


def _edges(small: Float32[np.ndarray, "17 17"]) -> Float32[np.ndarray, 544]:
    steps = np.concatenate([np.diff(small, axis=1).ravel(), np.diff(small, axis=0).ravel()])
    length = np.linalg.norm(steps)
    return (steps / length if length > _FLAT else np.zeros_like(steps)).astype(np.float32)


def mirrored(edges: Float32[np.ndarray, "n 544"]) -> Float32[np.ndarray, "n 544"]:
    """The edges of the same pictures with left and right exchanged."""
    right, down = (part.reshape(-1, *shape) for part, shape in zip(np.split(edges, 2, axis=1), _STEPS, strict=True))
    return np.concatenate([(-right[..., ::-1]).reshape(len(edges), -1), down[..., ::-1].reshape(len(edges), -1)], 1)


def list_held_back(folders: Sequence[Path]) -> list[Path]:
    """Every picture below these folders, in natural order, but for masks (in folders `Annotations` or `masks`).

    InputError for a folder that is not there or holds no picture.
    """
    found: list[Path] = []
    for folder in folders:
        if not folder.is_dir():
            raise InputError(f"{folder} is no folder; name one whose pictures must not be trained on")
        own = [path for path in folder.rglob("*") if path.suffix.lower() in PICTURE_SUFFIXES and path.is_file()
               and not set(path.relative_to(folder).parts[:-1]) & {*_MASK_FOLDERS}]  # fmt: skip
        if not own:
            raise InputError(f"{folder} holds no pictures ({', '.join(PICTURE_SUFFIXES)}); nothing could be held back")
        found += natsorted(own, key=str)
    return found


def nearest(own: Sequence[tuple[Path, Look]], held: Sequence[tuple[Path, Look]]) -> list[Twin]:
    """For each picture, in order, the likest of those that are held back, of which there is at least one."""
    by_digest = {look.digest: path for path, look in reversed(held)}
    others = np.stack([look.edges for _, look in held])
    others = np.concatenate([others, mirrored(others)])
    twins: list[Twin] = []
    for start in range(0, len(own), _CHUNK):
        part = own[start : start + _CHUNK]
        likeness = np.stack([look.edges for _, look in part]) @ others.T
        places = likeness.argmax(1)
        for (path, look), row, place in zip(part, likeness, places.tolist(), strict=True):
            if look.digest in by_digest:
                twins.append(Twin(path, by_digest[look.digest], 1.0, is_same=True))
            else:
                twins.append(Twin(path, held[place % len(held)][0], min(float(row[place]), 1.0)))
    return twins
