"""Did a phase learn? Its loss on the same clips, before it and after."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from pathlib import Path

import torch

from devos.data.batching import Batches
from devos.data.sources import Sources
from devos.model.checkpoint import load_weights
from devos.model.devos import DeVOS
from devos.training.recipes.recipe import Phase
from devos.training.run import starting_network
from devos.training.unroll import unroll


@dataclass(frozen=True)
class Change:
    """The loss, cross-entropy of all pixels plus dice, on the clips of a phase's first steps."""

    before: float
    after: float
    j: tuple[float, float]
    """Mean J of the same clips, before and after, at stride 4, in [0, 1]."""

    @property
    def fell(self) -> bool:
        """Whether it is smaller after the phase."""
        return self.after < self.before


def judge(phase: Phase, sources: Sources, init: Path | None, weights: Path, *, num_batches: int) -> Change:
    """What a phase that began with `init` (None: ImageNet's backbone) and ended with `weights` did to its loss on its
    first batches, on this CPU. The phase trained on them once each; what moves from step to step, the clips and the
    share of hard pixels, is here the same.
    """
    batches = Batches(phase.config.clips, sources)
    count = min(num_batches, len(batches))
    networks = starting_network(phase.config, init), load_weights(weights)[0]
    (before, j_before), (after, j_after) = (_measure(network, phase, batches, count) for network in networks)
    return Change(before, after, (j_before, j_after))


@torch.no_grad()
def _measure(network: DeVOS, phase: Phase, batches: Batches, count: int) -> tuple[float, float]:
    """Loss and J, the means over the first batches."""
    followed = [unroll(network.eval(), batches[index], phase.config, 0) for index in range(count)]
    return statistics.fmean(float(f.entropy + f.dice) for f in followed), statistics.fmean(float(f.j) for f in followed)
