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
    return Change(*(_loss(network, phase, batches, count) for network in networks))


@torch.no_grad()
def _loss(network: DeVOS, phase: Phase, batches: Batches, count: int) -> float:
    losses = []
    for index in range(count):
        followed = unroll(network.eval(), batches[index], phase.config, 0)
        losses.append(float(followed.entropy + followed.dice))
    return statistics.fmean(losses)
