"""J&F of a run's snapshots against training steps and against minutes, as one picture."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from devos.evaluation.figures.sheet import FAINT, INK, Rgb, Sheet

_WIDTH, _HEIGHT = 1500, 620
_LEFT, _TOP, _PANEL_WIDTH, _PANEL_HEIGHT, _GAP = 70, 96, 560, 440, 60
_NAMES = 210
"""Pixels beside the second panel, for the names of the lines."""
_LINE_PX = 17
_COLOURS = ("#2f6690", "#b5543b", "#3a7d44", "#8a5a9e", "#b8860b")
_MOST_NAMED = 24
"""With more lines than this, single sequences have no names."""


@dataclass(frozen=True)
class CurvePoint:
    """A snapshot and its scores."""

    run: str
    weights: str
    """The file's name."""
    step: int
    """Of its own run."""
    steps: int
    """Of all runs up to there."""
    minutes: float
    """Of training, of all runs up to there."""
    began: float
    """The minutes at which its own run began."""
    scores: Mapping[str, Mapping[str, Any]]
    """By the name of what it was scored on: `jf`, `j`, `f`, and `sequences`, the J&F of each; in [0, 1]."""


def curve_page(rows: Sequence[CurvePoint]) -> Rgb:
    """A thick line for each set of videos, a thin one for each of its sequences; dashes where a run starts.

    `rows`: at least one, in order, all scored on the same sets.
    """
    sheet = Sheet(_WIDTH, _HEIGHT)
    best = "   ".join(f"{name}: best {100 * max(row.scores[name]['jf'] for row in rows):.1f}, "
                      f"last {100 * rows[-1].scores[name]['jf']:.1f}" for name in rows[0].scores)  # fmt: skip
    sheet.text(_LEFT, 26, "J&F of each snapshot", size=14, weight="bold")
    sheet.text(_LEFT, 52, best, size=11, color=FAINT, width=_WIDTH - 2 * _LEFT)
    low, high = _range(rows)
    panels: tuple[tuple[str, list[float], list[float]], ...] = (
        ("steps", [float(row.steps) for row in rows], [float(row.steps - row.step) for row in rows]),
        ("minutes of training", [row.minutes for row in rows], [row.began for row in rows]),
    )
    for number, (title, places, starts) in enumerate(panels):
        left = _LEFT + number * (_PANEL_WIDTH + _GAP)
        axes = sheet.axes(left, _TOP, _PANEL_WIDTH, _PANEL_HEIGHT)
        _draw_lines(axes, rows, places)
        _draw_starts(axes, dict.fromkeys(zip((row.run for row in rows), starts, strict=True)), high)
        axes.set_ylim(low, high)
        axes.set_xlim(0, max(places) * 1.03 or 1)
        axes.set_xlabel(title, color=INK)
        axes.grid(color="#dfe4e8", linewidth=0.8)
        axes.set_axisbelow(True)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        if number == 0:
            axes.set_ylabel("J&F, percent", color=INK)
    _name_lines(sheet, rows, low, high)
    return sheet.pixels()


def _lines(rows: Sequence[CurvePoint]) -> list[tuple[str, str, bool, list[float]]]:
    """(name, colour, whether it is a mean, percents) of each line; means first."""
    means, sequences = [], []
    for colour, name in zip(_COLOURS * len(rows[0].scores), rows[0].scores, strict=False):
        means.append((name, colour, True, [100 * row.scores[name]["jf"] for row in rows]))
        for one in rows[0].scores[name]["sequences"]:
            sequences.append((one, colour, False, [100 * row.scores[name]["sequences"][one] for row in rows]))
    lone = {name for name, row in rows[0].scores.items() if len(row["sequences"]) == 1}
    alone = {one for name in lone for one in rows[0].scores[name]["sequences"]}
    return means + [line for line in sequences if line[0] not in alone]


def _range(rows: Sequence[CurvePoint]) -> tuple[float, float]:
    values = [value for *_, line in _lines(rows) for value in line]
    room = max(2.0, 0.06 * (max(values) - min(values)))
    return max(0.0, min(values) - room), min(101.0, max(values) + room)


def _draw_lines(axes: Any, rows: Sequence[CurvePoint], places: Sequence[float]) -> None:
    for _, colour, is_mean, values in reversed(_lines(rows)):
        style = {"linewidth": 2.6, "marker": "o", "ms": 5} if is_mean else {"linewidth": 1.0, "alpha": 0.55}
        if not is_mean and len(places) == 1:
            style |= {"marker": "o", "ms": 3}
        axes.plot(places, values, color=colour, **style)


def _draw_starts(axes: Any, starts: Iterable[tuple[str, float]], high: float) -> None:
    """A dashed line where each run begins, and its name."""
    for run, place in starts:
        if place:
            axes.axvline(place, color=FAINT, linewidth=1, linestyle=(0, (4, 3)))
        axes.annotate(run, (place, high), xytext=(4, 4), textcoords="offset points", fontsize=9, color=FAINT)


def _name_lines(sheet: Sheet, rows: Sequence[CurvePoint], low: float, high: float) -> None:
    """Each line's name beside its end, none over another."""
    lines = [line for line in _lines(rows) if line[2] or len(_lines(rows)) <= _MOST_NAMED]
    wanted = sorted((_TOP + _PANEL_HEIGHT * (high - line[3][-1]) / (high - low), number)
                    for number, line in enumerate(lines))  # fmt: skip
    tops: list[float] = []
    for top, _ in wanted:
        tops.append(max(top, tops[-1] + _LINE_PX) if tops else top)
    below = max(0.0, tops[-1] - (_TOP + _PANEL_HEIGHT)) if tops else 0.0
    for position in range(len(tops) - 1, -1, -1):  # push up again what was pushed out of the panel
        limit = _TOP + _PANEL_HEIGHT if position == len(tops) - 1 else tops[position + 1] - _LINE_PX
        tops[position] = min(tops[position], limit) if below else tops[position]
    left = _LEFT + 2 * _PANEL_WIDTH + _GAP + 8
    for top, (_, number) in zip(tops, wanted, strict=True):
        name, colour, is_mean, values = lines[number]
        sheet.text(left, top, f"{name} {values[-1]:.1f}", size=11 if is_mean else 9, color=colour, width=_NAMES,
                   weight="bold" if is_mean else "normal")  # fmt: skip
