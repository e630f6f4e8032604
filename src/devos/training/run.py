"""Put a training run together: recipe, data, network and what an earlier, unfinished run left."""

from __future__ import annotations

import ctypes
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from devos.data.batching import Batches
from devos.data.catalog import find_videos
from devos.data.photos import find_photos
from devos.errors import InputError, OptionError, OutputError, WeightsError
from devos.model.checkpoint import load_weights
from devos.model.devos import DeVOS
from devos.model.pretrained import load_pretrained_backbone
from devos.training.checkpoints import CHECKPOINT_FILE, load_checkpoint, seed_everything
from devos.training.compute import PLAIN, Compute
from devos.training.config import RECIPES, TrainConfig
from devos.training.distributed import ALONE, World
from devos.training.loop import Progress, Validate, train
from devos.training.trainer import Trainer

VIDEOS_FOLDER = "video-train"
PHOTOS_FOLDER = "static"

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


@dataclass(frozen=True)
class Run:
    """A run that is ready to start, or to go on."""

    trainer: Trainer
    batches: Batches
    out: Path
    num_videos: int
    num_photos: int
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


def configure(
    recipe: str, *, steps: int | None = None, size: int | None = None, seed: int | None = None
) -> TrainConfig:
    """A recipe by its name, with what is given in place of its own."""
    if recipe not in RECIPES:
        raise OptionError(f"no recipe is called {recipe!r}; choose one of {', '.join(RECIPES)}")
    if steps is not None and steps < 1:
        raise OptionError(f"--steps is a number of steps from 1, got {steps}")
    if size is not None:
        check_size(size)
    given = {"num_steps": steps, "size": size, "seed": seed}
    return RECIPES[recipe](**{name: value for name, value in given.items() if value is not None})


def check_size(size: int, option: str = "--size") -> None:
    """OptionError if clips cannot have this side, in pixels."""
    if size < 64 or size % 32:
        raise OptionError(f"{option} is a multiple of 32, in pixels, from 64, got {size}")


def prepare(
    config: TrainConfig, out: Path, *, videos: Path | None, photos: Path | None, init: Path | None = None,
    device: str = "cpu", compute: Compute = PLAIN, world: World = ALONE,
) -> Run:  # fmt: skip
    """Check data and weights, and resume where `out` has a checkpoint.

    `videos`: a folder in DAVIS's layout; `photos`: one of sets of photos; either may be None. `init`: weights to start
    from, else the backbone is ImageNet's and the rest random. `world`: the processes that train together, each of which
    calls this; `out` is then on a disk that they all see. InputError, OptionError, OutputError or WeightsError.
    """
    found_videos = find_videos(videos) if videos is not None else ()
    found_photos = find_photos(photos) if photos is not None else ()
    bare = [video.name for video in found_videos if not any(video.masks)]
    if bare:
        names = ", ".join(bare[:3]) + (", ..." if len(bare) > 3 else "")
        raise InputError(f"{videos}: {len(bare)} of {len(found_videos)} sequences have no masks ({names}); training "
                         "needs one for some frames of each: add them, or take the sequences out")  # fmt: skip
    if not found_videos and not found_photos:
        raise InputError("there is nothing to train on; give --data, --videos or --photos")
    checkpoint = out / CHECKPOINT_FILE
    if out.exists() and not out.is_dir():
        raise OutputError(f"{out}: a file, not a folder; name a folder for the checkpoint and the weights")
    resumes = _agreed(checkpoint, world)
    model = _network(config, init, resumes)
    seed_everything(config.clips.seed + world.rank)
    trainer = Trainer(config, model, device, compute=compute, world=world)
    if resumes:
        trainer.restore(load_checkpoint(checkpoint))
    batches = Batches(config.clips, found_videos, found_photos, shard=world.shard)
    return Run(trainer, batches, out, len(found_videos), len(found_photos), trainer.step if resumes else None)


def _agreed(checkpoint: Path, world: World) -> bool:
    """Whether there is a checkpoint; OutputError if some processes see one and others do not."""
    seen = world.gathered(checkpoint.is_file())
    if len({*seen}) > 1:
        blind = ", ".join(str(rank) for rank, sees in enumerate(seen) if not sees)
        raise OutputError(f"{checkpoint}: the processes {blind} do not see it and the others do; name a folder on a "
                          "disk that all machines share")  # fmt: skip
    return seen[0]


def folders_below(data: Path) -> tuple[Path | None, Path | None]:
    """The videos and the photos below one folder, as `video-train` and `static`; None for what is not there."""
    videos, photos = data / VIDEOS_FOLDER, data / PHOTOS_FOLDER
    if not videos.is_dir() and not photos.is_dir():
        raise InputError(f"{data}: holds neither {VIDEOS_FOLDER} (videos in DAVIS's layout) nor {PHOTOS_FOLDER} "
                         "(photos with masks); make one of them, or use --videos and --photos")  # fmt: skip
    return (videos if videos.is_dir() else None), (photos if photos.is_dir() else None)


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


def _network(config: TrainConfig, init: Path | None, resumes: bool) -> DeVOS:
    """What training starts from; the same for the same seed."""
    torch.manual_seed(config.clips.seed)
    if init is not None:
        model, weights = load_weights(init)
        if weights.config != config.model:
            raise WeightsError(f"{init} holds {weights.config.name}, but the recipe trains {config.model.name} "
                               "with its own sizes; give weights of that model")  # fmt: skip
        return model.train()
    model = DeVOS(config.model)
    if not resumes:
        load_pretrained_backbone(model.image_encoder, config.model.backbone)
    return model
