"""`devos batch`: follow what is marked in many videos."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from devos.cli.progress import many_bars, say
from devos.cli.segment import (
    Device,
    Direction,
    Flip,
    Model,
    Overlay,
    PrecisionName,
    ResizeMasks,
    RuntimeName,
    Scales,
    SizeOrAuto,
    SnapMasks,
)

if TYPE_CHECKING:
    from devos.pipeline.batch import BatchRow, Watch

SOME_FAILED = 1
"""Exit code where not every video came to its end."""


def batch(
    source: Annotated[
        Path, typer.Argument(metavar="FOLDER|MANIFEST", help="Videos with their masks beside them, or a list of them.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the projects, one for each video.")],
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Videos at a time; half as many as there are cores unless given.", show_default=False),
    ] = None,
    retry: Annotated[bool, typer.Option("--retry", help="Try again what failed before.")] = False,
    cluster: Annotated[
        str, typer.Option(metavar="ADDRESS|auto", help="Use a Ray cluster; auto starts one here.", show_default=False)
    ] = "",
    model: Model = "devos-t",
    device: Device = "auto",
    size: SizeOrAuto = "auto",
    flip: Flip = False,
    scales: Scales = "1",
    runtime: RuntimeName = "auto",
    precision: PrecisionName = "auto",
    direction: Direction = "forward",
    resize_masks: ResizeMasks = False,
    snap_masks: SnapMasks = False,
    skip_bad_frames: Annotated[
        bool, typer.Option("--skip-bad-frames", help="Leave out frames that cannot be read.")
    ] = False,
    overlay: Overlay = True,
) -> None:
    """Follow the objects of many videos, several at a time; each becomes a project in OUT.

    In a FOLDER, NAME.mp4 has NAME.png or a folder NAME_masks beside it. A MANIFEST (.jsonl, .csv) has the columns
    video, masks, and what else differs. Given again, it skips what is finished and goes on with what was cut off.
    Writes OUT/batch.csv, prints a summary as JSON; exit code 1 if a video failed.
    """
    from devos.engine.settings import parse_scales
    from devos.engine.sizes import parse_size
    from devos.pipeline.batch import batch as run

    try:
        with _watching() as watch:
            summary = run(
                source, out, model=model, device=device, workers=workers, cluster=cluster or None, retry=retry,
                watch=watch, size=parse_size(size), flip=flip, scales=parse_scales(scales), runtime=runtime,
                precision=precision,
                direction=direction, resize_masks=resize_masks, snap_masks=snap_masks, skip_bad_frames=skip_bad_frames,
                overlay=overlay,
            )  # fmt: skip
    except KeyboardInterrupt:
        say(f"stopped; what was done is in {out}; the same command goes on with it")
        raise
    for left_out in summary.left_out:
        say(f"note: left out: {left_out}")
    failed = [row for row in summary.videos if row.status == "failed"]
    for row in failed:
        say(f"failed: {row.name}: {row.reason}")
    typer.echo(json.dumps(summary.as_json(), indent=2))
    if failed:
        say(f"{len(failed)} of {len(summary.videos)} failed; --retry tries them again")
        raise typer.Exit(SOME_FAILED)


@contextmanager
def _watching() -> Iterator[Watch]:
    """A bar for all and one for each that is under way; where stderr is no terminal, a line for each that ended."""
    from devos.pipeline.batch import Watch

    with many_bars("videos") as bars:
        num_ended = num_all = 0

        def began(num_before: int, of: int) -> None:
            nonlocal num_ended, num_all
            num_ended, num_all = num_before, of
            bars.count(num_before, of)
            if num_before:
                bars.line(f"{num_before} of {of} were finished before")

        def ended(row: BatchRow) -> None:
            nonlocal num_ended
            num_ended += 1
            bars.remove(row.name)
            bars.count(num_ended, num_all)
            what = f"{row.frames} frames, {row.fps:.1f} frames/s" if row.status == "finished" else "failed"
            bars.line(f"{num_ended}/{num_all} {row.name}: {what}")

        yield Watch(began, bars.show, ended)
