"""Run lengths of masks, as COCO and CVAT have them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool

from devos.errors import MaskError
from devos.frames import FrameSize


def run_lengths(flat: Bool[np.ndarray, " n"]) -> list[int]:
    """Lengths of runs, outside and inside in turn, the first one outside (it may be 0)."""
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    lengths: list[int] = np.diff(np.concatenate([[0], changes, [flat.size]])).tolist()
    return [0, *lengths] if flat.size and flat[0] else lengths


def from_run_lengths(lengths: Sequence[int], size: int) -> Bool[np.ndarray, " n"]:
    """The runs laid out again; MaskError where they do not add up to `size`."""
    if sum(lengths) != size or min(lengths, default=0) < 0:
        raise MaskError(f"run lengths add up to {sum(lengths)}, but the mask has {size} pixels")
    inside = np.arange(len(lengths)) % 2 == 1
    return np.repeat(inside, lengths)


def coco_counts(mask: Bool[np.ndarray, "h w"]) -> str:
    """COCO's compressed counts: down the columns, each length less the one two before it, in 6 bits a letter."""
    lengths, letters = run_lengths(mask.ravel(order="F")), []
    for place, length in enumerate(lengths):
        value, more = length - (lengths[place - 2] if place > 2 else 0), True
        while more:
            low, value = value & 31, value >> 5
            more = value != (-1 if low & 16 else 0)
            letters.append(chr((low | 32 if more else low) + 48))
    return "".join(letters)


def from_coco(counts: str | bytes | Sequence[int], size: FrameSize) -> Bool[np.ndarray, "h w"]:
    """A mask from COCO's counts, compressed or as a list of lengths."""
    if isinstance(counts, bytes):
        counts = counts.decode("ascii")
    lengths = _uncompressed(counts) if isinstance(counts, str) else [int(length) for length in counts]
    flat = from_run_lengths(lengths, size.height * size.width)
    return flat.reshape(size.width, size.height).T


def _uncompressed(counts: str) -> list[int]:
    lengths: list[int] = []
    value = shift = 0
    for letter in counts:
        bits = ord(letter) - 48
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value |= -1 << shift
        lengths.append(value + (lengths[-2] if len(lengths) > 2 else 0))
        value = shift = 0
    return lengths
