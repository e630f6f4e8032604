"""How large a network is and how much it computes, part by part. Needs neither weights nor time: only shapes run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from devos.errors import OptionError
from devos.frames import FrameSize
from devos.image import network_size
from devos.model.attention import Adva
from devos.model.checkpoint import read_weights
from devos.model.config import PRESETS, ModelConfig
from devos.model.devos import DeVOS, Given
from devos.model.memory import FINE, EveryNth, Memory
from devos.model.motion import Motion

_PARTS = {
    "image_encoder.backbone": "image encoder: backbone",
    "image_encoder": "image encoder: neck",
    "flow_encoder": "flow encoder",
    "identity_encoder": "identification",
    "adva.s8": "ADVA, stride 8",
    "adva.s16": "ADVA, stride 16",
    "adva.s32": "ADVA, stride 32",
    "long_term.s16": "long-term, stride 16",
    "long_term.s32": "long-term, stride 32",
    "decoder": "decoder",
}
"""A part of the network for each beginning of its modules' names; the first that fits counts."""
_ELSEWHERE = "between the parts"


@dataclass(frozen=True)
class Part:
    """One part of a network."""

    name: str
    parameters: int
    multiply_adds: int
    """For one frame, the bank full."""


@dataclass(frozen=True)
class Profile:
    """What a network is made of."""

    model: str
    frame: FrameSize
    inner: FrameSize
    """The size at which the network sees the frame."""
    bank: int
    """Frames in the bank."""
    num_objects: int
    """Objects that are followed."""
    parts: tuple[Part, ...]

    @property
    def total(self) -> Part:
        """All parts together."""
        return Part("total", sum(p.parameters for p in self.parts), sum(p.multiply_adds for p in self.parts))


def config_of(model: str) -> ModelConfig:
    """The configuration of a model by its name, or of a weights file. OptionError if it is neither."""
    if model in PRESETS:
        return PRESETS[model]()
    path = Path(model)
    if path.suffix == ".safetensors" or path.exists():
        return read_weights(path).config
    raise OptionError(f"no model is called {model!r}; choose {', '.join(PRESETS)}, or give a .safetensors file")


def profile(config: ModelConfig, frame: FrameSize, *, size: int = 384, bank: int = 6, num_objects: int = 1) -> Profile:
    """Parameters and multiply-adds of one frame of a video, one that enters the full bank.

    Counted: convolutions, matrix products, products of elements, and bilinear sampling (four a value). Not counted:
    additions alone, normalisations, activations, and the optical flow, which is no part of the network.

    `num_objects`: at most one group's, 10.

    >>> from devos.model.config import devos_t
    >>> profile(devos_t(), FrameSize(480, 854)).inner
    FrameSize(height=384, width=672)
    """
    if not 1 <= num_objects <= config.num_slots:
        raise OptionError(f"--objects is a number from 1 to {config.num_slots}, got {num_objects}")
    inner = network_size(frame, size)
    with torch.device("meta"):
        model = DeVOS(config).eval()
        counts = _count(model, inner, bank, num_objects)
    sizes: Counter[str] = Counter()
    for name, parameter in model.named_parameters():
        sizes[_part_of(name)] += parameter.numel()
    names = [name for name in (*_PARTS.values(), _ELSEWHERE) if sizes[name] or counts[name]]
    parts = tuple(Part(name, sizes[name], counts[name]) for name in names)
    return Profile(config.name, frame, inner, bank, num_objects, parts)


def _count(model: DeVOS, inner: FrameSize, bank: int, num_objects: int) -> Counter[str]:
    """Multiply-adds of a step with a full bank; on tensors that have a shape and no content."""
    height, width = inner
    image = torch.empty(1, 3, height, width)
    motion = Motion(torch.empty(1, 2, height // 2, width // 2), torch.empty(1, 2, height // 2, width // 2))
    used = torch.ones(1, model.config.num_slots + 1, dtype=torch.bool)
    given = Given(torch.empty(1, len(used[0]), height // 4, width // 4), used)
    policy = EveryNth(every=1, max_entries=bank, fine=FINE)
    counting = _Counting(model, num_objects)
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), counting:
        memory = model.step(image, None, Memory(), used, given, policy).memory
        first = memory.entries[0]
        others = (replace(first, frame=number, pinned=False) for number in range(1, bank))
        memory = replace(memory, entries=policy.kept((first, *others)))
        counting.counts.clear()
        model.step(image, motion, memory, used, None, policy)
    return counting.counts


class _Counting(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds each operation's multiply-adds to the part whose module runs it."""

    def __init__(self, model: nn.Module, num_objects: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._num_objects = num_objects
        self.counts: Counter[str] = Counter()
        self._running = [_ELSEWHERE]
        for name, module in model.named_modules():
            if name:
                module.register_forward_pre_hook(self._enter(_part_of(name)))
                module.register_forward_hook(self._leave)
            if isinstance(module, Adva):
                module.look = self._counted(module.look, _part_of(name))  # type: ignore[method-assign]

    def _counted(self, look: Callable[..., Any], part: str) -> Callable[..., Any]:
        """What a module does apart from its `forward`, counted as its part's."""

        def counted(*inputs: Any) -> Any:
            self._running.append(part)
            output = look(*inputs)
            self._running.pop()
            return output

        return counted

    def _enter(self, part: str) -> Callable[[nn.Module, Any], None]:
        return lambda _module, _inputs: self._running.append(part)

    def _leave(self, _module: nn.Module, _inputs: Any, _output: Any) -> None:
        self._running.pop()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func._overloadpacket is torch.ops.aten.nonzero:
            # The decoder asks which slots are in use, but these tensors have no content: background and the objects.
            return torch.empty(self._num_objects + 1, args[0].ndim, dtype=torch.int64, device="meta")
        if func._overloadpacket is torch.ops.aten._local_scalar_dense:
            return True  # whether something is seen: it is
        output = func(*args, **(kwargs or {}))
        self.counts[self._running[-1]] += _multiply_adds(func, args, kwargs or {}, output)
        return output


def _multiply_adds(func: Any, args: Any, kwargs: Any, output: Any) -> int:
    packet = func._overloadpacket
    if packet in flop_registry:
        return int(flop_registry[packet](*args, **kwargs, out_val=output)) // 2
    if not isinstance(output, Tensor):
        return 0
    aten = torch.ops.aten
    if packet in (aten.grid_sampler_2d, aten.upsample_bilinear2d):
        return 4 * output.numel()
    return output.numel() if packet is aten.mul else 0


def _part_of(name: str) -> str:
    return next((part for prefix, part in _PARTS.items() if f"{name}.".startswith(f"{prefix}.")), _ELSEWHERE)
