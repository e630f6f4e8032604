"""Write an evaluation to a folder: figures for programs, tables for spreadsheets, and a page for people."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from devos.data.catalog import VideoInfo
from devos.evaluation.benchmark import Scores
from devos.evaluation.measures.stability import StabilityScore
from devos.evaluation.measures.swaps import SwapScore
from devos.evaluation.reports.page import render_page
from devos.evaluation.reports.rows import Evaluation, Row, everything, frame_rows, object_rows, sequence_rows
from devos.evaluation.reports.worst import find_lapses
from devos.io.files import RUN_FILE, output_error, replacing, write_json

SCORES_FILE = "scores.json"
SEQUENCES_FILE = "sequences.csv"
OBJECTS_FILE = "objects.csv"
FRAMES_FILE = "frames.csv"
PAGE_FILE = "report.html"


def write_outputs(
    out: Path,
    scores: Scores,
    videos: Sequence[VideoInfo],
    predicted: Path | None,
    run: Mapping[str, Any],
    *,
    stability: Mapping[str, Mapping[int, StabilityScore]] | None = None,
    swaps: Mapping[str, SwapScore] | None = None,
) -> None:
    """Write scores.json, sequences.csv, objects.csv, frames.csv, report.html and run.json into the folder `out`.

    Figures are fractions of 1, in percent on the page only. `videos` are those that were scored. `predicted` is the
    folder PREDICTED/SEQUENCE/FRAME.png of the label maps that were scored (or one sequence's own folder); without it
    the page has no predictions and no lapses. `run` says what the scores were made with, as JSON has it; its entry
    `method`, if there is one, is the page's heading, and its entries `means` and `objects`, figures that the page has
    anyway, are left out there. `stability` and `swaps`, by the sequence's name, add their columns.

    Each file appears whole or not at all, and replaces one of its name; run.json is written last, so that where it is
    there all is. OutputError where the folder cannot be written, MaskError or VideoError where a file that was scored
    cannot be read again.
    """
    by_name = {video.name: video for video in videos}
    lapses = predicted and {
        score.name: find_lapses(score, by_name[score.name], predicted, scores.protocol) for score in scores.sequences
    }
    evaluation = Evaluation(scores, by_name, predicted, run, stability, swaps, lapses or None)
    page = render_page(evaluation)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(out, error) from error
    write_json(out / SCORES_FILE, everything(evaluation))
    _write_csv(out / SEQUENCES_FILE, sequence_rows(evaluation))
    _write_csv(out / OBJECTS_FILE, object_rows(evaluation))
    _write_csv(out / FRAMES_FILE, frame_rows(evaluation))
    with replacing(out / PAGE_FILE) as temporary:
        temporary.write_text(page, encoding="utf-8")
    write_json(out / RUN_FILE, run)


def _write_csv(path: Path, rows: Iterable[Row]) -> None:
    """A header of every column that some row has, in the order of first sight, then the rows."""
    lines = list(rows)
    columns = list(dict.fromkeys(column for line in lines for column in line))
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
