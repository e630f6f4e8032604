"""`devos masks check`: what a mask says, as `devos segment` would read it, and the same mended."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Look at masks before they are used.", no_args_is_help=True)


@app.callback()
def _masks() -> None:
    """Look at masks before they are used."""


@app.command()
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A mask.")],
    fix: Annotated[
        Path | None, typer.Option(metavar="NEW.png", help="Write it mended: hard edges, ids as they are read.")
    ] = None,
) -> None:
    """Explain FILE: its kind, objects, areas and soft edges. Exit code 2 if it cannot be used as it is."""
    from devos.io.mask_report import look_at, write_fixed

    report = look_at(file)
    for line in report.lines:
        typer.echo(line)
    if fix is not None:
        write_fixed(report, fix)
        typer.echo(f"mended: {fix}")
    elif report.problem:
        typer.echo(f"error: {report.problem}", err=True)
        raise typer.Exit(2)
