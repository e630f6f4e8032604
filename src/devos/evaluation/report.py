"""Scores as plain dictionaries, for JSON, as rows, for CSV, and as a table for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.table import Table

from devos.data.catalog import VideoInfo
from devos.evaluation.benchmark import Means, Scores
from devos.evaluation.metrics import Statistics
from devos.evaluation.scoring import ObjectQuality, SequenceScore
from devos.evaluation.stability import StabilityScore
from devos.evaluation.swaps import SwapScore
from devos.evaluation.worst import Lapses

Row = dict[str, object]
"""A line of a CSV by the names of its columns."""


@dataclass(frozen=True)
class Evaluation:
    """Scores, with all else that is known of what was scored."""

    scores: Scores
    videos: Mapping[str, VideoInfo]
    """By name; every scored sequence is among them."""
    predicted: Path | None = None
    """Folder PREDICTED/SEQUENCE/FRAME.png of the label maps that were scored; None if they were not kept."""
    run: Mapping[str, Any] = field(default_factory=dict)
    """What the scores were made with."""
    stability: Mapping[str, Mapping[int, StabilityScore]] | None = None
    """By sequence and object; None if it was not measured."""
    swaps: Mapping[str, SwapScore] | None = None
    """By sequence; None if they were not counted."""
    lapses: Mapping[str, Mapping[int, Lapses]] | None = None
    """By sequence and object, only those that have any; None where the predicted masks are not at hand."""

    def frames_not_scored(self, score: SequenceScore) -> list[int]:
        """Indices of the frames of a sequence on which no object is scored."""
        scored = {frame for quality in score.objects.values() for frame in quality.frames}
        return [frame for frame in range(self.videos[score.name].num_frames) if frame not in scored]

    def warnings(self, score: SequenceScore) -> list[str]:
        """What a reader of a sequence's figures has to know, a sentence each."""
        lapses = {} if self.lapses is None else self.lapses.get(score.name, {})
        missing = [str(object_id) for object_id, lapse in lapses.items() if lapse.missing]
        told = [f"{score.name}: no scored frame has anything predicted for object ids {', '.join(missing)}"]
        return [*score.notes, *(told if missing else [])]


def everything(evaluation: Evaluation) -> dict[str, Any]:
    """All figures down to every frame of every object; fractions of 1, frames by their names."""
    report = _headline(evaluation.scores)
    report["warnings"] = [note for score in evaluation.scores.sequences for note in evaluation.warnings(score)]
    report["sequences"] = {
        score.name: asdict(_means(score))
        | {"frames_not_scored": _names(evaluation, score, evaluation.frames_not_scored(score))}
        | {"objects": {str(object_id): _all_of(evaluation, score, object_id) for object_id in score.objects}}
        for score in evaluation.scores.sequences
    }
    return report


def sequence_rows(evaluation: Evaluation) -> Iterator[Row]:
    """A row for each sequence: its means over objects, and how often objects swapped if that was counted."""
    for score in evaluation.scores.sequences:
        means = _means(score)
        frames = {frame for quality in score.objects.values() for frame in quality.frames}
        row: Row = {"sequence": score.name, "objects": len(score.objects), "frames": len(frames)}
        row |= {"J&F": means.jf, "J": means.j, "F": means.f}
        if evaluation.swaps is not None and score.name in evaluation.swaps:
            row |= {"swaps": evaluation.swaps[score.name].swaps}
        yield row


def object_rows(evaluation: Evaluation) -> Iterator[Row]:
    """A row for each object of each sequence; what was not measured has no column, or an empty cell."""
    for score in evaluation.scores.sequences:
        for object_id, quality in score.objects.items():
            row: Row = {"sequence": score.name, "object": object_id, "frames": len(quality.frames)}
            row["J&F"] = Means.of([quality]).jf
            for measure, statistics in (("J", quality.region), ("F", quality.boundary)):
                row |= {f"{measure}_{name}": value for name, value in _summary(statistics).items()}
            for kind, figures in _further(evaluation, score.name, object_id).items():
                row |= {f"{kind}_{name}": value for name, value in figures.items()}
            yield row


def frame_rows(evaluation: Evaluation) -> Iterator[Row]:
    """A row for each object on each evaluated frame, by sequence, frame and object."""
    for score in evaluation.scores.sequences:
        stems = evaluation.videos[score.name].stems
        rows = [
            (frame, object_id, region, boundary)
            for object_id, quality in score.objects.items()
            for frame, region, boundary in zip(
                quality.frames, quality.region.values, quality.boundary.values, strict=True
            )
        ]
        for frame, object_id, region, boundary in sorted(rows):
            yield {"sequence": score.name, "frame": stems[frame], "object": object_id, "J": region, "F": boundary}


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


def _all_of(evaluation: Evaluation, score: SequenceScore, object_id: int) -> dict[str, Any]:
    quality = score.objects[object_id]
    return {
        "J": _summary(quality.region) | {"values": list(quality.region.values)},
        "F": _summary(quality.boundary) | {"values": list(quality.boundary.values)},
        "frames": _names(evaluation, score, quality.frames),
        **_further(evaluation, score.name, object_id),
    }


def _names(evaluation: Evaluation, score: SequenceScore, frames: Iterable[int]) -> list[str]:
    stems = evaluation.videos[score.name].stems
    return [stems[frame] for frame in frames]


def _further(evaluation: Evaluation, name: str, object_id: int) -> dict[str, dict[str, Any]]:
    """What was measured of an object beyond J and F."""
    stems = evaluation.videos[name].stems
    further: dict[str, dict[str, Any]] = {}
    if evaluation.stability is not None and object_id in evaluation.stability.get(name, {}):
        steady = evaluation.stability[name][object_id]
        further["stability"] = asdict(steady) | {"difference": steady.difference}
    if evaluation.swaps is not None and name in evaluation.swaps and object_id in evaluation.swaps[name].objects:
        swapped = evaluation.swaps[name].objects[object_id]
        further["swaps"] = {
            "count": swapped.swaps,
            "first": None if swapped.first is None else stems[swapped.first],
            "wrong_frame_share": swapped.wrong_frame_share,
            "wrong_pixel_share": swapped.wrong_pixel_share,
        }
    if evaluation.lapses is not None:
        lapses = evaluation.lapses.get(name, {}).get(object_id, Lapses())
        counts = {"lost": lapses.lost, "elsewhere": lapses.elsewhere, "invented": lapses.invented}
        further["lapses"] = {kind: len(frames) for kind, frames in counts.items()}
    return further


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
