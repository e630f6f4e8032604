"""How a video is followed: a checked value, recorded with every result."""

from __future__ import annotations

from dataclasses import dataclass

from devos.errors import OptionError
from devos.flow.estimator import FLOW_NAMES
from devos.model.memory import FINE

MOST_SCALES, LEAST_SCALE, GREATEST_SCALE = 5, 0.5, 2.0


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a video is followed. Recorded with every result."""

    size: int = 384
    """Short side, in pixels, at which the network sees a frame; results have the frame's own size."""
    memory_every: int = 5
    """A frame enters the memory bank every this many frames."""
    bank: int = 6
    """Most frames in the bank, annotated ones included."""
    fine_bank: int = FINE
    """How many of them that are not annotated, the newest, are remembered in detail (at stride 16) too."""
    focus: bool = True
    """Strides 8 and 4 are computed only where an object may be: faster, and all but the same masks. On CPUs; a GPU,
    which it would not spare much, always computes the whole frame."""
    flow: str = "dis"
    """The flow estimator: dis, none or raft."""
    flip: bool = False
    """Each frame is seen mirrored too, and the answers averaged: twice the time and the memory."""
    scales: tuple[float, ...] = (1.0,)
    """Each frame is seen at every one of these multiples of `size`, and the answers averaged. The time is that of
    all of them: about the sum of their squares."""
    runtime: str = "torch"
    """What computes the network: torch, onnx or openvino. `load` says which it has taken."""
    precision: str = "float32"
    """What its convolutions compute in: float32, int8, bf16 or fp16. `load` says which it has taken."""

    def __post_init__(self) -> None:
        if not 64 <= self.size <= 4096:
            raise OptionError(f"--size is a short side in pixels from 64 to 4096, got {self.size}")
        if self.memory_every < 1:
            raise OptionError(f"--memory-every is a number of frames from 1, got {self.memory_every}")
        if self.bank < 1:
            raise OptionError(f"--bank is a number of frames from 1, got {self.bank}")
        if self.fine_bank < 1:
            raise OptionError(f"--fine-bank is a number of frames from 1, got {self.fine_bank}")
        if self.flow not in FLOW_NAMES:
            raise OptionError(f"no flow estimator is called {self.flow!r}; choose one of {', '.join(FLOW_NAMES)}")
        in_range = all(LEAST_SCALE <= scale <= GREATEST_SCALE for scale in self.scales)
        if not (1 <= len(self.scales) <= MOST_SCALES and in_range and len({*self.scales}) == len(self.scales)):
            raise _wrong_scales(",".join(f"{scale:g}" for scale in self.scales))


def parse_scales(text: str) -> tuple[float, ...]:
    """`Settings.scales` as they are written on a command line; OptionError if they are no numbers.

    >>> parse_scales("0.75,1,1.25")
    (0.75, 1.0, 1.25)
    """
    try:
        return tuple(float(number) for number in text.split(","))
    except ValueError:
        raise _wrong_scales(text) from None


def _wrong_scales(found: str) -> OptionError:
    return OptionError(f"--scales are 1 to {MOST_SCALES} different multiples of the size, each from {LEAST_SCALE:g} to "
                       f"{GREATEST_SCALE:g}, as in 0.75,1,1.25; got {found or 'none'}")  # fmt: skip
