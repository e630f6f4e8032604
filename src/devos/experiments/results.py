"""What runs of a comparison leave on the disk, how they are scored, and the table over their seeds."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from devos.data.catalog import VideoInfo
from devos.engine.segmenter import load
from devos.errors import InputError
from devos.evaluation.benchmark import evaluate
from devos.evaluation.predictors import ModelPredictor
from devos.evaluation.scoring import choose_protocol
from devos.io.files import write_json
from devos.project.content import DAMAGED
from devos.training.loop import Progress

RESULT_FILE = "result.json"
"""In a run's folder: its scores, once it is done."""

Tests = Mapping[str, tuple[VideoInfo, ...]]
"""Videos to score on, each set by its name."""


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What every run of a comparison gets alike."""

    num_steps: int = 300
    """Of all phases together."""
    train_size: int = 160
    """Side of the clips, in pixels."""
    size: int = 256
    """Shorter side at which the network works when it is scored, in pixels."""
    model: str = "devos-t"


@dataclass(frozen=True)
class Result:
    """One trained and scored run."""

    variant: str
    seed: int
    budget: Budget
    scores: dict[str, dict[str, float]]
    """J&F, J and F, in [0, 1], by the name of what was scored."""
    minutes: float
    """Of training since it was started or resumed."""
    loss: float | None
    """Cross-entropy plus dice over the last steps; None if none was left to train."""


@dataclass(frozen=True)
class Row:
    """A line of a table."""

    variant: str
    title: str
    beside: str | None = None
    """The variant that it is compared with."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """The column beside each J&F: how a row differs from the one that it is compared with."""

    heading: str
    is_gain: bool
    """Whether it is the row's J&F less the other's; else the other's less the row's."""


def home_of(out: Path, variant: str, seed: int) -> Path:
    """A run's folder."""
    return out / variant / f"seed{seed}"


def find_result(out: Path, variant: str, seed: int, budget: Budget) -> Result | None:
    """A run's result, if it was finished with that budget."""
    known = _read(home_of(out, variant, seed) / RESULT_FILE)
    return known if known is not None and known.budget == budget else None


def score(
    weights: Path, tests: Tests, *, size: int, flow: str = "dis", device: str = "cpu"
) -> dict[str, dict[str, float]]:
    """J&F, J and F, in [0, 1], of a network on each set of videos; it works at a shorter side of `size` pixels."""
    scores = {}
    for test, clips in tests.items():
        protocol = choose_protocol(clips)
        # What is compared should not depend on whether the processor computes in 8-bit numbers.
        network = load(weights, size=size, flow=flow, device=device, precision="float32")
        predictor = ModelPredictor(network, protocol)
        scores[test] = asdict(evaluate(clips, predictor, protocol, workers=1).means)
    return scores


def keep_result(result: Result, out: Path) -> Result:
    """Write a run's result into its folder, and give it back."""
    home = home_of(out, result.variant, result.seed)
    home.mkdir(parents=True, exist_ok=True)
    write_json(home / RESULT_FILE, asdict(result))
    return result


def read_results(out: Path) -> list[Result]:
    """Every finished run below a folder."""
    found = (_read(path) for path in sorted(out.glob(f"*/seed*/{RESULT_FILE}")))
    return [result for result in found if result is not None]


class LastLoss:
    """Takes note of a run's loss: a `watch` of training."""

    def __init__(self, watch: Callable[[Progress], None]) -> None:
        self._watch = watch
        self._reports: list[Progress] = []

    def __call__(self, progress: Progress) -> None:
        """Take note, and pass it on."""
        self._reports.append(progress)
        self._watch(progress)

    @property
    def value(self) -> float | None:
        """Cross-entropy plus dice, the mean of the last five reports; None if there was none."""
        if not self._reports:
            return None
        return round(statistics.fmean(report.entropy + report.dice for report in self._reports[-5:]), 4)


def table(results: Sequence[Result], rows: Sequence[Row], difference: Difference) -> str:
    """Markdown: mean and standard deviation over the seeds of J&F in percent, and how far a row is from another.

    The difference is taken between runs of the same seed, so that what a seed does to both falls out. Rows without runs
    are left out.
    """
    tests = list(dict.fromkeys(test for result in results for test in result.scores))
    header = ["variant", "seeds", *(f"{test} {what}" for test in tests for what in ("J&F", difference.heading)),
              "minutes"]  # fmt: skip
    lines = [header, ["---", *["---:"] * (len(header) - 1)]]
    for row in rows:
        runs = {result.seed: result for result in results if result.variant == row.variant}
        others = {result.seed: result for result in results if result.variant == row.beside}
        if not runs:
            continue
        cells = [row.title, str(len(runs))]
        for test in tests:
            cells.append(_spread([100 * run.scores[test]["jf"] for run in runs.values()]))
            gains = [100 * (run.scores[test]["jf"] - others[seed].scores[test]["jf"]) for seed, run in runs.items()
                     if seed in others]  # fmt: skip
            cells.append(_spread([gain if difference.is_gain else -gain for gain in gains], sign="+") if gains else "")
        cells.append(f"{statistics.fmean(run.minutes for run in runs.values()):.1f}")
        lines.append(cells)
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _spread(values: Sequence[float], sign: str = "") -> str:
    mean = f"{statistics.fmean(values):{sign}.1f}"
    return f"{mean} ± {statistics.stdev(values):.1f}" if len(values) > 1 else mean


def _read(path: Path) -> Result | None:
    if not path.is_file():
        return None
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        result = Result(**{**fields, "budget": Budget(**fields["budget"]), "scores": checked_scores(fields["scores"])})
        if not isinstance(result.variant, str) or type(result.seed) is not int:
            raise ValueError("its variant or its seed is none")
        checked_number(result.minutes), result.loss is None or checked_number(result.loss)
    except DAMAGED as error:
        raise InputError(f"{path} is no result of a run ({str(error)[:80]}); remove it, and the run is made again"
                         ) from error  # fmt: skip
    return result


def checked_scores(scores: Any) -> dict[str, dict[str, float]]:
    """J&F, J and F by the name of what was scored; ValueError or another of `DAMAGED` for anything else."""
    return {name: {**means, **{key: checked_number(means[key]) for key in ("jf", "j", "f")}}
            for name, means in scores.items()}  # fmt: skip


def checked_number(value: Any) -> float:
    """The same; ValueError for what is no number, or not finite."""
    if type(value) not in (int, float) or not math.isfinite(value):
        raise ValueError(f"{str(value)[:40]!r} is no number")
    return float(value)
