"""J&F against training steps and wall time: the snapshots of one run, or of several that went on from each other."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from devos.data.catalog import VideoInfo
from devos.engine.segmenter import load
from devos.errors import InputError, OptionError
from devos.evaluation.benchmark import Scores, evaluate
from devos.evaluation.figures.curve import CurvePoint
from devos.evaluation.job import digest
from devos.evaluation.predictors import ModelPredictor
from devos.evaluation.rules.quality import Means
from devos.evaluation.scoring import choose_protocol
from devos.experiments.results import checked_number, checked_scores
from devos.io.files import replacing, write_json
from devos.model.checkpoint import read_weights
from devos.project.content import DAMAGED
from devos.training.record import LOG_FILE

FORMAT = 1
"""Of the record. Raise it when its entries change their meaning."""

Roots = Mapping[str, tuple[VideoInfo, ...]]
"""What is scored on: sets of videos by their names."""
Settings = Mapping[str, Any]
"""Of the network, as `devos.load` takes them: size, flow, runtime, device."""


@dataclass(frozen=True)
class Snapshot:
    """Weights from some step of a run, and where that lies in a row of runs."""

    run: str
    """The name of the run's folder."""
    weights: Path
    sha256: str
    step: int
    """Of its own run."""
    steps: int
    """Of all runs up to there."""
    minutes: float
    """The same in time: that of training steps, without checkpoints and validation, as the log has it."""
    began: float
    """The minutes at which its own run began."""


@dataclass(frozen=True)
class Run:
    """A run's folder, and the step at which the next run took its weights; None for its end."""

    folder: Path
    until: int | None = None


def parse_run(words: str) -> Run:
    """A run from `FOLDER` or `FOLDER@STEP`, where a next run went on from an earlier snapshot than the last."""
    matched = re.fullmatch(r"(.+)@(\d+)", words)
    if matched is None or Path(words).exists():
        return Run(Path(words))
    return Run(Path(matched[1]), int(matched[2]))


def snapshots(runs: Sequence[Run], every: int = 1) -> list[Snapshot]:
    """The snapshots of runs that went on from each other, in order; steps and minutes add up.

    `every`: only those at a multiple of so many steps of their run, and the last of each. InputError for a folder
    that is no run's, or in which there is no snapshot.
    """
    found: list[Snapshot] = []
    steps, minutes = 0, 0.0
    for run in runs:
        clock = _Clock(_log(run.folder))
        weights = _weights(run)
        if not weights:
            raise InputError(f"{run.folder} holds no weights"
                             + (f" of step {run.until} or earlier" if run.until else "")
                             + "; expected files such as devos-t-000100.safetensors")  # fmt: skip
        end = run.until or max(clock.last, max(weights))
        for step in sorted(weights):
            if step % every == 0 or step == max(weights):
                path, sha256 = weights[step]
                found.append(Snapshot(run.folder.resolve().name, path, sha256, step, steps + step,
                                      minutes + clock.minutes(step), minutes))  # fmt: skip
        steps, minutes = steps + end, minutes + clock.minutes(end)
    return found


def _weights(run: Run) -> dict[int, tuple[Path, str]]:
    """Weights and their SHA-256 by their step: MODEL-000100.safetensors, ..., and MODEL.safetensors, the last ones."""
    found = {}
    for path in sorted(run.folder.glob("*.safetensors")):
        held = read_weights(path)
        step = held.info.get("step")
        if not isinstance(step, int) or path.stem not in (held.config.name, f"{held.config.name}-{step:06d}"):
            continue  # somebody's own, such as a mean of several
        if run.until is None or step <= run.until:
            found[step] = (path, held.sha256)
    return found


def _log(folder: Path) -> list[tuple[int, float]]:
    """(step, seconds a step since the one before) of each report."""
    path = folder / LOG_FILE
    if not path.is_file():
        below = sorted(log.parent for log in folder.glob(f"*/{LOG_FILE}")) if folder.is_dir() else []
        phases = f"its phases, in their order: {', '.join(map(str, below))}"
        raise InputError(f"{folder} is no run's folder, for it has no {LOG_FILE}; give "
                         f"{phases if below else 'what `devos train --out` wrote'}")  # fmt: skip
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = [(int(row["step"]), float(row["seconds_per_step"])) for row in csv.DictReader(file)]
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} is no log of `devos train` ({error!r}); name the folder of a run") from error
    if not rows:
        raise InputError(f"{path} has no row yet; come back after the first report")
    return rows


class _Clock:
    """How long training had taken at a step."""

    def __init__(self, log: Sequence[tuple[int, float]]) -> None:
        self._log = log
        self.last = log[-1][0]

    def minutes(self, step: int) -> float:
        """At the pace of each stretch; behind the last one, at its pace."""
        seconds, before = 0.0, 0
        for after, pace in self._log:
            seconds += pace * (min(after, step) - before)
            before = after
            if after >= step:
                return seconds / 60
        return (seconds + self._log[-1][1] * (step - before)) / 60


