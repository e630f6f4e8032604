"""The paper's table 1, for those who have the data: main training without MOSE, with it, and with importance sampling.

Each run is the paper's main training, both phases, from the same pre-trained weights; only the mix of clips differs. We
have not run it: it is some 36 h on four GPUs for each run of devos-b. `devos.experiments.crowds` stands in for it here.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from devos.data.mixing import Mix, davis_youtube, davis_youtube_mose
from devos.data.sources import Sources
from devos.experiments.results import (
    Budget,
    Difference,
    LastLoss,
    Result,
    Row,
    Tests,
    find_result,
    home_of,
    keep_result,
    score,
)
from devos.model.config import PRESETS
from devos.training.compute import PLAIN, Compute
from devos.training.distributed import ALONE, World
from devos.training.loop import Progress
from devos.training.phases import Job
from devos.training.recipes.main_1 import main_1
from devos.training.recipes.main_2 import main_2
from devos.training.recipes.recipe import Make, Phase
from devos.training.run import Run, prepare


@dataclass(frozen=True)
class Variant:
    """A line of the table."""

    title: str
    mix: Mix


VARIANTS = {
    "without-mose": Variant("without MOSE", davis_youtube()),
    "with-mose": Variant("with MOSE, each video alike", davis_youtube_mose(importance_sampling=False)),
    "with-mose-sampled": Variant("with MOSE, by importance sampling", davis_youtube_mose()),
}
"""In the order of the paper's table; each is compared with the one above."""

_NAMES = list(VARIANTS)
ROWS = tuple(
    Row(name, variant.title, _NAMES[i - 1] if i else None) for i, (name, variant) in enumerate(VARIANTS.items())
)
DIFFERENCE = Difference(heading="more than above", is_gain=True)


@dataclass(frozen=True, kw_only=True)
class Means:
    """How the runs are computed; none of it is part of them."""

    device: str = "cpu"
    compute: Compute = PLAIN
    world: World = ALONE
    workers: int = 1
    """Processes that make clips beside each training process."""


def phases_of(name: str, seed: int, budget: Budget) -> tuple[Phase, ...]:
    """Both phases of the paper's main training with a variant's mix; the first has a third of the steps, as there.

    The second phase's seed is one more than the first's, and the seeds of two runs are two apart.
    """
    first = max(1, budget.num_steps // 3)
    makes: tuple[tuple[str, Make, int], ...] = (
        ("main-1", main_1, first), ("main-2", main_2, max(1, budget.num_steps - first)),
    )  # fmt: skip
    model, mix = PRESETS[budget.model](), VARIANTS[name].mix
    return tuple(
        Phase(title, make(model=model, num_steps=steps, seed=2 * seed + i, size=budget.train_size, mix=mix))
        for i, (title, make, steps) in enumerate(makes)
    )


def run_variant(
    name: str,
    seed: int,
    budget: Budget,
    out: Path,
    *,
    init: Path,
    sources: Sources,
    tests: Tests,
    means: Means = Means(),
    watch: Callable[[Progress], None] = lambda progress: None,
) -> Result | None:
    """Train a variant into `out/NAME/seedN` and score it on `tests`; what is there already is not made again.

    Killed, it goes on from its last checkpoint. `init`: pre-trained weights; `sources`: `davis`, `youtube-vos` and
    `mose`. All processes of `means.world` call this; the first of them scores, the others get None.
    """
    world = means.world
    known = world.gathered(find_result(out, name, seed, budget))[0]
    if known is not None:
        return known
    losses = LastLoss(watch)
    job = Job(phases_of(name, seed, budget), home_of(out, name, seed), init)

    def make(phase: Phase, home: Path, weights: Path | None) -> Run:
        return prepare(phase.config, home, sources, init=weights, device=means.device, compute=means.compute,
                       world=world)  # fmt: skip

    def finish(phase: Phase, run: Run | None) -> None:
        if run is not None:
            run.to_the_end(workers=means.workers, watch=losses)

    begun = time.perf_counter()
    weights = job.run(make, finish, world, sources)
    minutes = round((time.perf_counter() - begun) / 60, 2)
    result = None
    if world.first:
        scores = score(weights, tests, size=budget.size, device=means.device)
        result = keep_result(Result(name, seed, budget, scores, minutes, losses.value), out)
    world.gathered(None)
    return result
