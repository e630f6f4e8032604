"""`devos info`: how large a network is and how much it computes."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from devos.cli.segment import Size

if TYPE_CHECKING:
    from devos.engine.profile import Profile


def info(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="devos-t, devos-b, devos-l, or a weights file.")],
    size: Size = 384,
    bank: Annotated[int, typer.Option(help="Most frames that are remembered.")] = 6,
    objects: Annotated[int, typer.Option(help="Objects that are followed, up to 10.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Print parameters and multiply-adds of each part for a 480x854 frame (height x width); needs no weights."""
    from devos.engine.profile import config_of, profile
    from devos.engine.segmenter import Settings
    from devos.frames import FrameSize

    settings = Settings(size=size, bank=bank)
    frame = FrameSize(480, 854)
    result = profile(config_of(model), frame, size=settings.size, bank=settings.bank, num_objects=objects)
    if as_json:
        typer.echo(json.dumps({**asdict(result), "total": asdict(result.total)}, indent=2))
    else:
        _print_table(result)


def _print_table(result: Profile) -> None:
    from rich.console import Console
    from rich.table import Table

    frame, inner = result.frame, result.inner
    table = Table(
        title=f"{result.model}: a frame of {frame.height}x{frame.width} (height x width), seen at "
        f"{inner.height}x{inner.width}; objects: {result.num_objects}, frames in the bank: {result.bank}"
    )
    table.add_column("part")
    table.add_column("parameters", justify="right")
    table.add_column("multiply-adds", justify="right")
    for part in result.parts:
        table.add_row(part.name, f"{part.parameters:,}", f"{part.multiply_adds / 1e9:.2f} G")
    table.add_section()
    table.add_row("total", f"{result.total.parameters:,}", f"{result.total.multiply_adds / 1e9:.2f} G")
    Console().print(table)
