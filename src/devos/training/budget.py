"""A recipe for a given time: how long its steps take here is measured, and as many are planned as fit.

On a GPU a step of a few clips takes hardly less than one of sixteen: what takes time is to start thousands of small
computations. So the batch is made larger, and all that hangs on it and on the number of steps goes with it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from devos.data.batching import Batches
from devos.data.sources import Sources
from devos.errors import OptionError
from devos.training.compute import Compute
from devos.training.config import TrainConfig
from devos.training.feeding import feeding
from devos.training.recipes.recipe import Phase
from devos.training.run import starting_network
from devos.training.trainer import Trainer

SPARE = 0.08
"""Share of the time that no step is planned for: the start, checkpoints, and steps slower than those timed."""
MOST_RATE_FACTOR = 2.0
"""The learning rate is at most raised by this."""

_WARM, _TIMED = 4, 10
"""Steps before any is timed, and steps that are."""
_SNAPSHOTS = 8
_CHECKPOINT_S = 60.0


@dataclass(frozen=True)
class Pace:
    """What a step of a phase takes, in seconds: whichever is longer, for both go on side by side."""

    step_s: float
    """The network's part."""
    clips_s: float
    """To make its clips, with all workers."""

    @property
    def seconds(self) -> float:
        """Of a step."""
        return max(self.step_s, self.clips_s)


@dataclass(frozen=True)
class Planned:
    """A phase as it will be trained; enough to plan the same again without measuring."""

    name: str
    steps: int
    batch: int
    seconds: float
    """Of a step, as measured."""


def measure(
    config: TrainConfig, sources: Sources, *, init: Path | None, device: str, compute: Compute, workers: int
) -> Pace:  # fmt: skip
    """Time some steps of a phase on the device that it will run on; nothing is written.

    The clips of the steps are made beforehand, and making more is timed alone, for workers make some in advance that a
    short trial would take for a pace.
    """
    count = _WARM + _TIMED + 2 * max(1, workers)
    # The trial may take more steps than the phase has.
    config = replace(config, clips=replace(config.clips, num_batches=max(count, config.clips.num_batches)))
    batches = Batches(config.clips, sources)
    made, begun = [], 0.0
    with feeding(batches, 0, workers) as fed:
        for number, batch in enumerate(fed):
            if number < _WARM + _TIMED:
                made.append(batch)
            if number == max(1, workers) - 1:  # by now every worker is at work
                begun = time.perf_counter()
            if number == count - 1:
                break
    clips_s = (time.perf_counter() - begun) / (count - max(1, workers))
    trainer = Trainer(config, starting_network(config, init), device, compute=compute)
    for batch in made[:_WARM]:
        trainer.run_step(batch)
    begun = time.perf_counter()
    for batch in made[_WARM:]:
        trainer.run_step(batch)  # its figures are read, so that a GPU is waited for
    return Pace((time.perf_counter() - begun) / _TIMED, clips_s)


def larger_batch(config: TrainConfig, batch: int) -> TrainConfig:
    """The same with so many clips a step, and a learning rate that grows with their square root, but at most doubles.

    For Adam, whose steps do not grow with the gradient, the square root keeps the noise of the steps as it was
    (Malladi et al. 2022); that it helps devos-t we have not measured.
    """
    if batch < 1:
        raise OptionError(f"--batch is a number of clips from 1, got {batch}")
    factor = min(MOST_RATE_FACTOR, math.sqrt(batch / config.clips.batch_size))
    return replace(config, clips=replace(config.clips, batch_size=batch), learning_rate=config.learning_rate * factor)


def with_steps(config: TrainConfig, steps: int, seconds: float) -> TrainConfig:
    """The same over so many steps of so many seconds each.

    Weights are averaged over about the last tenth, as in the paper's recipes, and the warm-up is a fiftieth of the
    steps, each if that is longer than the recipe's own; eight snapshots, and a checkpoint about every minute.
    """
    every = max(1, round(_CHECKPOINT_S / max(seconds, 1e-3)))
    return replace(
        config, clips=replace(config.clips, num_batches=steps), ema_decay=max(config.ema_decay, 1 - 10 / steps),
        warmup_steps=min(max(config.warmup_steps, steps // 50), max(1, steps // 4)),
        snapshot_every=max(1, steps // _SNAPSHOTS), checkpoint_every=min(every, max(1, steps // 4)),
        log_every=max(1, min(50, steps // 100)), pictures_every=max(1, steps // 4),
    )  # fmt: skip


def share_out(phases: Sequence[Phase], paces: Sequence[Pace], minutes: float) -> tuple[Planned, ...]:
    """How many steps of each phase fit into the time: they keep to each other as in the recipe.

    `minutes`: for all phases together, of which `SPARE` is left. OptionError if a phase has less than 20 steps.
    """
    ahead = sum(phase.config.num_steps * pace.seconds for phase, pace in zip(phases, paces, strict=True))
    factor = 60 * minutes * (1 - SPARE) / ahead
    planned = tuple(
        Planned(phase.name, int(phase.config.num_steps * factor), phase.config.clips.batch_size, pace.seconds)
        for phase, pace in zip(phases, paces, strict=True)
    )
    short = next((one for one in planned if one.steps < 20), None)
    if short is not None:
        raise OptionError(f"{minutes:g} minutes are enough for {short.steps} steps of {short.name} at "
                          f"{short.seconds:.2f} s each; give more time, or a smaller --batch")  # fmt: skip
    return planned


def plan_for(
    phases: Sequence[Phase], minutes: float, time_one: Callable[[Phase], Pace], batch: int | None = None,
    known: Sequence[Mapping[str, Any]] | None = None,
) -> tuple[tuple[Phase, ...], list[dict[str, Any]]]:  # fmt: skip
    """The phases of a recipe for so many minutes, and the plan, as JSON has it, that gives the same phases again.

    `time_one`: what a step of a phase takes; `batch`: clips of a step in place of the recipe's; `known`: a plan that
    was made before, in which case nothing is timed. OptionError if that is one of other phases.
    """
    if known is not None:
        planned = tuple(Planned(**entry) for entry in known)
        if [one.name for one in planned] != [phase.name for phase in phases]:
            raise OptionError(f"the plan is for {', '.join(one.name for one in planned)}, the recipe has "
                              f"{', '.join(phase.name for phase in phases)}; start in another folder")  # fmt: skip
        batches = [one.batch for one in planned]
    else:
        batches = [batch or phase.config.clips.batch_size for phase in phases]
    sized = [
        replace(phase, config=larger_batch(phase.config, size)) for phase, size in zip(phases, batches, strict=True)
    ]
    if known is None:
        planned = share_out(sized, [time_one(phase) for phase in sized], minutes)
    ready = tuple(replace(phase, config=with_steps(phase.config, one.steps, one.seconds))
                  for phase, one in zip(sized, planned, strict=True))  # fmt: skip
    return ready, [asdict(one) for one in planned]
