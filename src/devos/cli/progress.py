"""What commands show while they work: on stderr, and a bar only where that is a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from devos.pipeline.segment import Progress


def say(text: str) -> None:
    """A line for people; stdout is for programs."""
    typer.echo(text, err=True)


@contextmanager
def frame_bar(what: str) -> Iterator[Callable[[Progress], None]]:
    """A bar with frames a second and the time left; nothing at all where stderr is no terminal."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(compact=True),
    )  # fmt: skip
    with Bar(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(what, total=None, rate="")

        def show(progress: Progress) -> None:
            total = progress.num_frames and max(progress.num_frames, progress.num_done)
            rate = f"{progress.num_done / max(progress.seconds, 1e-6):.1f} frames/s"
            bar.update(task, completed=progress.num_done, total=total, rate=rate)

        yield show
