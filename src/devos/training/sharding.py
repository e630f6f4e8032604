"""FSDP2: weights, gradients and moments shared out among processes, each tensor cut along its first side.

What is saved is whole, and the same for any number of processes.
"""

from __future__ import annotations

from typing import Any, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn

from devos.errors import OptionError
from devos.training.unroll import Unrolled


def shard(unrolled: Unrolled, processes: int, device: torch.device) -> None:
    """Share a network out, in place; OptionError where there is nobody to share with, or PyTorch is too old.

    The backbone's blocks go one by one, each gathered only while it works; the rest, which `DeVOS` calls in many ways
    over a clip, goes in one piece. Single numbers cannot be cut: every process keeps them (`settle`).
    """
    try:
        from torch.distributed.fsdp import fully_shard
    except ImportError as error:
        raise OptionError(f"--sharded needs PyTorch 2.6 or newer, this is {torch.__version__}") from error
    if processes == 1:
        raise OptionError("--sharded shares the network out among several processes, and there is one; start it with "
                          "torchrun --nproc-per-node N -m devos train ..., or leave --sharded out")  # fmt: skip
    mesh = dist.device_mesh.init_device_mesh(device.type, (processes,))
    for block in _outermost_lists(unrolled.model.image_encoder.backbone):
        fully_shard(block, mesh=mesh, ignored_params=set(_numbers(block)))
    fully_shard(unrolled, mesh=mesh, ignored_params=set(_numbers(unrolled)))


def settle(model: nn.Module, largest: float) -> Tensor:
    """After the last backward pass of a step: average the gradients of what is not shared out, and clip the norm of the
    whole gradient to `largest`. Returns that norm as it was before.
    """
    shares = [weight for weight in model.parameters() if weight.grad is not None and is_share(weight)]
    numbers = [weight for weight in _numbers(model) if weight.grad is not None]
    for weight in numbers:
        dist.all_reduce(cast(Tensor, weight.grad))
        cast(Tensor, weight.grad).div_(dist.get_world_size())
    norms = [whole(nn.utils.get_total_norm([cast(Tensor, weight.grad) for weight in part]))
             for part in (shares, numbers) if part]  # fmt: skip
    norm: Tensor = torch.linalg.vector_norm(torch.stack([each.to(norms[0]) for each in norms]))
    for part in (shares, numbers):
        nn.utils.clip_grads_with_norm_(part, largest, norm)
    return norm


def whole(value: Any) -> Any:
    """A state without the processes' shares: every shared-out tensor gathered, in memory of the CPU, also in dicts,
    lists and tuples. All processes call this together.
    """
    if isinstance(value, Tensor):
        return cast(Any, value).full_tensor().cpu() if is_share(value) else value
    if isinstance(value, dict):
        return {key: whole(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(whole(item) for item in value)
    return value


def share_like(value: Tensor, own: Tensor) -> Tensor:
    """A whole tensor as this process holds `own`: on its device, shared out if that is."""
    value = value.to(own.device)
    if not is_share(own):
        return value
    from torch.distributed.tensor import DTensor, distribute_tensor

    assert isinstance(own, DTensor)
    return distribute_tensor(value, own.device_mesh, own.placements)


def own_part(value: Tensor) -> Tensor:
    """What this process holds of a tensor, in place: all of it if it is not shared out."""
    return cast(Tensor, cast(Any, value).to_local()) if is_share(value) else value


def is_share(value: Tensor) -> bool:
    """Whether this process holds a part of the tensor only."""
    return hasattr(value, "full_tensor")


def _numbers(module: nn.Module) -> list[nn.Parameter]:
    return [weight for weight in module.parameters() if weight.ndim == 0]


def _outermost_lists(module: nn.Module) -> list[nn.Module]:
    """The members of the lists of modules that are in no other list: the stages or blocks of a backbone."""
    found: list[nn.Module] = []
    for child in module.children():
        found.extend(child if isinstance(child, nn.ModuleList) else _outermost_lists(child))
    return found
