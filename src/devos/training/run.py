"""Put a training run together: settings, data, network and what an earlier, unfinished run left."""

from __future__ import annotations

import ctypes
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from devos.data.batching import Batches
from devos.data.sources import Sources
from devos.errors import OutputError, WeightsError
from devos.model.checkpoint import load_weights, read_weights
from devos.model.devos import DeVOS
from devos.model.pretrained import load_pretrained_backbone
from devos.training.checkpoints import CHECKPOINT_FILE, load_checkpoint, seed_everything
from devos.training.compute import PLAIN, Compute
from devos.training.config import TrainConfig
from devos.training.distributed import ALONE, World
from devos.training.loop import Progress, Validate, train
from devos.training.origin import Origin, check_same_origin, origin_of
from devos.training.trainer import Trainer

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


@dataclass(frozen=True)
class Run:
    """A run that is ready to start, or to go on."""

    trainer: Trainer
    batches: Batches
    out: Path
    resumed_at: int | None
    """The step that an earlier run had reached; None for a new one."""

    def to_the_end(
        self, *, workers: int = 1, watch: Callable[[Progress], None] | None = None, validate: Validate | None = None,
        board: bool = False,
    ) -> Path:  # fmt: skip
        """Train; returns the weights file. Stopped at any moment, it goes on from its checkpoint next time. The
        arguments are those of `devos.training.loop.train`.
        """
        return train(self.trainer, self.batches, self.out, workers=workers, watch=watch, validate=validate, board=board)


def prepare(
    config: TrainConfig, out: Path, sources: Sources, *, init: Path | None = None, device: str = "cpu",
    compute: Compute = PLAIN, world: World = ALONE,
) -> Run:  # fmt: skip
    """Check weights, and resume where `out` has a checkpoint.

    `sources`: what `devos.training.places` opened, by the names that the recipe's mix knows. `init`: weights to start
    from, else the backbone is ImageNet's and the rest random. `world`: the processes that train together, each of which
    calls this; `out` is then on a disk that they all see. OptionError, OutputError or WeightsError.
    """
    batches = Batches(config.clips, sources, shard=world.shard)
    origin = shared_origin(config, sources, init, world)
    checkpoint = out / CHECKPOINT_FILE
    if out.exists() and not out.is_dir():
        raise OutputError(f"{out}: a file, not a folder; name a folder for the checkpoint and the weights")
    resumes = _agreed(checkpoint, world)
    model = starting_network(config, init, resumes)
    seed_everything(config.clips.seed + world.rank)
    trainer = Trainer(config, model, device, compute=compute, world=world, origin=origin)
    if resumes:
        state = load_checkpoint(checkpoint)
        check_same_origin(state.get("origin"), origin, out)
        trainer.restore(state)
    return Run(trainer, batches, out, trainer.step if resumes else None)


def shared_origin(config: TrainConfig, sources: Sources, init: Path | None, world: World) -> Origin:
    """What a run depends on beside its settings; the first process reads the data, for all."""
    origin = world.gathered(origin_of(config, sources, init) if world.first else None)[0]
    assert origin is not None, "the first process has it"
    return origin


def _agreed(checkpoint: Path, world: World) -> bool:
    """Whether there is a checkpoint; OutputError if some processes see one and others do not."""
    seen = world.gathered(checkpoint.is_file())
    if len({*seen}) > 1:
        blind = ", ".join(str(rank) for rank, sees in enumerate(seen) if not sees)
        raise OutputError(f"{checkpoint}: the processes {blind} do not see it and the others do; name a folder on a "
                          "disk that all machines share")  # fmt: skip
    return seen[0]


def keep_freed_memory() -> None:
    """Ask glibc to keep freed blocks for the next step, where there is a glibc.

    Training on a CPU frees and takes the same large blocks in every step; handed back to the system each time, they
    come back as page faults, which cost a fifth of the time.
    """
    if sys.platform != "linux" or platform.libc_ver()[0] != "glibc":
        return
    libc = ctypes.CDLL("libc.so.6")
    libc.mallopt(_M_MMAP_THRESHOLD, 32 << 20)  # as high as glibc allows
    libc.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)


def starting_network(config: TrainConfig, init: Path | None, resumes: bool = False) -> DeVOS:
    """What training starts from, the same for the same seed; `resumes`: its weights will be replaced."""
    torch.manual_seed(config.clips.seed)
    if init is not None:
        check_weights(init, config)
        model, _ = load_weights(init, config=config.model)
        return model.train()
    model = DeVOS(config.model)
    if not resumes:
        load_pretrained_backbone(model.image_encoder, config.model.backbone)
    return model


def check_weights(init: Path, config: TrainConfig) -> None:
    """WeightsError if these are no weights of the network that is to be trained; a kernel needs none."""
    weights = read_weights(init)
    if weights.config.without_kernel != config.model.without_kernel:
        raise WeightsError(f"{init} holds {weights.config.name}, but the recipe trains {config.model.name} with its "
                           "own sizes; give weights of that model, or another --model")  # fmt: skip
