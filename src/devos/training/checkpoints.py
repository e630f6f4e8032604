"""What a run resumes from: one file, written whole or not at all, with all that the next step depends on."""

from __future__ import annotations

import dataclasses
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from devos.errors import WeightsError
from devos.io.files import replacing
from devos.training.config import TrainConfig

CHECKPOINT_FILE = "checkpoint.pt"
"""In a run's folder: what the run resumes from."""
_HABITS = ("checkpoint_every", "snapshot_every", "log_every", "validate_every", "pictures_every")
"""Settings that the weights do not depend on: a run may go on with others."""


def save_checkpoint(state: dict[str, Any], path: Path) -> None:
    """Write a trainer's state; killed at any moment, what was there before is still there, or the new state is."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())  # a machine that fails must not find the new name with nothing behind it


def load_checkpoint(path: Path) -> dict[str, Any]:
    """What `save_checkpoint` wrote; WeightsError if it cannot be read."""
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise WeightsError(f"{path} cannot be read as a checkpoint ({error}); delete it to start anew") from error
    return state


def seed_everything(seed: int) -> None:
    """Every random state of this process. Clips have their own, made from the seed and their number."""
    torch.manual_seed(seed)  # CUDA's too
    np.random.seed(seed % 2**32)
    random.seed(seed)


def random_states() -> dict[str, Any]:
    """The random states of this process: of torch, its CUDA devices, numpy and Python."""
    kind, keys, position, has_gauss, cached = np.random.get_state()
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "numpy": [kind, torch.from_numpy(np.asarray(keys).astype(np.int64)), position, has_gauss, cached],
        "python": random.getstate(),
    }


def restore_random_states(states: dict[str, Any]) -> None:
    """Go on with what `random_states` gave; CUDA's only where the same devices are there."""
    torch.set_rng_state(states["torch"])
    if states["cuda"] and torch.cuda.device_count() == len(states["cuda"]):
        torch.cuda.set_rng_state_all(states["cuda"])
    kind, keys, *rest = states["numpy"]
    np.random.set_state((kind, keys.numpy().astype(np.uint32), *rest))
    version, internal, gauss = states["python"]
    random.setstate((version, tuple(internal), gauss))


def check_same_run(stored: dict[str, Any], config: TrainConfig) -> None:
    """WeightsError with every setting that differs, and both its values, if a checkpoint is of another run."""
    found = list(_differences("", stored, config))
    if found:
        raise WeightsError(
            f"the checkpoint is of another run: {'; '.join(found)}. Resume with the settings that it was started with, "
            "or start anew in another folder"
        )


def _differences(name: str, old: Any, new: Any) -> Iterator[str]:
    """`old`: as `dataclasses.asdict` gives it; a field that it does not know has its default."""
    if dataclasses.is_dataclass(old) and not isinstance(old, type):
        old = dataclasses.asdict(old)
    if dataclasses.is_dataclass(new) and isinstance(old, dict):
        known = dict(old)
        for field in dataclasses.fields(new):
            if field.name not in _HABITS:
                yield from _differences(
                    f"{name}.{field.name}".lstrip("."), known.pop(field.name, _default(field)), getattr(new, field.name)
                )
        yield from (f"{name}.{key} is {known[key]!r} there and unknown here".lstrip(".")
                    for key in known if key not in _HABITS)  # fmt: skip
    elif isinstance(old, list | tuple) and isinstance(new, tuple) and len(old) == len(new):
        for index, pair in enumerate(zip(old, new, strict=True)):
            yield from _differences(f"{name}[{index}]", *pair)
    elif old != new:
        yield f"{name} is {_shown(old)} there and {_shown(new)} here"


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return None if field.default is dataclasses.MISSING else field.default


def _shown(value: Any) -> str:
    text = f"{len(value)} of them" if isinstance(value, list | tuple) and len(value) > 4 else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
