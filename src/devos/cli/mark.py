"""`devos mark`: clicks and boxes on one frame to the mask that `devos segment` takes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from devos.cli.progress import say
from devos.cli.segment import Device

if TYPE_CHECKING:
    from devos.pipeline.mark import Said

_POINT, _BOX = "[ID:]X,Y", "[ID:]X0,Y0,X1,Y1"


def mark(
    video: Annotated[Path, typer.Argument(metavar="INPUT", help="A video file, or a folder of frames.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The label PNG to write, for `devos segment INPUT -m`.")],
    frame: Annotated[str, typer.Option(help="Number of the frame, from 0, or its name in a folder.")] = "0",
    click: Annotated[
        list[str] | None, typer.Option(metavar=_POINT, help="A point on the object, in pixels; may be repeated.")
    ] = None,
    not_: Annotated[
        list[str] | None, typer.Option("--not", metavar=_POINT, help="A point that is not on it; may be repeated.")
    ] = None,
    box: Annotated[
        list[str] | None, typer.Option(metavar=_BOX, help="A box around the object; one for each object.")
    ] = None,
    object_id: Annotated[int, typer.Option("--object", help="The object's id, for what names none as ID:...")] = 1,
    mask: Annotated[
        Path | None, typer.Option("--mask", "-m", help="Label PNG of the frame to go on from.", show_default=False)
    ] = None,
    click_model: Annotated[
        str, typer.Option(help="auto, clicks (ours), grabcut (no network), or SAM's ENCODER.onnx,DECODER.onnx.")
    ] = "auto",
    device: Device = "auto",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace OUT if it is there.")] = False,
) -> None:
    """Mark objects on one frame of INPUT by clicks and boxes, and write the mask for `devos segment`.

    Several objects: --click 1:410,220 --click 2:80,95, or one after the other with --object and --mask. X counts to the
    right and Y down, from the top left corner. Prints each object's pixels and confidence as JSON.
    """
    from devos.pipeline.mark import mark as run

    said = _gather(click or [], not_ or [], box or [], object_id)
    summary = run(video, out, said, frame=frame, mask=mask, model=click_model, device=device,
                  overwrite=overwrite)  # fmt: skip
    for note in summary.notes:
        say(f"note: {note}")
    typer.echo(json.dumps(summary.as_json(), indent=2))


def _gather(clicks: list[str], others: list[str], boxes: list[str], default: int) -> dict[int, Said]:
    """What is said of each object: clicks on it first, then those beside it."""
    from devos.engine.marker import Box, Click
    from devos.errors import OptionError
    from devos.pipeline.mark import Said

    points: dict[int, list[Click]] = {}
    for texts, option, is_object in ((clicks, "--click", True), (others, "--not", False)):
        for text in texts:
            object_id, (x, y) = _numbers(text, option, _POINT, 2, default)
            points.setdefault(object_id, []).append(Click(x, y, is_object))
    around: dict[int, Box] = {}
    for text in boxes:
        object_id, edges = _numbers(text, "--box", _BOX, 4, default)
        if object_id in around:
            raise OptionError(f"--box is given twice for object {object_id}; give each object one, as {_BOX}")
        around[object_id] = Box(*edges)
    ids = sorted(points.keys() | around.keys())
    return {one: Said(tuple(points.get(one, ())), around.get(one)) for one in ids}


def _numbers(text: str, option: str, usage: str, count: int, default: int) -> tuple[int, tuple[float, ...]]:
    """The object's id, and the numbers; OptionError for anything else."""
    import math

    from devos.errors import OptionError

    head, sign, rest = text.rpartition(":")
    try:
        object_id = int(head) if sign else default
        numbers = tuple(float(part) for part in rest.split(","))
    except ValueError:
        numbers = ()
    if len(numbers) != count or not all(map(math.isfinite, numbers)):
        raise OptionError(f"{option} is {usage}, in pixels from the top left; got {text!r}")
    return object_id, numbers
