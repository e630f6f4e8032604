"""`devos probe`: what is in an input, and what will be used of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from devos.cli.progress import say
from devos.cli.segment import StreamNumber

if TYPE_CHECKING:
    from devos.io.probing import Probe


def probe(
    video: Annotated[Path, typer.Argument(metavar="INPUT", help="A video file, or a folder of frames.")],
    stream: StreamNumber = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Tell what INPUT holds, and what of it devos segment will use."""
    from devos.io.probing import probe as look

    found = look(video, stream=stream)
    if as_json:
        typer.echo(json.dumps(found.as_json(), indent=2))
        return
    for name, text in _lines(found):
        if text:
            typer.echo(f"{name:12} {text}")
    for note in found.notes:
        say(f"note: {note}")


def _lines(found: Probe) -> list[tuple[str, str]]:
    about = "" if found.num_frames_is_exact else "about "
    count = "unknown until it is read" if found.num_frames is None else f"{about}{found.num_frames}"
    names = found.first_frame if found.first_frame == found.last_frame else f"{found.first_frame} to {found.last_frame}"
    rate = {True: "constant", False: "varying; every frame keeps its own time", None: "constant or not: not said"}
    aspect = "" if found.pixel_aspect == "1" else f", pixels {found.pixel_aspect} as wide as high"
    return [
        ("kind", found.kind),
        *[("stream", text) for text in found.streams],
        ("used", found.used),
        ("size", f"{found.width}x{found.height}{aspect}"),
        ("rate", f"{found.fps} frames a second, {rate[found.is_constant]}"),
        ("frames", f"{count} ({names})"),
        ("shown", found.orientation),
        ("colours", ", ".join(f"{name} {value}" for name, value in found.colours.items())),
        ("sound", "yes, the overlay takes it along" if found.sound else ""),
    ]
