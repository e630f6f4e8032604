"""A recipe's phases one after the other, each from the weights of the one before; what is finished is not run again."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from devos.data.sources import Sources
from devos.errors import OptionError, OutputError
from devos.io.files import replacing
from devos.model.checkpoint import read_weights
from devos.training.checkpoints import CHECKPOINT_FILE, check_same_run
from devos.training.distributed import World
from devos.training.origin import check_same_origin
from devos.training.recipes.recipe import Phase, Recipe, Start
from devos.training.record import LOG_FILE
from devos.training.run import Run, check_weights, shared_origin


@dataclass(frozen=True)
class Losses:
    """Means over the first and over the last steps of a phase, as its log reports them."""

    name: str
    """The phase's."""
    steps: int
    entropy: tuple[float, float]
    """Cross-entropy of the hardest pixels: of all at first, of 15 % from a third of the phase on."""
    dice: tuple[float, float]
    j: tuple[float, float]
    """Of the training clips, in [0, 1]."""


@dataclass(frozen=True)
class Job:
    """Phases, where they go, and what they start from."""

    phases: tuple[Phase, ...]
    out: Path
    init: Path | None
    """Weights that the first phase starts from; None for ImageNet's backbone."""
    judged: int = 0
    """As `Recipe.judged`."""

    def home(self, phase: Phase) -> Path:
        """A phase's folder: that of the whole job if there is only one."""
        return self.out if len(self.phases) == 1 else self.out / phase.name

    def weights(self, phase: Phase) -> Path:
        """What a phase ends with."""
        return self.home(phase) / f"{phase.config.model.name}.safetensors"

    @property
    def result(self) -> Path:
        """What the job ends with."""
        return self.out / f"{self.phases[-1].config.model.name}.safetensors"

    def before(self, phase: Phase) -> Path | None:
        """What a phase starts from."""
        number = self.phases.index(phase)
        return self.weights(self.phases[number - 1]) if number else self.init

    def run(self, prepare: Callable[[Phase, Path, Path | None], Run], finish: Callable[[Phase, Run | None], None],
            world: World, sources: Sources) -> Path:  # fmt: skip
        """Run what is left; returns the weights of the last phase, which lie in `out`.

        `prepare`: makes a phase's run for a folder and weights to start from; `finish`: trains it to its end, or takes
        note of a phase, with None, that was finished before. WeightsError if that one had other settings, other data
        than `sources`, or started from other weights.
        """
        for phase in self.phases:
            weights = self.weights(phase)
            if all(world.gathered(is_finished(phase, weights))):
                origin = shared_origin(phase.config, sources, self.before(phase), world)
                check_same_origin(read_weights(weights).info.get("origin"), origin, self.home(phase))
                finish(phase, None)
            else:
                run = prepare(phase, self.home(phase), self.before(phase))
                finish(phase, run)
                world.gathered(None)  # the first process has written the weights
        if world.first and len(self.phases) > 1:
            with replacing(self.result) as temporary:
                shutil.copyfile(self.weights(self.phases[-1]), temporary)
        world.gathered(None)
        return self.result

    def losses(self) -> Iterator[Losses]:
        """What the logs of the phases say, as far as there are any."""
        for phase in self.phases:
            rows = _rows(self.home(phase) / LOG_FILE)
            if rows:
                entropy, dice, j = ((float(rows[0][n]), float(rows[-1][n])) for n in ("entropy", "dice", "j"))
                yield Losses(phase.name, int(rows[-1]["step"]), entropy, dice, j)


def plan(recipe: Recipe, phases: tuple[Phase, ...], out: Path, init: Path | None, shipped: Sequence[Path]) -> Job:
    """A job of a recipe. `shipped`: the weights that come with devos. OptionError if it needs weights that are not
    there, WeightsError if they are of another network, OutputError if `out` is no folder, or holds a run of one phase
    where there are to be several.
    """
    if out.exists() and not out.is_dir():
        raise OutputError(f"{out}: a file, not a folder; name a folder for the checkpoint and the weights")
    if len(phases) > 1 and (out / CHECKPOINT_FILE).exists():
        raise OutputError(f"{out}: holds the checkpoint of another run, and {recipe.name} makes a folder for each of "
                          f"its phases ({', '.join(phase.name for phase in phases)}); name another folder")  # fmt: skip
    if init is None and recipe.start is Start.GIVEN:
        raise OptionError(f"{recipe.name} goes on from the weights of {recipe.before}; give them with --init")
    if init is None and recipe.start is Start.SHIPPED:
        name = phases[0].config.model.name
        init = next((path for path in shipped if path.stem == name), None)
        if init is None:
            raise OptionError(f"{recipe.name} goes on from trained weights, and none of {name} come with devos; give "
                              "them with --init")  # fmt: skip
    if init is not None:
        check_weights(init, phases[0].config)
    return Job(phases, out, init, recipe.judged)


def is_finished(phase: Phase, weights: Path) -> bool:
    """Whether a phase's weights are there; WeightsError if they were trained with other settings."""
    if not weights.is_file():
        return False
    check_same_run(read_weights(weights).info.get("train", {}), phase.config)
    return True


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
