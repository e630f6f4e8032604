"""The parts of a step computed by graphs: torch tensors in and out, arrays between that share their memory."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from devos.model.config import LONG_TERM_STRIDES, MATCHING_STRIDES
from devos.model.decoder import all_slots
from devos.model.devos import DeVOS, Looked
from devos.model.encoder import Features
from devos.model.focus import find_focus
from devos.model.identity import Values
from devos.model.memory import FINE_STRIDE, Memory
from devos.model.motion import Motion
from devos.runtimes.graphs import FOCUSED, INPUTS


@runtime_checkable
class Runner(Protocol):
    """A runtime that has the graphs of one network loaded."""

    def __call__(self, graph: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Every output of a graph by its name. The arrays are the caller's: the runtime keeps none of them. They may
        lie in memory in any order.
        """
        ...


class GraphParts:
    """What `DeVOS.step` calls, by graphs. On a CPU, one image at a time, any number of groups."""

    def __init__(self, model: DeVOS, run: Runner, graphs: Collection[str] = tuple(INPUTS)) -> None:
        """`model`: the network that the graphs were made of; it does what is not in `graphs`, and the bank's keys."""
        self._model, self._run, self._graphs = model, run, frozenset(graphs)

    def encode(self, image: Float[Tensor, "1 3 h w"]) -> Features:
        """As DeVOS.encode."""
        if "encode" not in self._graphs:
            return self._model.encode(image)
        found = self._run("encode", {"image": _array(image)})
        features = Features(*(torch.from_numpy(found[f"s{s}"]) for s in (4, *MATCHING_STRIDES)))
        if "match" in self._graphs:
            return features
        return Features(*(x.contiguous(memory_format=torch.channels_last) for x in features))  # as torch likes them

    def look(self, features: Features, previous: Features, motion: Motion) -> Looked:
        """As DeVOS.look. A region is a grid m p h w 2 and weights m p h w."""
        if "look" not in self._graphs:
            return self._model.look(features, previous, motion)
        motion = motion.at_stride_8(*features.s8.shape[-2:])
        known = {"to_prev": motion.to_prev, "to_curr": motion.to_curr}
        for s in MATCHING_STRIDES:
            known[f"s{s}"], known[f"previous_s{s}"] = features.at(s), previous.at(s)
        found = self._computed("look", known)
        return Looked(motion.to_prev, {s: (found[f"grid_s{s}"], found[f"weights_s{s}"]) for s in MATCHING_STRIDES})

    def match(self, features: Features, looked: Looked, memory: Memory, used: Bool[Tensor, "g slots"],
              focused: bool = False) -> Float[Tensor, "g slots h4 w4"]:  # fmt: skip
        """As DeVOS.match."""
        if "match" not in self._graphs:
            return self._model.match(features, looked, memory, used, focused)
        previous = memory.previous
        assert previous is not None
        known = {"s4": features.s4, "slots": used.any(0).nonzero()[:, 0]}
        for s in MATCHING_STRIDES:
            known[f"s{s}"], known[f"values_s{s}"] = features.at(s), previous.values.at(s)
            known[f"grid_s{s}"], known[f"weights_s{s}"] = looked.regions[s]
        for s in LONG_TERM_STRIDES:
            known[f"bank_keys_s{s}"], known[f"bank_values_s{s}"] = memory.keys(s), memory.values(s)
        known |= self._computed("match", known)
        focus = None
        if focused:
            focus = find_focus(previous.probabilities, looked.to_prev, known[f"bank_read_s{FINE_STRIDE}"])
            known |= {name: focus.cut(known[name], int(name.rpartition("s")[2])) for name in FOCUSED}
        found = self._computed("refine", known)["logits"]
        return all_slots(found, known["slots"], used, focus, features.s4.shape[2:])

    def _computed(self, graph: str, known: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What a graph gives, for what of the known it takes."""
        found = self._run(graph, {name: _array(known[name]) for name in INPUTS[graph]})
        return {name: torch.from_numpy(array) for name, array in found.items()}

    def values(self, features: Features, probabilities: Float[Tensor, "g slots h4 w4"]) -> Values:
        """As DeVOS.values."""
        if "memorise" not in self._graphs:
            return self._model.values(features, probabilities)
        inputs = {f"s{s}": features.at(s) for s in MATCHING_STRIDES} | {"probabilities": probabilities}
        found = self._run("memorise", {n: _array(x) for n, x in inputs.items()})
        return Values(*(torch.from_numpy(found[f"values_s{s}"]) for s in MATCHING_STRIDES))

    def keys(self, features: Features) -> dict[int, Tensor]:
        """As DeVOS.keys."""
        return self._model.keys(features)


def _array(x: Tensor) -> np.ndarray:
    """The same memory."""
    array: np.ndarray = x.detach().numpy()
    return array
