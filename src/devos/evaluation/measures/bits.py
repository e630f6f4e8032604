"""Masks with 64 pixels of a row in one number: boundaries and disks for a few dozen operations on whole maps.

Exact: shifts, ors and counts of bits, no rounding anywhere.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, UInt64

WORD = 64
_LITTLE = "<u8"
_BITS_OF_BYTE = np.array([value.bit_count() for value in range(256)], np.uint8)

Words = UInt64[np.ndarray, "h words"]


@dataclass(frozen=True)
class Bits:
    """A mask, packed: pixel x of a row is bit x % 64 of word x // 64; what is beyond the width counts for nothing."""

    words: Words
    width: int

    @classmethod
    def of(cls, mask: Bool[np.ndarray, "h w"]) -> Bits:
        """Pack a mask."""
        height, width = mask.shape
        rows = np.zeros((height, 8 * (-(-width // WORD))), np.uint8)
        packed = np.packbits(mask, axis=1, bitorder="little")
        rows[:, : packed.shape[1]] = packed
        return cls(rows.view(_LITTLE), width)

    def mask(self) -> Bool[np.ndarray, "h w"]:
        """Unpack it."""
        rows = np.unpackbits(self.words.view(np.uint8), axis=1, count=self.width, bitorder="little")
        return rows.astype(np.bool_)

    def count(self) -> int:
        """How many pixels it has; there must be none beyond the width."""
        if hasattr(np, "bitwise_count"):  # since numpy 2
            return int(np.bitwise_count(self.words).sum(dtype=np.int64))
        return int(_BITS_OF_BYTE[self.words.view(np.uint8)].sum(dtype=np.int64))

    def shared_with(self, other: Bits) -> Bits:
        """The pixels of both."""
        return Bits(self.words & other.words, self.width)

    def boundary(self) -> Bits:
        """Pixels that differ from their right, lower, or lower right neighbour, as far as they have one."""
        words, inner = self.words, _columns(self.width - 1, self.words.shape[1])
        right = words >> np.uint64(1)
        # The last word of a row gets the first pixel of the next; the last column has no right neighbour anyway.
        right.ravel()[:-1] |= words.ravel()[1:] << np.uint64(WORD - 1)
        edge = words ^ right
        edge[:-1] |= words[:-1] ^ right[1:]
        edge &= inner
        edge[:-1] |= words[:-1] ^ words[1:]
        return Bits(edge, self.width)

    def widen(self, radius: int) -> Bits:
        """Pixels within `radius` of one of these, measured straight between their centres; some beyond the width too.

        Rows are widened step by step to the half width that the disk has at each distance, and laid over one another.
        All rows are one long line of bits, with so many empty ones between them that none reaches another.
        """
        height, used = self.words.shape
        stride = used + radius // WORD + 1
        rows = np.zeros((height, stride), np.uint64)
        rows[:, :used] = self.words
        line = rows.ravel()
        disk = np.zeros_like(line)
        reached = 0
        for distance in range(radius, -1, -1):
            half_width = math.isqrt(radius**2 - distance**2)
            while reached < half_width:
                # Moved by no more than n+1, what is left of a run at the line's ends leaves no gap either.
                step = min(half_width - reached, reached + 1, WORD - 1)
                line = _spread(line, step)
                reached += step
            if distance < height:
                disk[distance * stride :] |= line[: (height - distance) * stride]
                disk[: (height - distance) * stride] |= line[distance * stride :]
        return Bits(np.ascontiguousarray(disk.reshape(height, stride)[:, :used]), self.width)


def _spread(line: UInt64[np.ndarray, " n"], step: int) -> UInt64[np.ndarray, " n"]:
    """The bits of a line and their copies `step` places to the left and to the right."""
    few, rest = np.uint64(step), np.uint64(WORD - step)
    spread: np.ndarray = line << few
    spread |= line
    spread |= line >> few
    spread[1:] |= line[:-1] >> rest
    spread[:-1] |= line[1:] << rest
    return spread


@functools.lru_cache(maxsize=256)
def _columns(width: int, num_words: int) -> UInt64[np.ndarray, " words"]:
    """Words whose first `width` bits are set."""
    bits = np.zeros(num_words * WORD, bool)
    bits[:width] = True
    return np.packbits(bits, bitorder="little").view(_LITTLE)
