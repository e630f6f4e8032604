"""The parts of a step in half precision, by torch: for GPUs, and for CPUs that multiply bfloat16."""

from __future__ import annotations

from dataclasses import replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from devos.model.devos import DeVOS, Looked
from devos.model.encoder import Features
from devos.model.identity import Values
from devos.model.memory import Memory
from devos.model.motion import Motion

HALVES = {"bf16": torch.bfloat16, "fp16": torch.float16}
"""What products may be computed in, by the names that `devos train` has for them."""


class HalfParts:
    """What `DeVOS.step` calls, with convolutions and matrix products in half precision.

    What goes from part to part and into a video's memory is float32, so that masks may be changed there at any time.
    """

    def __init__(self, model: DeVOS, device: torch.device, precision: str) -> None:
        """`precision`: one of `HALVES`."""
        self._model, self._device, self._dtype = model, device, HALVES[precision]

    def encode(self, image: Float[Tensor, "b 3 h w"]) -> Features:
        """As DeVOS.encode."""
        with self._half():
            return Features(*(x.float() for x in self._model.encode(image)))

    def look(self, features: Features, previous: Features, motion: Motion) -> Looked:
        """As DeVOS.look."""
        with self._half():
            looked = self._model.look(features, previous, motion)
        regions = {stride: region._replace(weights=region.weights.float()) for stride, region in looked.regions.items()}
        return replace(looked, regions=regions)

    def match(self, features: Features, looked: Looked, memory: Memory, used: Bool[Tensor, "bg slots"],
              focused: bool = False) -> Float[Tensor, "bg slots h4 w4"]:  # fmt: skip
        """As DeVOS.match."""
        with self._half():
            return self._model.match(features, looked, memory, used, focused).float()

    def values(self, features: Features, probabilities: Float[Tensor, "bg slots h4 w4"]) -> Values:
        """As DeVOS.values."""
        with self._half():
            return Values(*(x.float() for x in self._model.values(features, probabilities)))

    def keys(self, features: Features) -> dict[int, Tensor]:
        """As DeVOS.keys."""
        with self._half():
            return {stride: keys.float() for stride, keys in self._model.keys(features).items()}

    def _half(self) -> torch.autocast:
        return torch.autocast(self._device.type, self._dtype)
