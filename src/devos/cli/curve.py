"""`devos figure curve`: J&F of a run's snapshots against steps and wall time."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from devos.cli.entries import named_paths
from devos.cli.progress import say
from devos.cli.segment import Device, PrecisionName, RuntimeName, Size


def curve(
    runs: Annotated[
        list[str],
        typer.Argument(metavar="RUN[@STEP] ...", help="Folders of runs that went on from each other, in order; @STEP "
                       "where the next one began with an earlier snapshot than the last."),
    ],
    root: Annotated[
        list[str],
        typer.Option(metavar="[NAME=]ROOT", help="Videos with masks in DAVIS's layout; may be repeated."),
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for curve.csv, curve.png and, to go on from, curve.json.")
    ],
    every: Annotated[int, typer.Option(min=1, help="Only snapshots at multiples of so many steps, and last ones.")] = 1,
    split: Annotated[str, typer.Option(help="List in ImageSets; all sequences where there are no lists.")] = "val",
    device: Device = "auto",
    size: Size = 384,
    flow: Annotated[str, typer.Option(help="Optical flow: dis, none or raft.")] = "dis",
    runtime: RuntimeName = "auto",
    precision: PrecisionName = "float32",
) -> None:  # fmt: skip
    """Score every snapshot of one run or several, and draw J&F against steps and minutes of training.

    Takes minutes a snapshot on a CPU. Stopped, the same command goes on: what is in OUT/curve.json is not scored again.
    """
    roots = named_paths(root, "--root", "ROOT or NAME=ROOT", name_of=lambda path: path.resolve().name)
    from devos.data.catalog import find_videos
    from devos.evaluation.figures.curve import curve_page
    from devos.evaluation.figures.sheet import save_png
    from devos.experiments import curve as curves
    from devos.whole_files import make_folder

    found = curves.snapshots([curves.parse_run(words) for words in runs], every)
    videos = {name: find_videos(path, split=split) for name, path in roots.items()}
    settings = {"size": size, "flow": flow, "runtime": runtime, "precision": precision, "device": device}
    make_folder(out)
    table, picture = out / "curve.csv", out / "curve.png"
    record = curves.Record(out / "curve.json", videos, settings)
    begun = time.perf_counter()

    def done(snapshot: curves.Snapshot, left: int) -> None:
        nonlocal begun
        curves.write_csv(list(curves.points(found, videos, record)), table)
        scores = ", ".join(f"{name} {100 * (record.find(snapshot, name) or {})['jf']:.1f}" for name in roots)
        spent, begun = time.perf_counter() - begun, time.perf_counter()
        say(f"{snapshot.run} step {snapshot.step}: J&F {scores}; {spent / 60:.1f} min, {left} left")

    with _passing_cache():
        curves.score_all(found, videos, record, settings, done)
    rows = list(curves.points(found, videos, record))
    curves.write_csv(rows, table)
    save_png(curve_page(rows), picture)
    for path in (table, picture):
        typer.echo(path)


@contextmanager
def _passing_cache() -> Iterator[None]:
    """Graphs of a snapshot are used this once: in the user's cache they would stay, 20 MB each."""
    before = os.environ.get("DEVOS_CACHE")
    with tempfile.TemporaryDirectory(prefix="devos-") as folder:
        os.environ["DEVOS_CACHE"] = folder
        try:
            yield
        finally:
            if before is None:
                del os.environ["DEVOS_CACHE"]
            else:
                os.environ["DEVOS_CACHE"] = before
