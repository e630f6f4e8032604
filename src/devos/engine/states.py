"""What a session carries from frame to frame, as a value: to keep, to come back to, and to take to disk and back."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from devos.engine.ensemble import Past
from devos.engine.objects import ObjectTable, Place
from devos.errors import InputError
from devos.frames import FrameSize
from devos.model.encoder import Features
from devos.model.identity import Values
from devos.model.memory import Entry, Memory, Previous

_FORMAT = "devos state 1"


@dataclass(frozen=True)
class State:
    """All that a session carries from frame to frame: a value, to keep, pickle or save, and to come back to."""

    pasts: tuple[Past, ...]
    """For each view of the video what it remembers; one view unless the settings ask for more."""
    objects: ObjectTable
    index: int
    """Of the next frame."""
    size: FrameSize | None
    """Of the video; None before the first frame."""

    @property
    def memory(self) -> Memory:
        """The first view's."""
        return self.pasts[0].memory

    @property
    def previous(self) -> UInt8[np.ndarray, "h w 3"] | None:
        """The frame before, as the first view saw it: at the network's size."""
        return self.pasts[0].previous

    @property
    def num_bytes(self) -> int:
        """What the state holds, in bytes."""
        return sum(past.num_bytes for past in self.pasts)

    def to_bytes(self) -> bytes:
        """The state as a safetensors file; `from_bytes` gives the same bits."""
        packing = _Packing()
        shape = packing.pack(self)
        facts = {"format": _FORMAT, "shape": shape, "turned": packing.turned}
        return bytes(save(packing.stored, {"devos": json.dumps(facts)}))

    @staticmethod
    def from_bytes(content: bytes, device: torch.device | str = "cpu") -> State:
        """A state from what `to_bytes` gave. InputError if it is none, is damaged or is of another version."""
        try:
            length = int.from_bytes(content[:8], "little")
            facts = json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["devos"])
            if facts["format"] != _FORMAT:
                raise InputError(f"a state of another version ({facts['format']}), not {_FORMAT}; make it again")
            stored = {name: tensor.to(device) for name, tensor in load(content).items()}
            state = _unpack(
                facts["shape"], {name: _turn_back(stored[name], facts["turned"].get(name)) for name in stored}
            )
        except (SafetensorError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            raise InputError(f"not a saved state, or a damaged one ({str(error)[:80]}); make it again") from error
        assert isinstance(state, State)
        return state

    def save(self, path: str | Path) -> None:
        """Write the state to a file."""
        Path(path).write_bytes(self.to_bytes())

    @staticmethod
    def load(path: str | Path, device: torch.device | str = "cpu") -> State:
        """Read a state that `save` wrote. InputError, with the path, for anything else."""
        try:
            return State.from_bytes(Path(path).read_bytes(), device)
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror}); give a file that State.save wrote") from error
        except InputError as error:
            raise InputError(f"{path}: {error}") from error


_KINDS = {kind.__name__: kind for kind in (State, Past, Memory, Previous, Entry, Features, Values, ObjectTable, Place,
                                           FrameSize)}  # fmt: skip
"""All that a state is made of, besides tensors, arrays, tuples, mappings and plain values."""


class _Packing:
    """Takes a value apart into plain lists, for JSON, and tensors. What is held twice is stored once."""

    def __init__(self) -> None:
        self.stored: dict[str, Tensor] = {}
        self.turned: dict[str, list[int]] = {}
        """Of tensors whose values do not lie in the order of their axes: how the axes were turned for it."""
        self._names: dict[tuple[Any, ...], str] = {}
        self._places: set[int] = set()
        self._held: list[Tensor] = []

    def pack(self, value: Any) -> list[Any]:
        """The value's kind, and its parts."""
        if isinstance(value, Tensor):
            return ["tensor", self._add(value)]
        if isinstance(value, np.ndarray):
            return ["array", self._add(torch.from_numpy(np.ascontiguousarray(value)))]
        if dataclasses.is_dataclass(value):
            parts = {field.name: self.pack(getattr(value, field.name)) for field in dataclasses.fields(value)}
            return [type(value).__name__, parts]
        if isinstance(value, Mapping):
            return ["mapping", [[key, self.pack(part)] for key, part in value.items()]]
        if isinstance(value, tuple):
            kind = type(value).__name__ if type(value).__name__ in _KINDS else "tuple"
            return [kind, [self.pack(part) for part in value]]
        assert value is None or isinstance(value, bool | int | float | str), type(value)
        return ["plain", value]

    def _add(self, tensor: Tensor) -> str:
        key = (tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype)
        if tensor.numel() and key in self._names:
            return self._names[key]
        name = self._names[key] = f"{len(self.stored):03d}"
        self._held.append(tensor)  # its place in memory must not become another's
        strides = tensor.stride()
        order = sorted(range(tensor.ndim), key=lambda axis: (-strides[axis], axis))
        if not tensor.is_contiguous() and tensor.permute(order).is_contiguous():
            self.turned[name] = order
            tensor = tensor.permute(order)
        tensor = tensor.detach().cpu().contiguous()
        # two shapes of the same values: the file's writer refuses what shares its memory
        shared = tensor.data_ptr() in self._places
        self._places.add(tensor.data_ptr())
        self.stored[name] = tensor.clone() if shared else tensor
        return name


def _turn_back(tensor: Tensor, order: list[int] | None) -> Tensor:
    return tensor if order is None else tensor.permute([order.index(axis) for axis in range(tensor.ndim)])


def _unpack(packed: list[Any], tensors: Mapping[str, Tensor]) -> Any:
    kind, parts = packed
    if kind == "plain":
        return parts
    if kind == "tensor":
        return tensors[parts]
    if kind == "array":
        return tensors[parts].cpu().numpy()
    if kind == "mapping":
        return {key: _unpack(part, tensors) for key, part in parts}
    if kind == "tuple":
        return tuple(_unpack(part, tensors) for part in parts)
    made = _KINDS[kind]
    if isinstance(parts, dict):
        return made(**{name: _unpack(part, tensors) for name, part in parts.items()})
    return made(*(_unpack(part, tensors) for part in parts))
