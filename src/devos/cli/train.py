"""`devos train`: train a network on videos and photos with masks."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from devos.cli.progress import say
from devos.cli.segment import Device

if TYPE_CHECKING:
    import torch

    from devos.data.sources import Sources
    from devos.model.devos import DeVOS
    from devos.training.compute import Compute
    from devos.training.distributed import World
    from devos.training.loop import Progress, Validate
    from devos.training.phases import Job
    from devos.training.places import Places
    from devos.training.recipes.recipe import Phase
    from devos.training.run import Run


_Recipe = Annotated[
    str,
    typer.Argument(
        metavar="RECIPE",
        help="The paper's: pretrain, main-1, main-2, main-1-mose, main-2-mose. On your own clips: finetune. "
        "Small: laptop (short-clips, long-clips, many-objects, crowds, parts, turns), lures, debug.",
    ),
]
_Data = Annotated[Path | None, typer.Option(help="Folder with video-train (as DAVIS has it) and static (photos).")]
_Source = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=LAYOUT:ROOT", help="A data set, as in davis=davis2017:/data/DAVIS; may be repeated."),
]
_Init = Annotated[
    Path | None, typer.Option(help="Weights file to start from.", show_default="what the recipe starts from")
]
_Validate = Annotated[
    Path | None, typer.Option(metavar="ROOT", help="Videos in DAVIS's layout on which to score the run as it goes.")
]
_Workers = Annotated[int, typer.Option(min=0, help="Processes that make clips beside each training process.")]


def train(
    recipe: _Recipe,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the checkpoint, the log and the weights.")],
    data: _Data = None,
    videos: Annotated[Path | None, typer.Option(help="Videos in DAVIS's layout, instead of DATA/video-train.")] = None,
    photos: Annotated[Path | None, typer.Option(help="Sets of photos with masks, instead of DATA/static.")] = None,
    source: _Source = None,
    strict: Annotated[bool, typer.Option("--strict", help="Refuse data of which anything is left out.")] = False,
    model: Annotated[str | None, typer.Option(help="devos-t, devos-b or devos-l.", show_default="devos-t")] = None,
    steps: Annotated[int | None, typer.Option(help="Steps of each phase; default: the recipe's.")] = None,
    size: Annotated[int | None, typer.Option(help="Side of the clips, in pixels; default: the recipe's.")] = None,
    seed: Annotated[int | None, typer.Option(help="The same seed gives the same run; default: the recipe's.")] = None,
    init: _Init = None,
    device: Device = "auto",
    precision: Annotated[str, typer.Option(help="float32, bf16 or fp16.")] = "float32",
    accumulate: Annotated[int, typer.Option(help="Take each batch in so many parts, for less memory.")] = 1,
    sharded: Annotated[bool, typer.Option("--sharded", help="Share the network itself out among processes.")] = False,
    compiled: Annotated[bool, typer.Option("--compile", help="Translate the encoder with torch.compile.")] = False,
    validate: _Validate = None,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads of the network.")] = 1,
    workers: _Workers = 1,
    processes: Annotated[int, typer.Option(min=1, help="Processes that train together here, one for each GPU.")] = 1,
) -> None:
    """Train, with a checkpoint in OUT from which the same command goes on; prints the weights as JSON.

    A recipe of several phases has a folder for each in OUT. On several machines:
    torchrun --nnodes 2 --nproc-per-node 4 ... -m devos train RECIPE ...
    """
    if processes > 1:
        from devos.training.launching import is_started, launch

        if not is_started():
            raise typer.Exit(launch(processes, sys.argv[1:]))
    import torch

    from devos.engine.segmenter import released_weights
    from devos.training import places
    from devos.training.compute import Compute
    from devos.training.distributed import joined
    from devos.training.phases import plan
    from devos.training.recipes.book import find_recipe
    from devos.training.recipes.recipe import parts_of
    from devos.training.stopping import Stopped

    torch.set_num_threads(threads)
    try:
        with joined() as world:
            chosen = find_recipe(recipe)
            phases = chosen.configure(model=model, steps=steps, size=size, seed=seed)
            compute = Compute(precision=precision, accumulate=accumulate, sharded=sharded, compiled=compiled)
            named = places.name_places(source or (), data, videos, photos)
            places.check_names(chosen.name, parts_of(phases), named)
            job = plan(chosen, phases, out, init, [path for path, _ in released_weights().values()])
            weights, sources = _run(job, named, compute, device, validate, world, workers=workers, strict=strict)
    except Stopped as stop:
        raise typer.Exit(128 + stop.number) from None
    if world.first:
        typer.echo(json.dumps(summarise(job, weights, sources)))


def _run(job: Job, named: Places, compute: Compute, device: str, validate: Path | None, world: World, *, workers: int,
         strict: bool) -> tuple[Path, Sources]:  # fmt: skip
    """Every phase in turn, in however many processes were started; the first of them speaks for all."""
    from devos.engine.segmenter import choose_device
    from devos.training import places
    from devos.training import run as running

    running.keep_freed_memory()
    place = world.device(choose_device(device))
    tell = say if world.first else _say_nothing
    scorer = None if validate is None else validator(validate, place)
    sources = places.open_places(named, world=world, workers=workers, strict=strict, tell=tell)

    def prepare(phase: Phase, home: Path, weights: Path | None) -> Run:
        return running.prepare(phase.config, home, sources, init=weights, device=str(place), compute=compute,
                               world=world)  # fmt: skip

    def finish(phase: Phase, run: Run | None) -> None:
        tell(headline(job, phase, world))
        if run is not None:
            _finish(run, world, workers, scorer)

    return job.run(prepare, finish, world, sources), sources


def headline(job: Job, phase: Phase, world: World) -> str:
    """What begins, or is done already."""
    place = f"{phase.name}, phase {job.phases.index(phase) + 1} of {len(job.phases)}: " if len(job.phases) > 1 else ""
    processes = f", {world.size} processes" if world.size > 1 else ""
    weights = job.weights(phase)
    done = f", done: {weights}" if weights.is_file() else processes
    return f"{place}{phase.config.model.name}, {phase.config.num_steps} steps{done}"


def summarise(job: Job, weights: Path, sources: Sources) -> dict[str, object]:
    """The result for programs; and lines for people: the losses of each phase's first and last steps, and whether the
    loss on the clips of its first batches fell, where the recipe asks for it.
    """
    from devos.training.judging import judge

    phases: list[dict[str, object]] = []
    for phase, losses in zip(job.phases, job.losses(), strict=True):
        say(
            f"{phase.name}, first steps to last, which are other clips: dice loss {losses.dice[0]:.3f} to "
            f"{losses.dice[1]:.3f}, J {losses.j[0]:.3f} to {losses.j[1]:.3f}, cross-entropy {losses.entropy[0]:.3f} "
            f"(of all pixels) to {losses.entropy[1]:.3f} (of the hardest)"
        )
        phases.append({"name": phase.name, "steps": losses.steps, "dice": losses.dice, "entropy": losses.entropy,
                       "j": losses.j})  # fmt: skip
        if job.judged:
            change = judge(phase, sources, job.before(phase), job.weights(phase), num_batches=job.judged)
            say(f"{phase.name}, the same clips before and after: J {change.j[0]:.3f} to {change.j[1]:.3f}, loss "
                f"{change.before:.3f} to {change.after:.3f}: "
                f"{'it fell' if change.fell else 'it did not fall'}")  # fmt: skip
            phases[-1] |= {"loss_before": change.before, "loss_after": change.after, "fell": change.fell,
                           "j_before": change.j[0], "j_after": change.j[1]}  # fmt: skip
    steps = sum(phase.config.num_steps for phase in job.phases)
    return {"weights": str(weights), "steps": steps, "phases": phases}


def _finish(run: Run, world: World, workers: int, validate: Validate | None) -> None:
    """Train to the end, or until stopped; the first process speaks for all."""
    from devos.extras import install
    from devos.training.board import available
    from devos.training.loop import CHECKPOINT_FILE
    from devos.training.record import LOG_FILE

    tell = say if world.first else _say_nothing
    checkpoint = run.out / CHECKPOINT_FILE
    if run.resumed_at is not None:
        tell(f"going on from step {run.resumed_at} of {checkpoint}")
    elif (run.out / LOG_FILE).exists():
        tell(f"an earlier run in {run.out} ended before its first checkpoint: beginning at step 0")
    tell(f"a checkpoint every minute or so: ended at any time, the same command goes on from {checkpoint}")
    if not available():
        tell(f"tensorboard is not installed ({install('train')}): the figures are in {run.out / 'log.csv'} only")
    try:
        run.to_the_end(workers=workers, watch=report, validate=validate, board=available())
    except KeyboardInterrupt:
        tell(f"stopped at step {run.trainer.step}; the same command goes on from there")
        raise


def _say_nothing(_: str) -> None:
    pass


def validator(root: Path, device: torch.device) -> Validate:
    """What scores a network in training, as `devos evaluate` scores a finished one: J&F, J and F in [0, 1].

    `root`: videos in DAVIS's layout, looked for now; InputError if there are none.
    """
    import torch

    from devos.data.catalog import find_videos
    from devos.engine.segmenter import Segmenter, Settings
    from devos.evaluation.benchmark import evaluate
    from devos.evaluation.predictors import ModelPredictor
    from devos.evaluation.scoring import choose_protocol

    clips = find_videos(root)
    protocol = choose_protocol(clips)

    def validate(model: DeVOS, step: int) -> Mapping[str, float]:
        net = model.to(device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
        segmenter = Segmenter(net.requires_grad_(False), Settings(), device)
        means = evaluate(clips, ModelPredictor(segmenter, protocol), protocol, workers=1).means
        say(f"step {step}  validation J&F {means.jf:.3f}  J {means.j:.3f}  F {means.f:.3f}")
        return {"J&F": means.jf, "J": means.j, "F": means.f}

    return validate


def report(progress: Progress) -> None:
    """A line for each report, for a log as for a terminal."""
    left = round(progress.seconds_left)
    say(
        f"step {progress.step}/{progress.num_steps}  entropy {progress.entropy:.4f}  dice {progress.dice:.4f}  "
        f"J {progress.j:.3f}  rate {progress.learning_rate:.2e}  {progress.seconds_per_step:.2f} s/step  "
        f"waiting {progress.waiting:.0%}  left {left // 3600}:{left // 60 % 60:02d}:{left % 60:02d}"
    )
