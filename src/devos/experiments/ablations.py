"""Ablations: the network without one of its parts, trained and scored like the whole one, several seeds each.

Small on purpose: minutes on one CPU thread for a run. What they say holds for short training of `devos-t`.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from devos.data.catalog import VideoInfo
from devos.engine.segmenter import load
from devos.evaluation.benchmark import evaluate
from devos.evaluation.predictors import ModelPredictor
from devos.evaluation.scoring import choose_protocol
from devos.io.files import write_json
from devos.model.config import Matching
from devos.training.loop import Progress
from devos.training.places import open_folders
from devos.training.recipes.ablation import ablation
from devos.training.run import prepare

RESULT_FILE = "result.json"
"""In a run's folder: its scores, once it is done."""


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


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What every run of a comparison gets alike."""

    num_steps: int = 300
    train_size: int = 160
    """Side of the clips, in pixels."""
    size: int = 256
    """Shorter side at which the network works when it is scored, in pixels."""


@dataclass(frozen=True)
class Result:
    """One trained and scored run."""

    variant: str
    seed: int
    budget: Budget
    scores: dict[str, dict[str, float]]
    """J&F, J and F, in [0, 1], by the name of what was scored."""
    minutes: float
    """Of training since it was started or resumed, on one CPU thread."""
    loss: float | None
    """Cross-entropy plus dice over the last steps; None if none was left to train."""


def run_variant(
    name: str,
    seed: int,
    budget: Budget,
    out: Path,
    *,
    videos: Path | None,
    photos: Path | None,
    tests: dict[str, tuple[VideoInfo, ...]],
    watch: Callable[[Progress], None] = lambda progress: None,
) -> Result:
    """Train a variant into `out/NAME/seedN` and score it on `tests`; what is there already is not made again.

    Killed, it goes on from its last checkpoint. `videos`, `photos`: as `devos.training.places.open_folders` takes them.
    """
    variant, home = VARIANTS[name], out / name / f"seed{seed}"
    known = _read(home / RESULT_FILE)
    if known is not None and known.budget == budget:
        return known
    config = ablation(variant.matching, num_steps=budget.num_steps, seed=seed, size=budget.train_size)
    reports: list[Progress] = []

    def keep(progress: Progress) -> None:
        reports.append(progress)
        watch(progress)

    begun = time.perf_counter()
    weights = prepare(config, home, open_folders(videos, photos)).to_the_end(watch=keep)
    minutes = (time.perf_counter() - begun) / 60
    scores = {}
    for test, clips in tests.items():
        protocol = choose_protocol(clips)
        predictor = ModelPredictor(load(weights, size=budget.size, flow=variant.flow), protocol)
        scores[test] = asdict(evaluate(clips, predictor, protocol, workers=1).means)
    loss = statistics.fmean(report.entropy + report.dice for report in reports[-5:]) if reports else None
    result = Result(name, seed, budget, scores, round(minutes, 2), loss and round(loss, 4))
    write_json(home / RESULT_FILE, asdict(result))
    return result


def read_results(out: Path) -> list[Result]:
    """Every finished run below a folder, in the order of `VARIANTS` and of the seeds."""
    found = (_read(path) for path in sorted(out.glob(f"*/seed*/{RESULT_FILE}")))
    order = list(VARIANTS)
    return sorted((r for r in found if r is not None), key=lambda r: (order.index(r.variant), r.seed))


def table(results: Sequence[Result]) -> str:
    """Markdown: mean and standard deviation over the seeds of J&F in percent, and what a part's absence costs.

    The difference is taken between runs of the same seed, so that what a seed does to both falls out.
    """
    tests = list(dict.fromkeys(test for result in results for test in result.scores))
    header = [
        "variant",
        "seeds",
        *(f"{test} {what}" for test in tests for what in ("J&F", "less than full")),
        "minutes",
    ]
    rows = [header, ["---", *["---:"] * (len(header) - 1)]]
    whole = {result.seed: result for result in results if result.variant == next(iter(VARIANTS))}
    for name, variant in VARIANTS.items():
        runs = [result for result in results if result.variant == name]
        if not runs:
            continue
        cells = [variant.title, str(len(runs))]
        for test in tests:
            cells.append(_spread([100 * run.scores[test]["jf"] for run in runs]))
            pairs = [(run, whole[run.seed]) for run in runs if run.seed in whole and name != next(iter(VARIANTS))]
            losses = [100 * (full.scores[test]["jf"] - run.scores[test]["jf"]) for run, full in pairs]
            cells.append(_spread(losses, sign="+") if losses else "")
        cells.append(f"{statistics.fmean(run.minutes for run in runs):.1f}")
        rows.append(cells)
    return "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"


def _spread(values: Sequence[float], sign: str = "") -> str:
    mean = f"{statistics.fmean(values):{sign}.1f}"
    return f"{mean} ± {statistics.stdev(values):.1f}" if len(values) > 1 else mean


def _read(path: Path) -> Result | None:
    if not path.is_file():
        return None
    fields = json.loads(path.read_text())
    return Result(**{**fields, "budget": Budget(**fields["budget"])})