class Record:
    """What was scored so far, in a file: a snapshot that is in it is not scored again.

    OptionError if the file's scores were made with other settings, or on other videos of the same name.
    """

    def __init__(self, path: Path, roots: Roots, settings: Settings) -> None:
        self._path = path
        own = {"format": FORMAT, "settings": dict(settings), "roots": {n: digest(v) for n, v in roots.items()}}
        self._content: dict[str, Any] = {**own, "scores": {}}
        if path.is_file():
            self._content = _read(path)
            self._check(own)
            self._content["roots"] |= own["roots"]

    def _check(self, own: dict[str, Any]) -> None:
        known = self._content
        for what in ("format", "settings"):
            if known[what] != own[what]:
                raise OptionError(f"{self._path} has scores of other {what} ({str(known[what])[:80]} there, {own[what]}"
                                  " here); write to another place with --out")  # fmt: skip
        changed = [name for name, sha256 in own["roots"].items() if known["roots"].get(name, sha256) != sha256]
        if changed:
            raise OptionError(f"{self._path} has scores on other videos called {changed[0]}; give these another name "
                              "(NAME=ROOT), or write to another place with --out")  # fmt: skip

    def use(self, settings: Mapping[str, Any]) -> None:
        """Take note of what `auto` and defaults came to; OptionError if earlier scores were made otherwise."""
        used = json.loads(json.dumps(settings))
        known = self._content.setdefault("used", used)
        other = [f"{name} {known.get(name)!r} then, {used.get(name)!r} now" for name in {**known, **used}
                 if known.get(name) != used.get(name)]  # fmt: skip
        if other:
            raise OptionError(f"{self._path} has scores that were made with {'; '.join(other)}; write to another place "
                              "with --out, or remove it to score all anew")  # fmt: skip

    def find(self, snapshot: Snapshot, root: str) -> dict[str, Any] | None:
        """J&F, J, F and J&F of each sequence, in [0, 1]; None if it is still to be scored."""
        found: dict[str, Any] | None = self._content["scores"].get(snapshot.sha256, {}).get(root)
        return found

    def keep(self, snapshot: Snapshot, root: str, scores: Scores) -> None:
        """Write down a score."""
        sequences = {one.name: Means.of(one.objects.values()).jf for one in scores.sequences}
        entry = self._content["scores"].setdefault(snapshot.sha256, {})
        entry[root] = {**asdict(scores.means), "sequences": sequences}
        write_json(self._path, self._content)


def _read(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if not all(isinstance(content[key], dict) for key in ("settings", "roots", "scores")):
            raise ValueError("an entry is of another kind")
        content["scores"] = {sha256: checked_scores(roots) for sha256, roots in content["scores"].items()}
        for means in (one for roots in content["scores"].values() for one in roots.values()):
            _ = [checked_number(jf) for jf in means["sequences"].values()]
        _ = content["format"], dict(content.get("used", {}))
    except DAMAGED as error:
        raise InputError(f"{path} is no record of `devos figure curve` ({str(error)[:80]}); remove it, or name "
                         "another --out") from error  # fmt: skip
    return content


def score_all(
    found: Sequence[Snapshot], roots: Roots, record: Record, settings: Settings,
    done: Callable[[Snapshot, int], None] = lambda snapshot, left: None,
) -> None:  # fmt: skip
    """Score every snapshot that the record lacks; `done` is told of each, and how many are left. OptionError if `auto`
    now means another runtime than for what was scored before.
    """
    todo = [(one, [name for name in roots if record.find(one, name) is None]) for one in found]
    todo = [(one, names) for one, names in todo if names]
    for number, (snapshot, names) in enumerate(todo, start=1):
        segmenter = load(snapshot.weights, **settings)
        record.use(asdict(segmenter.settings))
        for name in names:
            protocol = choose_protocol(roots[name])
            predictor = ModelPredictor(segmenter, protocol)
            record.keep(snapshot, name, evaluate(roots[name], predictor, protocol, workers=1))
        done(snapshot, len(todo) - number)


def points(found: Sequence[Snapshot], roots: Roots, record: Record) -> Iterator[CurvePoint]:
    """What is known of each snapshot that is scored on all roots."""
    for one in found:
        scores = {name: record.find(one, name) for name in roots}
        known = {name: score for name, score in scores.items() if score is not None}
        if len(known) == len(scores):
            yield CurvePoint(one.run, one.weights.name, one.step, one.steps, one.minutes, one.began, known)


def write_csv(rows: Sequence[CurvePoint], path: Path) -> None:
    """A row for each snapshot: where it lies, then J&F, J and F on each root and J&F of each sequence, in [0, 1]."""
    header = ["run", "weights", "step", "steps", "minutes"]
    for name, score in rows[0].scores.items() if rows else ():
        header += [f"{name} {what}" for what in ("J&F", "J", "F")] + [f"{name}/{one}" for one in score["sequences"]]
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        for row in rows:
            cells: list[object] = [row.run, row.weights, row.step, row.steps, f"{row.minutes:.2f}"]
            for score in row.scores.values():
                cells += [f"{v:.5f}" for v in (score["jf"], score["j"], score["f"], *score["sequences"].values())]
            writer.writerow(cells)
