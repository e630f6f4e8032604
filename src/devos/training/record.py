"""The log of a run: plain tables that a resumed run goes on with, no row twice."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from devos.io.files import output_error, replacing

LOG_FILE = "log.csv"
"""In a run's folder: a row for each report, the means since the one before."""
VALIDATION_FILE = "validation.csv"
"""In a run's folder: a row for each figure of each validation."""
LOG_COLUMNS = (
    "step", "entropy", "dice", "j", "learning_rate", "gradient_norm", "seconds_per_step", "clips_per_s", "waiting",
)  # fmt: skip
VALIDATION_COLUMNS = ("step", "figure", "value")


class Table:
    """A CSV file with a column `step`, to which rows are added at once, each with one write."""

    def __init__(self, path: Path, columns: Sequence[str], done: int) -> None:
        """Keep what an earlier part of the run wrote up to step `done`; the steps behind it will be made again."""
        self._path, self._columns = path, tuple(columns)
        kept = _rows_until(path, self._columns, done)
        with replacing(path) as temporary:
            temporary.write_text("".join(self._line(row) for row in (self._columns, *kept)), encoding="utf-8")

    def add(self, row: Mapping[str, Any]) -> None:
        """Append a row; floats with six digits. OutputError if the disk refuses."""
        values = [row[name] for name in self._columns]
        try:
            with self._path.open("a", encoding="utf-8", newline="") as file:
                file.write(self._line([f"{v:.6g}" if isinstance(v, float) else v for v in values]))
        except OSError as error:
            raise output_error(self._path, error) from error

    def _line(self, values: Sequence[Any]) -> str:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerow(values)
        return text.getvalue()


def _rows_until(path: Path, columns: tuple[str, ...], done: int) -> list[list[str]]:
    """Whole rows only: a killed run may have left half of one."""
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
    rows = list(csv.reader(line for line in lines if line.endswith("\n")))
    if not rows or tuple(rows[0]) != columns:
        return []
    at = columns.index("step")
    return [row for row in rows[1:] if len(row) == len(columns) and row[at].isdigit() and int(row[at]) <= done]
