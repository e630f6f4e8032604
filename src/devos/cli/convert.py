"""`devos convert`: results in the formats of other tools, and their annotations as masks for `-m`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def convert(
    source: Annotated[
        Path,
        typer.Argument(metavar="SOURCE", help="What devos segment wrote; or annotations of another tool."),
    ],
    to: Annotated[
        str,
        typer.Option(
            metavar="NAME,NAME,...",
            help="coco, youtube-vis, cvat, labelme, ctc (masks); rgba (cut-outs), prores, ffv1, vp9 (videos with "
            "alpha), green (before green); png: annotations as masks for -m.",
        ),
    ],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for the result; SOURCE/export unless given.")
    ] = None,
) -> None:
    """Write the results in SOURCE in other formats, without following anything again."""
    from devos.pipeline.convert import convert as write
    from devos.pipeline.convert import import_masks
    from devos.pipeline.project import Project

    if to == "png":
        folder = out or source.with_name(f"{source.stem}_masks")
        written = import_masks(source, folder)
        typer.echo(f"{folder} ({len(written)} masks)")
        return
    names = [name.strip() for name in to.split(",") if name.strip()]
    for path in write(Project.open(source), names, out or source / "export"):
        typer.echo(str(path))
