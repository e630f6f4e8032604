"""What a recipe is: phases with a name, one after the other, and what the first of them starts from."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum

from devos.data.mixing import ByLength, MergeConfig, Mix, Part
from devos.errors import OptionError
from devos.model.config import PRESETS, devos_t
from devos.training.config import TrainConfig

DEVOS_T = devos_t()
"""What recipes train unless told otherwise."""

Make = Callable[..., TrainConfig]
"""A phase's settings; takes `model` (a ModelConfig), `num_steps`, `seed` and `size` (pixels) by name, each with a
default."""


class Start(Enum):
    """What a recipe starts from where no weights are given."""

    IMAGENET = "the backbone as trained on ImageNet, the rest random"
    SHIPPED = "the weights that come with devos"
    GIVEN = "nothing: weights must be given"


@dataclass(frozen=True)
class Phase:
    """A part of a recipe: a run of its own, from the weights of the one before."""

    name: str
    config: TrainConfig


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A way to train, by name."""

    name: str
    phases: tuple[tuple[str, Make], ...]
    """Each phase's name and its settings, in order."""
    start: Start = Start.IMAGENET
    before: str = ""
    """Where `start` is GIVEN: the recipe whose weights it goes on from."""
    judged: int = 0
    """On so many batches of each phase, its first ones, the loss before and after it is compared."""

    def configure(
        self, *, model: str | None = None, steps: int | None = None, size: int | None = None, seed: int | None = None
    ) -> tuple[Phase, ...]:
        """The phases, with what is given in place of the recipe's own: a model's name, steps of each phase, the clips'
        side in pixels, and the first phase's seed (the second one's is one more, and so on). OptionError for others.
        """
        if model is not None and model not in PRESETS:
            raise OptionError(f"no model is called {model!r}; choose one of {', '.join(PRESETS)}")
        if steps is not None and steps < 1:
            raise OptionError(f"--steps is a number of steps from 1, got {steps}")
        if size is not None:
            check_size(size)
        phases = []
        for number, (name, make) in enumerate(self.phases):
            given = {"model": PRESETS[model]() if model else None, "num_steps": steps, "size": size,
                     "seed": None if seed is None else seed + number}  # fmt: skip
            phases.append(Phase(name, make(**{key: value for key, value in given.items() if value is not None})))
        return tuple(phases)


def parts_of(phases: Iterable[Phase]) -> dict[str, Part]:
    """Every source that some phase takes clips from, by its name; required where one phase requires it."""
    parts: dict[str, Part] = {}
    for phase in phases:
        for stage in phase.config.clips.stages:
            for part in stage.sources.parts:
                if part.source not in parts or part.required:
                    parts[part.source] = part
    return parts


def videos_and_photos(share: float, merge: MergeConfig) -> Mix:
    """So large a share of the clips from videos, long ones more often, merged as said; the others made of photos.

    Either source may be absent.
    """
    videos = Part(source="videos", share=share, odds=ByLength(), merge=merge, required=False)
    return Mix(parts=(videos, Part(source="photos", share=round(1 - share, 6), required=False)))


def check_size(size: int, option: str = "--size") -> None:
    """OptionError if clips cannot have this side, in pixels."""
    if size < 64 or size % 32:
        raise OptionError(f"{option} is a multiple of 32, in pixels, from 64, got {size}")
