"""The report of an evaluation as one web page that needs nothing else: figures, values over time, worst frames."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from jaxtyping import UInt8

from devos.data.catalog import VideoInfo, read_picture
from devos.evaluation.measures.pairs import saved_pair
from devos.evaluation.measures.stability import StabilityScore
from devos.evaluation.measures.swaps import ObjectSwaps
from devos.evaluation.reports.charts import Chart, draw_chart
from devos.evaluation.reports.panels import OUTCOME_COLOURS, Panel, Tally, draw_panels, outcomes, tally
from devos.evaluation.reports.rows import Evaluation
from devos.evaluation.reports.worst import Lapses, frame_values, worst_frames
from devos.evaluation.rules.quality import Means, ObjectQuality, SequenceScore
from devos.io.drawing import colour_of

if TYPE_CHECKING:
    from jinja2 import Template

MOST_SEQUENCES = 30
"""Of how many sequences, the worst ones, the page has charts and pictures; the tables have all."""
FRAMES_SHOWN = 3
"""How many of its worst frames are shown of a sequence."""

_TEMPLATE = "report.html.jinja"
_MOST_SPANS = 6
_NO_SETTINGS = ("format", "method", "means", "objects")
"""Entries of a run that stand elsewhere on the page: its heading and its figures."""


@dataclass(frozen=True)
class ObjectView:
    """One object of a sequence, as the page shows it."""

    id: int
    colour: str
    means: Means
    quality: ObjectQuality
    stability: StabilityScore | None
    swaps: ObjectSwaps | None
    lapses: Lapses | None
    chart: Chart | None
    """None where the sequence is not shown in full."""
    remarks: tuple[str, ...]
    """What went wrong with it, in words."""


@dataclass(frozen=True)
class FrameView:
    """One of the worst frames of a sequence."""

    index: int
    name: str
    value: float
    objects: tuple[tuple[int, str, float, float], ...]
    """Id, colour, J and F of each object that is evaluated on it."""
    panels: tuple[Panel, ...]
    tally: Tally | None
    """None where the prediction is not at hand."""


@dataclass(frozen=True)
class SequenceView:
    """One sequence, as the page shows it."""

    anchor: str
    name: str
    means: Means
    num_frames: int
    num_scored: int
    skipped: tuple[tuple[str, str], ...]
    """Why frames are not scored, and their names."""
    warnings: tuple[str, ...]
    objects: tuple[ObjectView, ...]
    frames: tuple[FrameView, ...]
    is_shown: bool
    """With charts and pictures."""

    @property
    def num_swaps(self) -> int:
        """Identity swaps of all its objects; 0 where they were not counted."""
        return sum(view.swaps.swaps for view in self.objects if view.swaps is not None)

    @property
    def num_lost(self) -> int:
        """How many of its objects are lost on some frame."""
        return sum(bool(view.lapses and view.lapses.lost) for view in self.objects)


def render_page(evaluation: Evaluation) -> str:
    """The page as HTML. Reads the pictures and masks of the worst frames of at most `MOST_SEQUENCES` sequences."""
    views = list(_sequences(evaluation))
    return _template().render(
        evaluation=evaluation,
        means=evaluation.scores.means,
        steadiness=_steadiness(evaluation),
        num_swaps=None if evaluation.swaps is None else sum(score.swaps for score in evaluation.swaps.values()),
        has_lapses=evaluation.lapses is not None,
        warnings=[note for score in evaluation.scores.sequences for note in score.notes],
        measures=evaluation.scores.measures,
        extras=evaluation.scores.extras,
        protocol=str(evaluation.scores.protocol),
        settings=list(_settings({key: value for key, value in evaluation.run.items() if key not in _NO_SETTINGS})),
        sequences=views,
        shown=sorted((view for view in views if view.is_shown), key=lambda view: view.means.jf),
        outcome_colours={kind.name.lower(): _hex(colour) for kind, colour in OUTCOME_COLOURS.items()},
        frames_shown=FRAMES_SHOWN,
    )


@functools.cache
def _template() -> Template:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"percent": _percent, "points": _points}
    source = resources.files("devos.evaluation.reports").joinpath(_TEMPLATE).read_text(encoding="utf-8")
    return environment.from_string(source)


def _steadiness(evaluation: Evaluation) -> float | None:
    """Stability of prediction less that of truth, the mean over the objects that have one; None without any."""
    found = [one.difference for objects in (evaluation.stability or {}).values() for one in objects.values()]
    return sum(found) / len(found) if found else None


def _sequences(evaluation: Evaluation) -> Iterator[SequenceView]:
    """Every sequence in the order in which it was given, the worst ones in full."""
    scores = evaluation.scores.sequences
    ranked = sorted(scores, key=lambda score: Means.of(score.objects.values()).jf)
    worst = {score.name for score in ranked[:MOST_SEQUENCES]}
    for number, score in enumerate(scores, start=1):
        is_shown = score.name in worst
        video = evaluation.videos[score.name]
        scored = {frame for quality in score.objects.values() for frame in quality.frames}
        yield SequenceView(
            anchor=f"sequence-{number}",
            name=score.name,
            means=Means.of(score.objects.values()),
            num_frames=video.num_frames,
            num_scored=len(scored),
            skipped=tuple(
                (reason, _spans(frames, range(video.num_frames), video.stems))
                for reason, frames in score.skipped.items()
            ),
            warnings=score.notes,
            objects=tuple(_object(evaluation, score, object_id, is_shown) for object_id in score.objects),
            frames=tuple(_frames(evaluation, score)) if is_shown else (),
            is_shown=is_shown,
        )


def _object(evaluation: Evaluation, score: SequenceScore, object_id: int, is_shown: bool) -> ObjectView:
    stems, quality = evaluation.videos[score.name].stems, score.objects[object_id]
    stability = (evaluation.stability or {}).get(score.name, {}).get(object_id)
    counted = (evaluation.swaps or {}).get(score.name)
    swaps = counted.objects.get(object_id) if counted else None
    lapses = None
    if evaluation.lapses is not None:
        lapses = evaluation.lapses.get(score.name, {}).get(object_id, Lapses())
    return ObjectView(
        id=object_id,
        colour=_hex(colour_of(object_id)),
        means=Means.of([quality]),
        quality=quality,
        stability=stability,
        swaps=swaps,
        lapses=lapses,
        chart=draw_chart(quality, stems, evaluation.scores.measures) if is_shown else None,
        remarks=tuple(_remarks(quality, lapses, swaps, stems)),
    )


def _remarks(
    quality: ObjectQuality, lapses: Lapses | None, swaps: ObjectSwaps | None, stems: Sequence[str]
) -> Iterator[str]:
    kinds = (
        (lapses.lost, "lost, nothing predicted, on"),
        (lapses.elsewhere, "predicted only where it is not on"),
        (lapses.invented, "predicted though not to be seen on"),
    ) if lapses else ()  # fmt: skip
    for frames, text in kinds:
        if frames:
            number = f"{len(frames)} {'frame' if len(frames) == 1 else 'frames'}"
            yield f"{text} {number}: {_spans(frames, quality.frames, stems)}"
    if swaps is not None and swaps.first is not None:
        times = "once" if swaps.swaps == 1 else f"{swaps.swaps} times"
        takers = ", ".join(map(str, swaps.taken_by))
        yield (
            f"swapped {times}, first on frame {stems[swaps.first]}, to id {takers}; "
            f"under a wrong id on {swaps.wrong_frames} of {swaps.frames} frames"
        )


def _frames(evaluation: Evaluation, score: SequenceScore) -> Iterator[FrameView]:
    video, protocol = evaluation.videos[score.name], evaluation.scores.protocol
    values = frame_values(score)
    for index in worst_frames(score, FRAMES_SHOWN):
        truth, predicted = saved_pair(video, evaluation.predicted, index, protocol, score.matches)
        found = None if predicted is None else outcomes(truth, predicted, score.objects)
        yield FrameView(
            index=index,
            name=video.stems[index],
            value=values[index],
            objects=tuple(_values_on(score, index)),
            panels=tuple(draw_panels(_picture(video, index, truth.shape), truth, predicted, found)),
            tally=None if found is None else tally(found),
        )


def _values_on(score: SequenceScore, frame: int) -> Iterator[tuple[int, str, float, float]]:
    for object_id, quality in score.objects.items():
        if frame in quality.frames:
            place = quality.frames.index(frame)
            yield object_id, _hex(colour_of(object_id)), quality.region.values[place], quality.boundary.values[place]


def _picture(video: VideoInfo, frame: int, shape: tuple[int, ...]) -> UInt8[np.ndarray, "h w 3"] | None:
    """The picture of a frame at the size of its masks; None where only masks are known."""
    if not video.frames:
        return None
    picture: np.ndarray = read_picture(video.frames[frame])
    if picture.shape[:2] != shape:
        picture = cv2.resize(picture, (shape[1], shape[0]), interpolation=cv2.INTER_AREA)
    return picture


def _settings(run: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """The entries of a run and of the objects in it, `outer.inner`, as text."""
    for name, value in run.items():
        if isinstance(value, Mapping):
            yield from _settings(value, f"{prefix}{name}.")
        elif isinstance(value, list | tuple):
            yield f"{prefix}{name}", ", ".join(map(str, value))
        elif value is not None:
            yield f"{prefix}{name}", str(value)


def _spans(frames: Sequence[int], among: Sequence[int], stems: Sequence[str]) -> str:
    """Frames that follow each other among others as first to last, by their names: `00003-00007, 00012`."""
    place = {frame: position for position, frame in enumerate(among)}
    groups = [list(group) for _, group in itertools.groupby(enumerate(frames), lambda item: place[item[1]] - item[0])]
    ends = [(stems[group[0][1]], stems[group[-1][1]]) for group in groups]
    spans = [first if first == last else f"{first}\N{EN DASH}{last}" for first, last in ends]
    more = f", and {len(spans) - _MOST_SPANS} more stretches" if len(spans) > _MOST_SPANS else ""
    return ", ".join(spans[:_MOST_SPANS]) + more


def _percent(fraction: float) -> str:
    return _minus(f"{100 * fraction:z.1f}")


def _points(fraction: float) -> str:
    """With its sign, as a difference is told."""
    return _minus(f"{100 * fraction:+z.1f}")


def _minus(text: str) -> str:
    return text.replace("-", "\N{MINUS SIGN}")


def _hex(colour: tuple[int, int, int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)
