"""`devos convert`: results in the formats of other tools, and their annotations as masks for `-m`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from devos.cli.progress import frame_bar


def convert(
    source: Annotated[
        Path | None,
        typer.Argument(metavar="SOURCE", help="What devos segment wrote; or annotations of another tool."),
    ] = None,
    to: Annotated[
        str,
        typer.Option(metavar="NAME,NAME,...", help="Names of formats (--list); png: annotations as masks for -m."),
    ] = "",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for the result; SOURCE/export unless given.")
    ] = None,
    listing: Annotated[bool, typer.Option("--list", help="List the formats, and leave.")] = False,
) -> None:
    """Write the results in SOURCE in other formats, without following anything again."""
    from devos.errors import OptionError
    from devos.exchange.registry import FORMATS, parse_names

    if listing:
        for one in FORMATS.values():
            needs = f" (needs devos[{one.extra}])" if one.extra else ""
            typer.echo(f"{one.name:13} {one.place:18} {one.what}{needs}")
        return
    if source is None or not to:
        raise OptionError("give what devos segment wrote and --to NAME,NAME; devos convert --list names the formats")
    if to == "png":
        from devos.pipeline.convert import import_masks

        folder = out or source.with_name(f"{source.stem}_masks")
        typer.echo(f"{folder} ({len(import_masks(source, folder))} masks)")
        return
    for path in _written(source, parse_names(to), out or source / "export"):
        typer.echo(str(path))


def _written(source: Path, names: list[str], out: Path) -> list[Path]:
    import time

    from devos.pipeline.convert import convert as write
    from devos.pipeline.project import Project
    from devos.pipeline.running import Progress

    begun = time.perf_counter()
    with frame_bar("writing") as show:
        return write(Project.open(source), names, out,
                     told=lambda done, total: show(Progress(done, total, time.perf_counter() - begun)))  # fmt: skip
