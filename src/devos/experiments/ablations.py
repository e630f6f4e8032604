"""Ablations: the network without one of its parts, trained and scored like the whole one, several seeds each.

Small on purpose: minutes on one CPU thread for a run. What they say holds for short training of `devos-t`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

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
from devos.model.config import Matching
from devos.training.loop import Progress
from devos.training.places import open_folders
from devos.training.recipes.ablation import ablation
from devos.training.run import prepare


@dataclass(frozen=True, kw_only=True)
class Variant:
    """The network with something taken away."""

    title: str
    """What the table calls it."""
    matching: Matching = field(default_factory=Matching)
    flow: str = "dis"
    """The estimator with which it is used."""


VARIANTS = {
    "full": Variant(title="DeVOS as it is"),
    "no-flow": Variant(
        title="no optical flow", matching=Matching(flow_injection=False, flow_offsets=False), flow="none"
    ),
    "flow-offsets-only": Variant(
        title="flow offsets only: the region is a disk", matching=Matching(semantic_offsets=False)
    ),
    "semantic-offsets-only": Variant(
        title="semantic offsets only: flow does not move the region", matching=Matching(flow_offsets=False)
    ),
    "local-window": Variant(
        title="a window of 7 x 7 cells instead of ADVA's region", matching=Matching(window=7, flow_offsets=False)
    ),
    "one-scale": Variant(title="matching at stride 16 only", matching=Matching(strides=(16,), long_term_strides=(16,))),
    "no-long-term": Variant(title="no long-term memory", matching=Matching(long_term_strides=())),
    "no-injection": Variant(title="no flow in queries and keys", matching=Matching(flow_injection=False)),
}
"""Every variant by its name; the first is what the others are compared with."""

WHOLE = next(iter(VARIANTS))
ROWS = tuple(Row(name, variant.title, None if name == WHOLE else WHOLE) for name, variant in VARIANTS.items())
DIFFERENCE = Difference(heading=f"less than {WHOLE}", is_gain=False)


def run_variant(
    name: str,
    seed: int,
    budget: Budget,
    out: Path,
    *,
    videos: Path | None,
    photos: Path | None,
    tests: Tests,
    watch: Callable[[Progress], None] = lambda progress: None,
) -> Result:
    """Train a variant into `out/NAME/seedN` and score it on `tests`; what is there already is not made again.

    Killed, it goes on from its last checkpoint. `videos`, `photos`: as `devos.training.places.open_folders` takes them.
    """
    known = find_result(out, name, seed, budget)
    if known is not None:
        return known
    variant, losses = VARIANTS[name], LastLoss(watch)
    config = ablation(variant.matching, num_steps=budget.num_steps, seed=seed, size=budget.train_size)
    begun = time.perf_counter()
    weights = prepare(config, home_of(out, name, seed), open_folders(videos, photos)).to_the_end(watch=losses)
    minutes = round((time.perf_counter() - begun) / 60, 2)
    scores = score(weights, tests, size=budget.size, flow=variant.flow)
    return keep_result(Result(name, seed, budget, scores, minutes, losses.value), out)
