"""How a run is computed: precision, accumulation, sharding, compilation. The same run to rounding with any choice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

import torch
from torch import nn

from devos.data.batching import Batch
from devos.errors import OptionError
from devos.model.devos import DeVOS

PRECISIONS = {"float32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
"""What the network's products may be computed in; weights, losses and the optimiser are float32 in each."""


@dataclass(frozen=True, kw_only=True)
class Compute:
    """How a run is computed. None of it is part of the run: it may be resumed with another choice, where it then
    agrees with an uninterrupted one to rounding and not bit for bit.
    """

    precision: str = "float32"
    """float32, bf16 or fp16; fp16 scales the loss, and skips steps whose gradient overflows."""
    accumulate: int = 1
    """Each process takes its share of a batch in this many parts, one after the other: the gradient of the whole batch
    in a part's memory."""
    sharded: bool = False
    """Weights, gradients and moments are shared out among the processes (FSDP2), for a network too large for one."""
    compiled: bool = False
    """The image encoder's backbone and the decoder go through torch.compile."""

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise OptionError(f"no precision is called {self.precision!r}; choose one of {', '.join(PRECISIONS)}")
        if self.accumulate < 1:
            raise OptionError(f"--accumulate is a number of parts from 1, got {self.accumulate}")
        if self.sharded and self.precision == "fp16":
            raise OptionError("--sharded goes with float32 or bf16, not with fp16, on whose loss scale all processes "
                              "would have to agree; choose bf16")  # fmt: skip

    def check(self, share: int) -> None:
        """OptionError if a process's `share` of a batch, in clips, cannot be taken in `accumulate` equal parts."""
        if share % self.accumulate:
            raise OptionError(f"a process has {share} clips of each batch, which --accumulate {self.accumulate} does "
                              "not divide; choose a number that does")  # fmt: skip

    def autocast(self, device: torch.device) -> torch.autocast:
        """Where the network's products are computed in the chosen precision."""
        return torch.autocast(device.type, PRECISIONS[self.precision], enabled=self.precision != "float32")

    def scaler(self, device: torch.device) -> torch.amp.GradScaler:
        """What scales the loss in fp16; in the others it does nothing."""
        return torch.amp.GradScaler(device.type, enabled=self.precision == "fp16")


PLAIN = Compute()
"""Float32, a batch at once, nothing shared out or compiled."""


def parts_of(batch: Batch, count: int) -> Iterator[Batch]:
    """The clips of a batch in `count` equal parts, in order."""
    size = len(batch.images) // count
    for start in range(0, size * count, size):
        yield batch if count == 1 else rows(batch, slice(start, start + size))


def rows(batch: Batch, wanted: slice) -> Batch:
    """Some of a batch's clips."""
    return replace(batch, **{field.name: getattr(batch, field.name)[wanted] for field in fields(batch)})


def compile_parts(model: DeVOS, device: torch.device) -> None:
    """Have torch.compile translate the parts whose shapes stay alike over a clip; OptionError where it cannot work.

    In place: names of weights do not change. The rest of a step is not compiled, for its memory grows by frames.
    """
    try:
        torch.compile(_trial)(torch.zeros(8, device=device))
    except Exception as error:  # whatever a compiler, its headers or its driver may say
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise OptionError(f"--compile cannot be used here ({reason}); it needs a C++ compiler on a CPU and Triton on a "
                          "GPU; install one, or train without --compile") from error  # fmt: skip
    parts: tuple[nn.Module, ...] = (model.image_encoder.backbone, model.decoder)
    for part in parts:
        part.compile()


def _trial(x: torch.Tensor) -> torch.Tensor:
    return x * 2 + 1
