"""The run lengths of Label Studio's brush: a bit stream over RGBA values (rle-pack of thi.ng), not COCO's.

32 bits: the number of values; 5: bits of a value, less 1; 4 times 4: bits of the four kinds of lengths, less 1. Then
runs: a bit (1: one value, 0: a value for each), 2 bits: which kind of length, the length less 1, the value or values.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool

from devos.errors import MaskError
from devos.exchange.rle import run_lengths
from devos.frames import FrameSize

_LENGTH_BITS = (3, 4, 8, 16)
_VALUE_BITS, _CHANNELS = 8, 4
_LONGEST = 1 << _LENGTH_BITS[-1]


def brush_counts(mask: Bool[np.ndarray, "h w"]) -> list[int]:
    """A mask as the bytes of its stream; all four channels are 255 inside and 0 outside."""
    bits = [f"{mask.size * _CHANNELS:032b}", f"{_VALUE_BITS - 1:05b}", *(f"{bits - 1:04b}" for bits in _LENGTH_BITS)]
    for place, length in enumerate(run_lengths(mask.ravel())):
        value, left = "11111111" if place % 2 else "00000000", length * _CHANNELS
        while left > 0:
            run = min(left, _LONGEST)
            kind = next(i for i, size in enumerate(_LENGTH_BITS) if run <= 1 << size)
            bits.append(f"1{kind:02b}{run - 1:0{_LENGTH_BITS[kind]}b}{value}")
            left -= run
    stream = "".join(bits)
    stream += "0" * (-len(stream) % 8)
    return list(int(stream, 2).to_bytes(len(stream) // 8, "big"))


def from_brush(stream: Sequence[int], size: FrameSize) -> Bool[np.ndarray, "h w"]:
    """The pixels whose alpha, the last of the four channels, is more than half."""
    bits = np.unpackbits(np.array(stream, np.uint8))
    place = 0

    def read(count: int) -> int:
        nonlocal place
        if place + count > len(bits):
            raise MaskError("the brush's run lengths end too early")
        value = 0
        for bit in bits[place : place + count].tolist():
            value = value << 1 | bit
        place += count
        return value

    num_values, value_bits = read(32), read(5) + 1
    lengths = [read(4) + 1 for _ in range(4)]
    if num_values != size.height * size.width * _CHANNELS:
        raise MaskError(f"the brush's run lengths are for {num_values // _CHANNELS} pixels, but the picture is {size}")
    values = np.zeros(num_values, np.uint16)
    done = 0
    while done < num_values:
        is_run = read(1)
        end = done + 1 + read(lengths[read(2)])
        if is_run:
            values[done:end] = read(value_bits)
        else:
            values[done:end] = [read(value_bits) for _ in range(end - done)][: num_values - done]
        done = end
    alpha = values.reshape(*size, _CHANNELS)[..., _CHANNELS - 1]
    inside: np.ndarray = alpha > (1 << value_bits) // 2
    return inside
