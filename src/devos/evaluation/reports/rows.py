"""Scores as plain dictionaries, for JSON, as rows, for CSV, and as a table for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.table import Table

from devos.data.catalog import VideoInfo
from devos.evaluation.benchmark import Scores
from devos.evaluation.measures.metrics import Statistics
from devos.evaluation.measures.stability import StabilityScore
from devos.evaluation.measures.swaps import SwapScore
from devos.evaluation.reports.worst import Lapses
from devos.evaluation.rules.quality import Means, ObjectQuality, SequenceScore

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

    def names(self, score: SequenceScore, frames: Iterable[int]) -> list[str]:
        """The names of frames of a sequence, by their indices."""
        stems = self.videos[score.name].stems
        return [stems[frame] for frame in frames]


def by_sequence(scores: Scores) -> dict[str, Any]:
    """Headline figures, then means and objects of each sequence; every figure is a fraction of 1."""
    sequences = {score.name: asdict(_means(score)) | {"objects": _objects(scores, score)} for score in scores.sequences}
    return {**_headline(scores), "sequences": sequences}


def by_object(scores: Scores) -> dict[str, Any]:
    """Headline figures, then the objects right under each sequence; every figure is a fraction of 1."""
    return {**_headline(scores), "sequences": {score.name: _objects(scores, score) for score in scores.sequences}}


def everything(evaluation: Evaluation) -> dict[str, Any]:
    """All figures down to every frame of every object; fractions of 1, frames by their names."""
    report = _headline(evaluation.scores)
    report["sequences"] = {
        score.name: {
            **asdict(_means(score)),
            "skipped": {reason: evaluation.names(score, frames) for reason, frames in score.skipped.items()},
            **({"matches": {str(own): other for own, other in score.matches.items()}} if score.matches else {}),
            "objects": {str(object_id): _all_of(evaluation, score, object_id) for object_id in score.objects},
        }
        for score in evaluation.scores.sequences
    }
    return report


def sequence_rows(evaluation: Evaluation) -> Iterator[Row]:
    """A row for each sequence: its means over objects, and how often objects swapped if that was counted."""
    region, boundary = evaluation.scores.measures[:2]
    for score in evaluation.scores.sequences:
        means = _means(score)
        frames = {frame for quality in score.objects.values() for frame in quality.frames}
        row: Row = {"sequence": score.name, "objects": len(score.objects), "frames": len(frames)}
        row |= {f"{region}&{boundary}": means.jf, region: means.j, boundary: means.f}
        if evaluation.swaps is not None and score.name in evaluation.swaps:
            row |= {"swaps": evaluation.swaps[score.name].swaps}
        yield row


def object_rows(evaluation: Evaluation) -> Iterator[Row]:
    """A row for each object of each sequence; what was not measured has no column, or an empty cell."""
    region, boundary = evaluation.scores.measures[:2]
    for score in evaluation.scores.sequences:
        for object_id, quality in score.objects.items():
            row: Row = {"sequence": score.name, "object": object_id, "frames": len(quality.frames)}
            row[f"{region}&{boundary}"] = Means.of([quality]).jf
            for measure, statistics in measured(evaluation.scores, quality).items():
                row |= {f"{measure}_{name}": value for name, value in _summary(statistics).items()}
            row |= quality.extras
            for kind, figures in _further(evaluation, score, object_id).items():
                row |= {f"{kind}_{name}": value for name, value in figures.items()}
            yield row


def frame_rows(evaluation: Evaluation) -> Iterator[Row]:
    """A row for each object on each evaluated frame, by sequence, frame and object."""
    for score in evaluation.scores.sequences:
        stems = evaluation.videos[score.name].stems
        rows: list[tuple[int, int, Row]] = []
        for object_id, quality in score.objects.items():
            measures = measured(evaluation.scores, quality)
            for place, frame in enumerate(quality.frames):
                values = {name: statistics.values[place] for name, statistics in measures.items()}
                row: Row = {"sequence": score.name, "frame": stems[frame], "object": object_id, **values}
                rows.append((frame, object_id, row))
        yield from (row for _, _, row in sorted(rows, key=lambda entry: entry[:2]))


def table(scores: Scores) -> Table:
    """A row for each object, one for each sequence of several, and the means last; in percent."""
    region, boundary = scores.measures[:2]
    extras = ", ".join(f"{name} {100 * value:.1f}" for name, value in scores.extras.items())
    grid = Table(title=f"protocol {scores.protocol}, in percent", caption=extras or None)
    grid.add_column("sequence", no_wrap=True)
    headings = [f"{measure}{of}" for measure in (region, boundary) for of in ("", " recall", " decay")]
    for heading in ("object", f"{region}&{boundary}", *headings):
        grid.add_column(heading, justify="right")
    for score in scores.sequences:
        for object_id, quality in score.objects.items():
            grid.add_row(score.name, str(object_id), *_cells([quality], Means.of([quality])))
        if len(score.objects) > 1:
            cells = _cells(list(score.objects.values()), _means(score))
            grid.add_row(score.name, "mean", *cells, style="italic")
    grid.add_section()
    grid.add_row("all", "mean", *_cells(scores.objects, scores.means), style="bold")
    return grid


def measured(scores: Scores, quality: ObjectQuality) -> dict[str, Statistics]:
    """What was measured of an object, by the names that the protocol has for it; J and F by most."""
    return dict(zip(scores.measures, (quality.region, quality.boundary, *quality.others.values()), strict=True))


def _headline(scores: Scores) -> dict[str, Any]:
    notes = [note for score in scores.sequences for note in score.notes]
    headline = {"protocol": str(scores.protocol), **asdict(scores.means)}
    return headline | ({"extras": scores.extras} if scores.extras else {}) | {"warnings": notes}


def _objects(scores: Scores, score: SequenceScore) -> dict[str, Any]:
    return {
        str(object_id): {name: _summary(statistics) for name, statistics in measured(scores, quality).items()}
        | quality.extras
        for object_id, quality in score.objects.items()
    }


def _all_of(evaluation: Evaluation, score: SequenceScore, object_id: int) -> dict[str, Any]:
    quality = score.objects[object_id]
    return {
        **{
            name: {**_summary(statistics), "values": list(statistics.values)}
            for name, statistics in measured(evaluation.scores, quality).items()
        },
        "frames": evaluation.names(score, quality.frames),
        **({} if quality.seen is None else {"seen": quality.seen}),
        **quality.extras,
        **_further(evaluation, score, object_id),
    }


def _further(evaluation: Evaluation, score: SequenceScore, object_id: int) -> dict[str, dict[str, Any]]:
    """What was found of an object beyond what its protocol measures."""
    further: dict[str, dict[str, Any]] = {}
    steady = (evaluation.stability or {}).get(score.name, {}).get(object_id)
    if steady is not None:
        further["stability"] = asdict(steady) | {"difference": steady.difference}
    counted = (evaluation.swaps or {}).get(score.name)
    if counted is not None and object_id in counted.objects:
        swapped = counted.objects[object_id]
        further["swaps"] = {
            "count": swapped.swaps,
            "first": None if swapped.first is None else evaluation.names(score, [swapped.first])[0],
            "wrong_frame_share": swapped.wrong_frame_share,
            "wrong_pixel_share": swapped.wrong_pixel_share,
        }
    if evaluation.lapses is not None:
        lapses = evaluation.lapses.get(score.name, {}).get(object_id, Lapses())
        further["lapses"] = {kind: len(frames) for kind, frames in asdict(lapses).items()}
    return further


def _summary(statistics: Statistics) -> dict[str, float]:
    return {"mean": statistics.mean, "recall": statistics.recall, "decay": statistics.decay}


def _means(score: SequenceScore) -> Means:
    return Means.of(score.objects.values())


def _cells(objects: list[ObjectQuality], means: Means) -> list[str]:
    """J&F, then mean, recall and decay of J and of F; recall and decay are means over the objects."""
    cells = [means.jf]
    for mean, statistics in (
        (means.j, [quality.region for quality in objects]),
        (means.f, [quality.boundary for quality in objects]),
    ):
        recall = sum(one.recall for one in statistics) / len(statistics)
        decay = sum(one.decay for one in statistics) / len(statistics)
        cells += [mean, recall, decay]
    return [f"{100 * cell:.1f}" for cell in cells]
