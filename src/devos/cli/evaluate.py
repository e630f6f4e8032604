"""`devos evaluate`: score a model, a baseline or masks on disk as the DAVIS programs do."""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from devos.data.catalog import VideoInfo
    from devos.evaluation.benchmark import Scores
    from devos.evaluation.predictors import Predictor
    from devos.evaluation.scoring import Protocol, SequenceScore

app = typer.Typer(help="Score a model, a baseline or saved masks as the DAVIS programs do.", no_args_is_help=True)

DEFAULT_MODEL = "devos-t"


class ProtocolChoice(StrEnum):
    """What `--protocol` takes."""

    AUTO = "auto"
    DAVIS2016 = "davis2016"
    DAVIS2017 = "davis2017"


class Baseline(StrEnum):
    """What `--baseline` takes."""

    COPY_FIRST = "copy-first"
    FLOW_WARP = "flow-warp"


_Protocol = Annotated[
    ProtocolChoice, typer.Option(help="Which program's rules; auto: davis2016 if the masks are 0 and 255.")
]
_Workers = Annotated[
    int | None, typer.Option(min=1, help="Processes that score, a model always in one; default: one per CPU core.")
]
_AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object, figures as fractions of 1.")]


@app.command()
def davis(
    root: Annotated[Path, typer.Option(help="Folder with JPEGImages and Annotations, as DAVIS has them.")],
    model: Annotated[
        str | None, typer.Option(help=f"Model to run: name or file; default: {DEFAULT_MODEL}.", show_default=False)
    ] = None,
    results: Annotated[Path | None, typer.Option(help="Score the masks in this folder instead.")] = None,
    baseline: Annotated[Baseline | None, typer.Option(help="Score a method without learning instead.")] = None,
    split: Annotated[str, typer.Option(help="List in ImageSets; all sequences where there are no lists.")] = "val",
    resolution: Annotated[
        str | None, typer.Option(help="Folder under JPEGImages; default: the only one, or 480p.")
    ] = None,
    protocol: _Protocol = ProtocolChoice.AUTO,
    workers: _Workers = None,
    save: Annotated[Path | None, typer.Option(help="Write the predicted masks here, one folder a sequence.")] = None,
    size: Annotated[int | None, typer.Option(help="Shorter side at which the model works, in pixels.")] = None,
    flow: Annotated[str | None, typer.Option(help="Optical flow of the model: dis, none or raft.")] = None,
    memory_every: Annotated[int | None, typer.Option(help="The model remembers every n-th frame.")] = None,
    bank: Annotated[int | None, typer.Option(help="Most frames that the model remembers.")] = None,
    device: Annotated[str | None, typer.Option(help="Where the model runs: cpu, cuda, ...")] = None,
    as_json: _AsJson = False,
) -> None:
    """Run a model on DAVIS from each first mask and score it; or score a baseline, or saved masks."""
    settings = {"device": device, "size": size, "flow": flow, "memory_every": memory_every, "bank": bank}
    settings = {name: value for name, value in settings.items() if value is not None}
    _check_options(model, results, baseline, settings)
    from devos.data.catalog import find_videos
    from devos.evaluation import predictors

    year = "2016" if protocol is ProtocolChoice.DAVIS2016 and (root / "ImageSets" / "2016").is_dir() else None
    videos = find_videos(root, split=split, resolution=resolution, year=year)
    rules = _rules(protocol, videos)
    predictor: Predictor
    if results is not None:
        predictor = predictors.SavedMasks(results)
    elif baseline is not None:
        predictor = predictors.CopyFirst(rules) if baseline is Baseline.COPY_FIRST else predictors.FlowWarp(rules)
    else:
        workers = 1  # the model stays in this process, with its device
        predictor = _model(model or DEFAULT_MODEL, rules, settings)
    _run(videos, predictors.saving(predictor, save) if save else predictor, rules, workers, as_json)


@app.command()
def masks(
    truth: Annotated[Path, typer.Argument(help="True masks: PNGs, or one folder of PNGs for each sequence.")],
    prediction: Annotated[Path, typer.Argument(help="Predicted masks, in files named as the true ones.")],
    protocol: _Protocol = ProtocolChoice.AUTO,
    workers: _Workers = None,
    as_json: _AsJson = False,
) -> None:
    """Score a folder of predicted masks against a folder of true ones; no pictures are needed."""
    from devos.data.catalog import find_masks
    from devos.evaluation.predictors import SavedMasks

    videos = find_masks(truth)
    _run(videos, SavedMasks(prediction), _rules(protocol, videos), workers, as_json, flat=True)


def _check_options(
    model: str | None, results: Path | None, baseline: Baseline | None, settings: Collection[str]
) -> None:
    from devos.errors import OptionError

    options = {"--model": model, "--results": results, "--baseline": baseline}
    named = [name for name, value in options.items() if value is not None]
    if len(named) > 1:
        raise OptionError(f"{' and '.join(named)} exclude each other; give one of them, or none for {DEFAULT_MODEL}")
    if settings and (results is not None or baseline is not None):
        option = "--" + min(settings).replace("_", "-")
        raise OptionError(f"{option} is for a model, but {named[0]} runs none; leave one of the two out")


def _rules(choice: ProtocolChoice, videos: Iterable[VideoInfo]) -> Protocol:
    from devos.evaluation.scoring import Protocol, choose_protocol

    return choose_protocol(videos) if choice is ProtocolChoice.AUTO else Protocol(choice.value)


def _model(name: str, rules: Protocol, settings: dict[str, Any]) -> Predictor:
    from devos.engine.segmenter import load
    from devos.evaluation.predictors import ModelPredictor

    return ModelPredictor(load(name, **settings), rules)


def _run(
    videos: tuple[VideoInfo, ...],
    predictor: Predictor,
    rules: Protocol,
    workers: int | None,
    as_json: bool,
    *,
    flat: bool = False,
) -> None:
    from devos.evaluation import report
    from devos.evaluation.benchmark import evaluate

    with _progress(videos) as advance:
        scores = evaluate(videos, predictor, rules, workers=workers, on_sequence=advance)
    _warn(scores)
    if as_json:
        typer.echo(json.dumps(report.by_object(scores) if flat else report.by_sequence(scores), indent=2))
        return
    from rich.console import Console

    Console().print(report.table(scores))


def _warn(scores: Scores) -> None:
    for score in scores.sequences:
        for note in score.notes:
            typer.echo(f"warning: {note}", err=True)


@contextmanager
def _progress(videos: tuple[VideoInfo, ...]) -> Iterator[Callable[[SequenceScore], None]]:
    """A bar on stderr that counts frames, where stderr is a terminal."""
    from rich.console import Console
    from rich.progress import Progress

    frames = {video.name: video.num_frames for video in videos}
    with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("scoring", total=sum(frames.values()))
        yield lambda score: progress.advance(task, frames[score.name])
