"""A table of scores as Markdown, CSV or LaTeX text."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable

from devos.errors import OptionError
from devos.evaluation.figures.published import SIGNS, Row, ScoreTable

MISSING = "\u2013"
"""Stands where a figure is not published."""

_TEX = {
    "&": r"\&",
    "%": r"\%",
    "_": r"\_",
    "#": r"\#",
    "$": r"\$",
    MISSING: "--",
    "†": r"$\dagger$",
    "‡": r"$\ddagger$",
}
_TEX_COLUMNS = {
    "J": r"$\mathcal{J}$",
    "F": r"$\mathcal{F}$",
    "J&F": r"$\mathcal{J}\&\mathcal{F}$",
    "G": r"$\mathcal{G}$",
}


def markdown(table: ScoreTable) -> str:
    """A heading, a table for each group, and the notes; a user's own rows are bold."""
    lines = [f"# {table.title}", ""]
    for group in table.groups:
        head = _head(table)
        align = [":--" if title not in table.columns else "--:" for title in head]
        lines += [f"## {group.heading}", "", _line(head), _line(align)]
        lines += [
            _line(f"**{cell}**" if row.measured and cell else cell for cell in _cells(table, row)) for row in group.rows
        ]
        lines.append("")
    lines += [f"- {note}" for note in table.notes]
    return "\n".join(lines) + "\n"


def comma_separated(table: ScoreTable) -> str:
    """One line for each method, its group and its mark in columns of their own; the notes are left out."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["group", "method", "mark", "setting", "training data", *table.columns, "source"])
    for group in table.groups:
        for row in group.rows:
            figures = [_figure(row, column, "") for column in table.columns]
            mark = "measured" if row.measured else row.mark
            writer.writerow([group.heading, row.method, mark, row.setting, row.training, *figures, row.source])
    return text.getvalue()


def latex(table: ScoreTable) -> str:
    """A `tabular` that needs no package, groups between rules, the notes as comments."""
    head = _head(table)
    align = "".join("r" if title in table.columns else "l" for title in head)
    lines = [f"% {table.title}", *(f"% {note}" for note in table.notes), rf"\begin{{tabular}}{{{align}}}", r"\hline"]
    lines.append(" & ".join(_TEX_COLUMNS.get(title) or _tex(title) for title in head) + r" \\")
    for group in table.groups:
        lines += [r"\hline", rf"\multicolumn{{{len(head)}}}{{l}}{{\textit{{{_tex(group.heading)}}}}} \\"]
        for row in group.rows:
            cells = [_tex(cell) for cell in _cells(table, row)]
            cells = [rf"\textbf{{{cell}}}" for cell in cells] if row.measured else cells
            lines.append(" & ".join(cells) + r" \\")
    return "\n".join([*lines, r"\hline", r"\end{tabular}"]) + "\n"


FORMATS: dict[str, Callable[[ScoreTable], str]] = {".md": markdown, ".csv": comma_separated, ".tex": latex}
"""By the suffix of the file."""


def table_text(table: ScoreTable, suffix: str) -> str:
    """The table as a file with this suffix holds it; OptionError for an unknown one."""
    if suffix not in FORMATS:
        raise OptionError(f"a table is written as {', '.join(FORMATS)}; got {suffix or 'no suffix'}")
    return FORMATS[suffix](table)


def _head(table: ScoreTable) -> list[str]:
    setting = ["Setting"] if any(row.setting for group in table.groups for row in group.rows) else []
    return ["Method", *setting, "Training data", *table.columns, "Source"]


def _cells(table: ScoreTable, row: Row) -> list[str]:
    method = f"{row.method} {SIGNS[row.mark]}" if row.mark else row.method
    setting = [row.setting] if "Setting" in _head(table) else []
    return [method, *setting, row.training, *(_figure(row, column, MISSING) for column in table.columns), row.source]


def _figure(row: Row, column: str, missing: str) -> str:
    return f"{row.values[column]:.1f}" if column in row.values else missing


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _tex(text: str) -> str:
    return "".join(_TEX.get(letter, letter) for letter in text)
