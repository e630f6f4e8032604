"""What a video says of itself beside its pictures, to be kept in a video made of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

UNSPECIFIED = 2
"""What libav calls a colour space, primaries or transfer that the file does not name."""
_BT709, _RGB = 1, 0
_MIN_TICKS_PER_S = 10_000
_AS_SWSCALE = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9, 10: 9}
"""The matrix to convert by, of a colour space; others are read as BT.601, as FFmpeg does."""


@dataclass(frozen=True)
class Look:
    """Colours, range, pixel aspect and ticks of a video; numbers are those of H.273, as libav has them."""

    matrix: int = _BT709
    primaries: int = _BT709
    transfer: int = _BT709
    colour_range: int = 1
    """1 is limited (16 to 235), 2 full, 0 not said."""
    pixel_aspect: Fraction = Fraction(1)
    """Width of a pixel by its height, as shown."""
    time_base: Fraction | None = None
    """Seconds of a tick; None where there is none."""

    @property
    def conversion(self) -> int:
        """What swscale calls the matrix by which RGB becomes these colours."""
        return _AS_SWSCALE.get(self.matrix, 5)

    def colour(self, made: Any) -> None:
        """Have an encoder, or a picture on its way to one, say the same of its colours. ProRes asks the picture."""
        made.colorspace, made.color_primaries = self.matrix, self.primaries
        made.color_trc, made.color_range = self.transfer, self.colour_range

    def mark(self, encoder: Any) -> None:
        """Have an encoder say the same of what it makes."""
        self.colour(encoder)
        if self.pixel_aspect != 1:
            encoder.sample_aspect_ratio = self.pixel_aspect


PICTURES = Look()
"""Of pictures in files of their own, which are sRGB: said, for a player to take it for no other."""


def look_of(stream: Any, frame: Any, *, transposed: bool) -> Look:
    """Of a stream and its first decoded picture. RGB becomes BT.709; what is not said stays so, as a player will take
    the new video as it takes the old one. `transposed`: whether the pictures are shown lying on their side.
    """
    aspect = stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio or Fraction(1)
    aspect = Fraction(1) if aspect <= 0 else Fraction(aspect)
    facts: dict[str, Any] = {"pixel_aspect": 1 / aspect if transposed else aspect, "time_base": stream.time_base}
    if frame.format.is_rgb or frame.colorspace == _RGB:
        return Look(**facts)
    is_full = frame.color_range == 2 or frame.format.name.startswith("yuvj")
    return Look(frame.colorspace, frame.color_primaries, frame.color_trc, 2 if is_full else frame.color_range, **facts)


def ticks_per_s(fps: Fraction, time_base: Fraction | None) -> int:
    """The source's ticks where they are fine, else such that a frame is a whole number of them."""
    if time_base is not None and time_base.numerator == 1 and time_base.denominator >= _MIN_TICKS_PER_S:
        return time_base.denominator
    return fps.numerator * math.ceil(_MIN_TICKS_PER_S / fps.numerator)
