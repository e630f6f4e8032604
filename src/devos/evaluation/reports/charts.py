"""The values of one object over time, as the parts of a small SVG chart that stretches to any width."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from devos.evaluation.measures.metrics import Statistics
from devos.evaluation.rules.quality import ObjectQuality

MOST_COLUMNS = 120
"""Into how many columns, each with its figures to read, a chart is divided at most."""


@dataclass(frozen=True)
class Column:
    """A stretch of frames of a chart, to point at."""

    x: float
    width: int
    text: str


@dataclass(frozen=True)
class Chart:
    """One object's J and F; x is the frame's index, y runs from 0 (value 1, at the top) to 100 (value 0)."""

    region: str
    """The line of J, as the `d` of an SVG path; broken where frames were not evaluated."""
    boundary: str
    """The line of F."""
    columns: tuple[Column, ...]
    last: int
    """Index of the sequence's last frame, which is how wide the chart is; at least 1."""
    ticks: tuple[str, ...]
    """Names of the first, the middle and the last frame."""


def draw_chart(quality: ObjectQuality, names: Sequence[str], measures: Sequence[str]) -> Chart:
    """The chart of one object of a sequence; `names` of its frames, `measures` what J and F are called."""
    last = max(1, len(names) - 1)
    return Chart(
        region=_path(quality.frames, quality.region),
        boundary=_path(quality.frames, quality.boundary),
        columns=tuple(_columns(quality, names, measures)),
        last=last,
        ticks=(names[0], names[(len(names) - 1) // 2], names[-1]),
    )


def _path(frames: Sequence[int], statistics: Statistics) -> str:
    """A line through the values; a frame whose neighbours were not evaluated becomes a dot."""
    points = [(frame, f"{100 - 100 * value:.4g}") for frame, value in zip(frames, statistics.values, strict=True)]
    step = min((later - sooner for sooner, later in itertools.pairwise(frames)), default=1)
    parts = []
    for position, (frame, y) in enumerate(points):
        joined = position > 0 and frame - points[position - 1][0] == step
        parts.append(f"L{frame} {y}" if joined else f"M{frame} {y}h0")
    return "".join(parts)


def _columns(quality: ObjectQuality, names: Sequence[str], measures: Sequence[str]) -> Iterable[Column]:
    """The evaluated frames, some together where there are more than can be pointed at."""
    values = list(zip(quality.frames, quality.region.values, quality.boundary.values, strict=True))
    together = -(-len(values) // MOST_COLUMNS)
    for start in range(0, len(values), together):
        group = values[start : start + together]
        first, final = group[0][0], group[-1][0]
        region, boundary = (100 * sum(column) / len(group) for column in list(zip(*group, strict=True))[1:])
        named = names[first] if first == final else f"{names[first]} to {names[final]}, mean"
        yield Column(
            first - 0.5, final - first + 1, f"{named}: {measures[0]} {region:.1f}, {measures[1]} {boundary:.1f}"
        )
