"""A training clip: a few frames whose masks and motion are known."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

VOID = 255
"""A label that says nothing: no loss is taken there."""


LEAST_AREA = 0.003
"""Share of the first frame that an object must cover to be followed, where there is a choice."""


@dataclass(frozen=True)
class Footage:
    """Consecutive frames of one size, even and square. Objects are 1..num_objects, 0 is background, 255 void."""

    images: UInt8[np.ndarray, "t h w 3"]
    """RGB."""
    labels: UInt8[np.ndarray, "t h w"]
    source: str
    """Where it came from, for people."""

    @property
    def num_objects(self) -> int:
        """The highest object in the first frame."""
        return highest_object(self.labels[0])


@dataclass(frozen=True)
class Clip:
    """The same with its motion."""

    images: UInt8[np.ndarray, "t h w 3"]
    """RGB."""
    labels: UInt8[np.ndarray, "t h w"]
    to_prev: Float32[np.ndarray, "pairs 2 h_half w_half"]
    """For frames 1..t-1, on their own grids: (dx, dy) in pixels to the frame before."""
    to_curr: Float32[np.ndarray, "pairs 2 h_half w_half"]
    """For frames 0..t-2, on their own grids: (dx, dy) in pixels to the frame after."""
    source: str
    """Where it came from, for people."""

    @property
    def num_objects(self) -> int:
        """The highest object in the first frame."""
        return highest_object(self.labels[0])


def highest_object(labels: UInt8[np.ndarray, "h w"]) -> int:
    """The highest label but void; 0 if there is none."""
    return int(labels[labels != VOID].max(initial=0))


def keep_objects(labels: UInt8[np.ndarray, "t h w"], chosen: list[int]) -> UInt8[np.ndarray, "t h w"]:
    """Only the chosen labels, renumbered 1.. in that order; the others become background, void stays."""
    table = np.zeros(256, np.uint8)
    table[VOID] = VOID
    for new, old in enumerate(chosen, start=1):
        table[old] = new
    length, height, width = labels.shape
    kept: np.ndarray = cv2.LUT(np.ascontiguousarray(labels).reshape(length * height, width), table)
    return kept.reshape(labels.shape)


def choose_objects(
    first: UInt8[np.ndarray, "h w"], most: int, rng: np.random.Generator, least_area: float = LEAST_AREA
) -> list[int]:
    """Up to `most` of the labels that cover at least that share of the frame, in random order; maybe none."""
    counts = np.bincount(first.ravel(), minlength=256)
    seen = [i for i in range(1, VOID) if counts[i] and counts[i] >= least_area * first.size]
    rng.shuffle(seen)
    return seen[: int(rng.integers(1, most + 1))]
