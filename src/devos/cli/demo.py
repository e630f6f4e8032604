"""`devos demo`: the main job with nothing to prepare."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from devos.cli.progress import say
from devos.cli.segment import Device, Model, Size, run_with_bar

_OUT = Path("devos-demo")


def demo(
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help=f"Folder for the results; {_OUT} unless given, replaced when run again.",
                     show_default=False),
    ] = None,
    model: Model = "devos-t",
    device: Device = "auto",
    size: Size = 384,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier run's results in OUT.")] = False,
) -> None:  # fmt: skip
    """Follow a rabbit through a clip that comes with devos; prints the path of the overlay."""
    from devos.pipeline.demo import demo_clip

    video, mask = demo_clip()
    summary = run_with_bar(
        "demo", video, mask, out or _OUT, model=model, device=device, size=size, overwrite=overwrite or out is None
    )
    say(f"{summary.num_frames} frames in {summary.seconds:.0f} s ({summary.fps:.1f} frames/s); open the overlay:")
    typer.echo(summary.overlay)
