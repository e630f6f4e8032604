"""`devos train`: train a network on videos and photos with masks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from devos.cli.progress import say
from devos.cli.segment import Device

if TYPE_CHECKING:
    from devos.training.loop import Progress


def train(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="laptop, long-clips or debug.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the checkpoint and the weights.")],
    data: Annotated[
        Path | None, typer.Option(help="Folder with video-train (as DAVIS has it) and static (photos).")
    ] = None,
    videos: Annotated[Path | None, typer.Option(help="Videos in DAVIS's layout, instead of DATA/video-train.")] = None,
    photos: Annotated[Path | None, typer.Option(help="Sets of photos with masks, instead of DATA/static.")] = None,
    steps: Annotated[int | None, typer.Option(help="Steps of the whole run; default: the recipe's.")] = None,
    size: Annotated[int | None, typer.Option(help="Side of the clips, in pixels; default: the recipe's.")] = None,
    seed: Annotated[int | None, typer.Option(help="The same seed gives the same run; default: the recipe's.")] = None,
    init: Annotated[Path | None, typer.Option(help="Weights file to start from; default: ImageNet's backbone.")] = None,
    device: Device = "auto",
    threads: Annotated[int, typer.Option(min=1, help="CPU threads of the network.")] = 1,
    workers: Annotated[int, typer.Option(min=0, help="Processes that make clips beside the training.")] = 1,
) -> None:
    """Train, with a checkpoint in OUT from which the same command goes on; prints the weights as JSON."""
    import torch

    from devos.engine.segmenter import choose_device
    from devos.training import run as running
    from devos.training.loop import CHECKPOINT_FILE

    torch.set_num_threads(threads)
    running.keep_freed_memory()
    below = running.folders_below(data) if data is not None else (None, None)
    run = running.prepare(
        running.configure(recipe, steps=steps, size=size, seed=seed), out, videos=videos or below[0],
        photos=photos or below[1], init=init, device=str(choose_device(device)),
    )  # fmt: skip
    say(f"{run.num_videos} videos, {run.num_photos} photos, {run.trainer.config.num_steps} steps")
    if run.resumed_at is not None:
        say(f"going on from step {run.resumed_at} of {run.out / CHECKPOINT_FILE}")
    try:
        weights = run.to_the_end(workers=workers, watch=report)
    except KeyboardInterrupt:
        say(f"stopped at step {run.trainer.step}; the same command goes on from there")
        raise
    typer.echo(json.dumps({"weights": str(weights), "steps": run.trainer.step}))


def report(progress: Progress) -> None:
    """A line for each report, for a log as for a terminal."""
    left = round(progress.seconds_left)
    say(
        f"step {progress.step}/{progress.num_steps}  entropy {progress.entropy:.4f}  dice {progress.dice:.4f}  "
        f"rate {progress.learning_rate:.2e}  {progress.seconds_per_step:.2f} s/step  "
        f"waiting {progress.waiting:.0%}  left {left // 3600}:{left // 60 % 60:02d}:{left % 60:02d}"
    )
