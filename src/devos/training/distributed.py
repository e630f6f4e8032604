"""Several processes that train one network: who is who, what they agree on, and how they share the work.

The names come from torchrun's environment. Each process takes its share of every batch; gradients are averaged, so that
the processes together take the step of the whole batch.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from devos.data.batching import Shard
from devos.training.ending import ending_together
from devos.training.sharding import shard
from devos.training.unroll import Unrolled

_PATIENCE = timedelta(hours=2)
"""How long a process waits for the others: the first one validates and writes while they wait."""

_T = TypeVar("_T")


@dataclass(frozen=True)
class World:
    """The processes of a run, and which of them this is."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    """The number among the processes of this machine: which GPU is its own."""

    @property
    def first(self) -> bool:
        """Whether this is the process that writes and speaks for all."""
        return self.rank == 0

    @property
    def shard(self) -> Shard:
        """Which clips of a batch are this process's."""
        return Shard(self.rank, self.size)

    def device(self, chosen: torch.device) -> torch.device:
        """This process's own GPU, where GPUs were chosen and there are several processes."""
        if self.size > 1 and chosen.type == "cuda":
            return torch.device("cuda", self.local_rank)
        return chosen

    def mean(self, values: Tensor) -> Tensor:
        """The mean over the processes; the same on each of them."""
        if self.size > 1:
            dist.all_reduce(values)
            values = values / self.size
        return values

    def gathered(self, value: _T) -> list[_T]:
        """Every process's value, in order of rank, on each of them."""
        if self.size == 1:
            return [value]
        values: list[_T] = [value] * self.size
        dist.all_gather_object(values, value)
        return values


ALONE = World()
"""One process."""


@contextmanager
def joined() -> Generator[World, None, None]:
    """Meet the other processes that torchrun started, and leave them at the end; alone where there was no torchrun.

    Where one of them fails, all end: as `ending_together` has it.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield ALONE
        return
    world = World(*(int(os.environ[name]) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK")))
    if torch.cuda.is_available():
        torch.cuda.set_device(world.local_rank)
    dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo", timeout=_PATIENCE)
    with ending_together(world.rank, world.size), warnings.catch_warnings():
        # Of 1 x 1 filters: one order in memory, which two sets of strides describe.
        warnings.filterwarnings("ignore", message="Grad strides do not match bucket view strides")
        yield world
    dist.destroy_process_group()  # after an error nobody else may be there to leave it with


def shared(unrolled: Unrolled, world: World, device: torch.device, sharded: bool) -> nn.Module:
    """The network as the processes train it together: DDP, or FSDP2 if `sharded`; itself where there is one process."""
    if sharded:
        shard(unrolled, world.size, device)
        return unrolled
    if world.size == 1:
        return unrolled
    # An ablation may leave a part without use; the whole network uses every weight in every step.
    config = unrolled.config
    some_idle = config.model.matching != type(config.model.matching)()
    return DistributedDataParallel(unrolled, gradient_as_bucket_view=True, find_unused_parameters=some_idle)


@contextmanager
def averaging(module: nn.Module, wanted: bool) -> Generator[None, None, None]:
    """Whether the gradients of a backward pass are averaged over the processes at once, or kept for a later pass."""
    if isinstance(module, DistributedDataParallel) and not wanted:
        with module.no_sync():
            yield
        return
    if hasattr(module, "set_requires_gradient_sync"):  # FSDP2
        cast(Any, module).set_requires_gradient_sync(wanted)
    yield
