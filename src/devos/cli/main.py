"""The command `devos`: the parser that holds every command, and errors as exit codes.

A command imports what it needs when it runs: torch takes seconds, and `--help` must not wait for it.
"""

from __future__ import annotations

import os
import signal
import warnings
from collections.abc import Callable
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from devos.cli import (
    ablate,
    batch,
    bench,
    convert,
    data,
    demo,
    doctor,
    evaluate,
    export,
    figure,
    info,
    mark,
    masks,
    probe,
    project,
    segment,
    submit,
    train,
)
from devos.cli import app as page
from devos.cli.failures import explain, is_told_elsewhere, leave_others
from devos.errors import DevosDeprecationWarning

BAD_INPUT = 2
"""Exit code where the user can mend what is wrong, also of a command line that cannot be parsed."""
INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""


class _Commands(TyperGroup):
    """Turns what the user can mend into one line and an exit code; a bug keeps its traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None
        except Exception as error:
            told = explain(error)
            if told is None:
                raise
            if not is_told_elsewhere(error):
                typer.echo(f"error: {told}", err=True)
            leave_others(BAD_INPUT)
            raise typer.Exit(BAD_INPUT) from None


app = typer.Typer(
    cls=_Commands,
    name="devos",
    help="Mark an object on one frame of a video and have it followed through all of it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(segment.segment)
app.command()(batch.batch)
app.command()(mark.mark)
app.command()(probe.probe)
app.command()(convert.convert)
app.command()(project.status)
app.command()(project.correct)
app.command()(project.undo)
app.command()(project.redo)
app.command()(project.resume)
app.command("app")(page.app)
app.command()(demo.demo)
app.command()(doctor.doctor)
app.command()(info.info)
app.command()(bench.bench)
app.command()(train.train)
app.command()(ablate.ablate)
app.add_typer(data.app, name="data")
app.add_typer(evaluate.app, name="evaluate")
app.add_typer(export.app, name="export")
app.add_typer(figure.app, name="figure")
app.add_typer(masks.app, name="masks")
app.add_typer(submit.app, name="submit")


def _print_version(wanted: bool) -> bool:
    if wanted:
        from devos import __version__

        typer.echo(f"devos {__version__}")
        raise typer.Exit
    return wanted


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Mark an object on one frame of a video and have it followed through all of it."""


def run() -> None:
    """Where the installed command `devos` begins."""
    # Threads that wait for others by spinning keep those from working where another program takes a core: with 2
    # threads on 2 cores, one of them busy, a video took 11 times as long. Set before torch is loaded, which reads it.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault("GOMP_SPINCOUNT", "3000")  # some microseconds: asleep at once, short waits would cost more
    _end_as_ctrl_c_does()
    warnings.showwarning = _shown_as_a_note(warnings.showwarning)
    app(prog_name="devos")


def _shown_as_a_note(otherwise: Callable[..., None]) -> Callable[..., None]:
    """What goes away is told as all else is that a user may want to know; without the place in our code."""

    def show(message: Warning | str, category: type[Warning], *rest: Any) -> None:
        if issubclass(category, DevosDeprecationWarning):
            typer.echo(f"note: {message}", err=True)
        else:
            otherwise(message, category, *rest)

    return show


def _end_as_ctrl_c_does() -> None:
    """Whoever stops the command, by SIGTERM or by closing its terminal, leaves what is done whole and readable."""
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:  # nohup has it ignored
            signal.signal(number, _interrupt)


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt
