"""What commands show while they work: on stderr, and a bar only where that is a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

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
    with _bar() as bar:
        task = bar.add_task(what, total=None, rate="")
        yield lambda progress: _update(bar, task, progress)


def _bar() -> Bar:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"), TimeRemainingColumn(compact=True),
    )  # fmt: skip
    return Bar(*columns, console=Console(stderr=True))


def _update(bar: Bar, task: TaskID, progress: Progress) -> None:
    total = progress.num_frames and max(progress.num_frames, progress.num_done)
    rate = f"{progress.num_done / max(progress.seconds, 1e-6):.1f} frames/s"
    bar.update(task, completed=progress.num_done, total=total, rate=rate)


class Bars:
    """Lines only: what there is where stderr is no terminal."""

    def count(self, num_done: int, num_all: int) -> None:
        """So many of all are behind us."""

    def show(self, name: str, progress: Progress) -> None:
        """How far one of them has come."""

    def remove(self, name: str) -> None:
        """One of them is over."""

    def line(self, text: str) -> None:
        """Say something that stays."""
        say(text)


class _RichBars(Bars):
    def __init__(self, bar: Bar, what: str) -> None:
        self._bar, self._tasks = bar, dict[str, Any]()
        self._all = bar.add_task(what, total=None, rate="")

    def count(self, num_done: int, num_all: int) -> None:
        self._bar.update(self._all, completed=num_done, total=num_all)

    def show(self, name: str, progress: Progress) -> None:
        if name not in self._tasks:
            self._tasks[name] = self._bar.add_task(name, total=None, rate="")
        _update(self._bar, self._tasks[name], progress)

    def remove(self, name: str) -> None:
        if name in self._tasks:
            self._bar.remove_task(self._tasks.pop(name))

    def line(self, text: str) -> None:
        self._bar.console.print(text, markup=False, highlight=False)


@contextmanager
def many_bars(what: str) -> Iterator[Bars]:
    """A bar for all of them, and one for each that is under way."""
    if not sys.stderr.isatty():
        yield Bars()
        return
    with _bar() as bar:
        yield _RichBars(bar, what)
