"""Scores as plain dictionaries, for JSON, and as a table for people."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rich.table import Table

from devos.evaluation.benchmark import Means, Scores
from devos.evaluation.metrics import Statistics
from devos.evaluation.scoring import ObjectQuality, SequenceScore


def by_sequence(scores: Scores) -> dict[str, Any]:
    """Headline figures, then means and objects of each sequence; every figure is a fraction of 1."""
    return {
        **_headline(scores),
        "sequences": {score.name: asdict(_means(score)) | {"objects": _objects(score)} for score in scores.sequences},
    }


def by_object(scores: Scores) -> dict[str, Any]:
    """Headline figures, then the objects right under each sequence; every figure is a fraction of 1."""
    return {**_headline(scores), "sequences": {score.name: _objects(score) for score in scores.sequences}}


def table(scores: Scores) -> Table:
    """A row for each object, one for each sequence of several, and the means last; in percent."""
    grid = Table(title=f"protocol {scores.protocol}, in percent")
    grid.add_column("sequence", no_wrap=True)
    for heading in ("object", "J&F", "J", "J recall", "J decay", "F", "F recall", "F decay"):
        grid.add_column(heading, justify="right")
    for score in scores.sequences:
        for object_id, quality in score.objects.items():
            grid.add_row(score.name, str(object_id), *_cells([quality]))
        if len(score.objects) > 1:
            grid.add_row(score.name, "mean", *_cells(list(score.objects.values())), style="italic")
    grid.add_section()
    grid.add_row("all", "mean", *_cells(scores.objects), style="bold")
    return grid


def _headline(scores: Scores) -> dict[str, Any]:
    notes = [note for score in scores.sequences for note in score.notes]
    return {"protocol": str(scores.protocol), **asdict(scores.means), "warnings": notes}


def _objects(score: SequenceScore) -> dict[str, Any]:
    return {
        str(object_id): {"J": _summary(quality.region), "F": _summary(quality.boundary)}
        for object_id, quality in score.objects.items()
    }


def _summary(statistics: Statistics) -> dict[str, float]:
    return {"mean": statistics.mean, "recall": statistics.recall, "decay": statistics.decay}


def _means(score: SequenceScore) -> Means:
    return Means.of(score.objects.values())


def _cells(objects: list[ObjectQuality]) -> list[str]:
    """J&F, then mean, recall and decay of J and of F, each the mean over the objects."""
    cells = [f"{100 * Means.of(objects).jf:.1f}"]
    for statistics in ([quality.region for quality in objects], [quality.boundary for quality in objects]):
        rows = [(one.mean, one.recall, one.decay) for one in statistics]
        cells += [f"{100 * sum(column) / len(rows):.1f}" for column in zip(*rows, strict=True)]
    return cells
