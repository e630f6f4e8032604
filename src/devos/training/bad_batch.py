"""A loss or a gradient that is no number: the batch is kept, so that somebody can look at it."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from devos.data.batching import Batch, Batches
from devos.io.files import replacing
from devos.training.trainer import DivergedError, Trainer

BAD_BATCH_FILE = "bad-batch.pt"
"""In a run's folder: `step`, `batch` (the tensors of `Batch` by name) and `clips` (where each clip came from)."""


def save_bad_batch(error: DivergedError, trainer: Trainer, batch: Batch, batches: Batches, out: Path) -> DivergedError:
    """Write this process's share of the batch; gives the error with where it is and what there is to see in it."""
    world = trainer.world
    path = out / BAD_BATCH_FILE
    if world.size > 1:
        path = path.with_name(f"{path.stem}-{world.rank}{path.suffix}")
    places = world.shard.places(trainer.config.clips.batch_size)
    clips = [batches.clip(trainer.step, place).source for place in places]
    tensors: dict[str, Tensor] = {field.name: getattr(batch, field.name) for field in fields(batch)}
    content: dict[str, Any] = {"step": trainer.step, "batch": tensors, "clips": clips}
    with replacing(path) as temporary:
        torch.save(content, temporary)
    return DivergedError(
        f"{error}. Its clips are in {path} (torch.load gives step, batch and clips): {', '.join(clips)}; "
        f"{_what_is_wrong(tensors, clips)}. The same command would stop here again: train in float32 or bf16, with a "
        "lower learning rate, or without these clips"
    )


def _what_is_wrong(tensors: dict[str, Tensor], clips: list[str]) -> str:
    """Which clips hold values that are no numbers."""
    wrong = [f"{name} of clip {place} ({clips[place]})" for name, tensor in tensors.items()
             if tensor.is_floating_point()
             for place in (~tensor.isfinite().flatten(1).all(1)).nonzero()[:, 0].tolist()]  # fmt: skip
    return f"not finite in it: {', '.join(wrong)}" if wrong else "every value in them is finite"
