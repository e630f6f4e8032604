"""`devos bench`: how fast a model is on this machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from devos.cli.progress import say
from devos.cli.segment import Device, Model, Overlay, PrecisionName, RuntimeName, Size

if TYPE_CHECKING:
    from devos.pipeline.bench import Report


def bench(
    video: Annotated[
        Path | None,
        typer.Argument(
            metavar="[VIDEO]",
            help="A video file or a folder of frames; the demo clip unless given.",
            show_default=False,
        ),
    ] = None,
    masks: Annotated[
        Path | None,
        typer.Option("--masks", "-m", help="Its masks, as for segment; else one disk is followed.", show_default=False),
    ] = None,
    model: Model = "devos-t",
    device: Device = "auto",
    size: Size = 384,
    runtime: RuntimeName = "auto",
    precision: PrecisionName = "auto",
    objects: Annotated[
        int | None, typer.Option(help="Follow so many disks on a grid, in place of the masks.", show_default=False)
    ] = None,
    frames: Annotated[
        int | None, typer.Option(help="Most frames for the network alone; all unless given.", show_default=False)
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(help="CPU threads to compute with; as many as torch takes unless given.", show_default=False),
    ] = None,
    overlay: Overlay = True,
    repeats: Annotated[int, typer.Option(help="How often the whole job runs; medians count.")] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Measure frames a second: of the network alone, and of the whole job from a video to written masks."""
    from devos.engine.segmenter import load
    from devos.pipeline.bench import bench as measure
    from devos.pipeline.demo import demo_clip
    from devos.pipeline.machine import use_threads

    if video is None:
        video, demo_mask = demo_clip()
        masks = masks or demo_mask
    elif masks is None:
        objects = objects or 1
    if threads is not None:
        use_threads(threads)
    report = measure(
        video, masks or video, lambda: load(model, device=device, size=size, runtime=runtime, precision=precision),
        objects=objects, frames=frames, repeats=repeats, overlay=overlay, watch=say,
    )  # fmt: skip
    if as_json:
        typer.echo(json.dumps(report.as_json(), indent=2))
    else:
        _show(report)


def _show(report: Report) -> None:
    machine = report.machine
    typer.echo(f"{report.model} on {report.video}: {report.num_frames} frames of {report.frame}, "
               f"{report.num_objects} object(s), at {report.settings['size']}, {report.precision}")  # fmt: skip
    typer.echo(f"{machine['gpu'] or machine['cpu']}, {machine['threads']} CPU thread(s), load "
               f"{machine['load_average'][0] if machine['load_average'] else 'unknown'}; "
               f"torch {machine['versions']['torch']}, devos {machine['versions']['devos']}")  # fmt: skip
    typer.echo(f"network alone {report.network_fps:9.2f} frames/s")
    typer.echo(f"whole job     {report.fps:9.2f} frames/s (median of {report.repeats}: "
               f"{', '.join(f'{fps:.2f}' for fps in report.fps_of_each)})")  # fmt: skip
    for part, milliseconds in report.ms_per_frame.items():
        typer.echo(f"  {part:13} {milliseconds:7.1f} ms a frame")
    typer.echo(f"ready after {report.load_seconds:.2f} s, first mask {report.first_mask_seconds:.2f} s later")
    peaks = {"peak memory": report.peak_mib, "on the GPU": report.peak_gpu_mib}
    typer.echo(", ".join(f"{what} {mib:.0f} MiB" for what, mib in peaks.items() if mib is not None))
