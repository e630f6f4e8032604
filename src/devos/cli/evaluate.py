"""`devos evaluate`: score a model, a baseline or masks on disk as the benchmarks' own programs do."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from devos.cli.segment import PRECISION_HELP

if TYPE_CHECKING:
    from devos.evaluation.benchmark import Scores
    from devos.evaluation.job import Job, Method, Outcome, Watch

app = typer.Typer(
    help="Score a model, a baseline or saved masks as the benchmarks' own programs do.", no_args_is_help=True
)

DEFAULT_MODEL = "devos-t"

DATASETS = {
    "davis": "DAVIS 2016 or 2017, or any folder in its layout",
    "youtube-vos": "YouTube-VOS, 2018 or 2019, where true masks are at hand",
    "mose": "MOSE v1, where true masks are at hand",
    "mose2": "MOSE v2",
    "lvos": "LVOS",
}
"""What `devos evaluate` knows the layout and the rules of."""

REPRODUCED = 1e-9
"""Means that differ by no more are the same."""


class ProtocolChoice(StrEnum):
    """What `--protocol` takes."""

    AUTO = "auto"
    DAVIS2016 = "davis2016"
    DAVIS2017 = "davis2017"
    DAVIS2017_UNSUPERVISED = "davis2017-unsupervised"
    VOS_BENCHMARK = "vos-benchmark"
    VOS_BENCHMARK_ALL = "vos-benchmark-all"
    YOUTUBE_VOS = "youtube-vos"
    MOSE = "mose"
    MOSE2 = "mose2"
    LVOS = "lvos"


class BaselineChoice(StrEnum):
    """What `--baseline` takes."""

    COPY_FIRST = "copy-first"
    FLOW_WARP = "flow-warp"


_Protocol = Annotated[
    ProtocolChoice,
    typer.Option(help="Whose rules; auto: the benchmark's own, for DAVIS 2016 if the masks are 0 and 255, else 2017."),
]
_Workers = Annotated[
    int | None, typer.Option(min=1, help="Processes that score, a model always in one; default: one per CPU core.")
]
_AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
_Out = Annotated[
    Path | None,
    typer.Option("--out", "-o", help="Folder for report.html, tables (CSV), scores.json and run.json; new or empty."),
]
_Meta = Annotated[
    Path | None, typer.Option(help="The benchmark's meta.json; default: the one in the root.", show_default=False)
]
_Unseen = Annotated[
    Path | None,
    typer.Option(
        help="What is unseen: a list of sequences, or the training set's meta.json; default: unseen_videos.txt.",
        show_default=False,
    ),
]
_NoCache = Annotated[bool, typer.Option("--no-cache", help="Score saved masks anew even if their scores are kept.")]

_FineBank = Annotated[int | None, typer.Option(help="How many of the newest of them it remembers in detail.")]
_Focus = Annotated[
    bool | None, typer.Option("--focus/--no-focus", help="Whether it computes detail only where an object may be.")
]
_Size = Annotated[
    str | None,
    typer.Option(metavar="N|auto", help="Shorter side at which the model works; default: auto, by what is marked."),
]
_Precision = Annotated[str | None, typer.Option(help=PRECISION_HELP)]


def _dataset_command(dataset: str) -> Callable[..., None]:
    """The command of one data set; all take the same options."""

    def command(
        root: Annotated[Path, typer.Option(help="Folder with JPEGImages and Annotations.")],
        model: Annotated[
            str | None, typer.Option(help=f"Model to run: name or file; default: {DEFAULT_MODEL}.", show_default=False)
        ] = None,
        results: Annotated[Path | None, typer.Option(help="Score the masks in this folder instead.")] = None,
        baseline: Annotated[
            BaselineChoice | None, typer.Option(help="Score a method without learning instead.")
        ] = None,
        split: Annotated[
            str | None, typer.Option(help="List in ImageSets; all sequences where there are no lists.")
        ] = "val" if dataset == "davis" else None,
        resolution: Annotated[
            str | None, typer.Option(help="Folder under JPEGImages; default: the only one, or 480p.")
        ] = None,
        protocol: _Protocol = ProtocolChoice.AUTO,
        meta: _Meta = None,
        unseen: _Unseen = None,
        out: _Out = None,
        save: Annotated[Path | None, typer.Option(help="Write just the masks here, one folder a sequence.")] = None,
        stability: Annotated[
            bool, typer.Option("--stability", help="With --out: measure how steady masks are along optical flow.")
        ] = False,
        size: _Size = None,
        flow: Annotated[str | None, typer.Option(help="Optical flow of the model: dis, none or raft.")] = None,
        memory_every: Annotated[int | None, typer.Option(help="The model remembers every n-th frame.")] = None,
        bank: Annotated[int | None, typer.Option(help="Most frames that the model remembers.")] = None,
        fine_bank: _FineBank = None,
        focus: _Focus = None,
        flip: Annotated[
            bool, typer.Option("--flip", help="The model sees each frame mirrored too; twice the time.")
        ] = False,
        scales: Annotated[
            str | None, typer.Option(help="The model sees each frame at several sizes: 0.75,1,1.25 times --size.")
        ] = None,
        device: Annotated[str | None, typer.Option(help="Where the model runs: cpu, cuda, ...")] = None,
        runtime: Annotated[
            str | None, typer.Option(help="What computes the model: auto (the fastest here), torch, onnx, openvino.")
        ] = None,
        precision: _Precision = None,
        workers: _Workers = None,
        no_cache: _NoCache = False,
        as_json: _AsJson = False,
    ) -> None:
        method, name = _method(model, results, baseline)
        settings = {"device": device, "size": size, "flow": flow, "memory_every": memory_every, "bank": bank,
                    "fine_bank": fine_bank, "focus": focus, "flip": flip or None, "scales": scales,
                    "runtime": runtime, "precision": precision}  # fmt: skip
        _check_options(model, results, baseline, settings, out, save, stability)
        job = _job(dataset, protocol, settings, method=method, name=name, root=_absolute(root), split=split,
                   resolution=resolution, meta=_absolute(meta), unseen=_absolute(unseen))  # fmt: skip
        outcome = _run(job, out=out, save=save, stability=stability, workers=workers, no_cache=no_cache)
        _present(outcome, out, as_json)

    command.__doc__ = f"{DATASETS[dataset]}: run a model from the masks that are given, or score saved masks."
    return command


def _job(dataset: str, choice: ProtocolChoice, settings: Mapping[str, Any], **fields: Any) -> Job:
    """The job that the options describe; what was not given is left to its default."""
    from devos.engine.settings import parse_scales
    from devos.engine.sizes import AUTO, parse_size
    from devos.evaluation.job import Job

    rules = choice if dataset == "davis" or choice is not ProtocolChoice.AUTO else ProtocolChoice(dataset)
    lists = Path(fields["root"]) / "ImageSets" / "2016"
    year = "2016" if rules is ProtocolChoice.DAVIS2016 and lists.is_dir() else None
    given = {name: value for name, value in settings.items() if value is not None}
    if "scales" in given:
        given["scales"] = parse_scales(given["scales"])
    if fields["method"] == "model":
        given["size"] = parse_size(given.get("size", AUTO))
    return Job(protocol=_protocol(rules), year=year, settings=given, **fields)


for _dataset in DATASETS:
    app.command(_dataset)(_dataset_command(_dataset))


@app.command()
def masks(
    truth: Annotated[Path, typer.Argument(help="True masks: PNGs, or one folder of PNGs for each sequence.")],
    prediction: Annotated[Path, typer.Argument(help="Predicted masks, in files named as the true ones.")],
    protocol: _Protocol = ProtocolChoice.AUTO,
    meta: _Meta = None,
    unseen: _Unseen = None,
    out: _Out = None,
    workers: _Workers = None,
    no_cache: _NoCache = False,
    as_json: _AsJson = False,
) -> None:
    """Any folder of predicted masks against a folder of true ones; no pictures are needed."""
    from devos.evaluation.job import Job, Method

    _check_new(out)
    job = Job(
        method=Method.RESULTS, name=str(prediction.resolve()), root=str(truth.resolve()), masks_only=True,
        protocol=_protocol(protocol), meta=_absolute(meta), unseen=_absolute(unseen),
    )  # fmt: skip
    _present(_run(job, out=out, workers=workers, no_cache=no_cache), out, as_json, flat=True)


@app.command()
def again(
    run: Annotated[Path, typer.Argument(metavar="RUN_JSON", help="The run.json that `--out` wrote, or its folder.")],
    root: Annotated[Path | None, typer.Option(help="Where the data are now, if not where they were.")] = None,
    device: Annotated[str | None, typer.Option(help="Where the model runs now, if not where it did.")] = None,
    out: _Out = None,
    workers: _Workers = None,
) -> None:
    """Do an evaluation again from its run.json alone, and say whether the figures are the same (exit code 1 if not)."""
    from dataclasses import replace

    from devos.evaluation.job import compare, read_job

    _check_new(out)
    job, before = read_job(run)
    if root is not None:
        job = replace(job, root=str(root.resolve()))
    if device is not None:
        job = replace(job, settings={**job.settings, "device": device})
    outcome = _run(job, out=out, workers=workers, no_cache=True)
    comparison = compare(before, outcome)
    for change in comparison.changes:
        typer.echo(f"warning: {change}", err=True)
    same = comparison.largest <= REPRODUCED
    if math.isinf(comparison.largest):
        typer.echo("not the same: other objects were scored than then")
    else:
        means, then = outcome.scores.means, before["means"]
        verdict = "the same" if same else f"not the same: means of objects differ by up to {comparison.largest:.2e}"
        typer.echo(f"{verdict}; J&F {100 * then['jf']:.2f} then, {100 * means.jf:.2f} now")
    if not same:
        raise typer.Exit(1)


def _method(model: str | None, results: Path | None, baseline: BaselineChoice | None) -> tuple[Method, str]:
    from devos.evaluation.job import Method

    if results is not None:
        return Method.RESULTS, str(results.resolve())
    if baseline is not None:
        return Method.BASELINE, baseline.value
    name = model or DEFAULT_MODEL
    return Method.MODEL, str(Path(name).resolve()) if Path(name).suffix == ".safetensors" else name


def _check_options(
    model: str | None, results: Path | None, baseline: BaselineChoice | None, settings: Mapping[str, Any],
    out: Path | None, save: Path | None, stability: bool,
) -> None:  # fmt: skip
    from devos.errors import OptionError

    options = {"--model": model, "--results": results, "--baseline": baseline}
    named = [name for name, value in options.items() if value is not None]
    if len(named) > 1:
        raise OptionError(f"{' and '.join(named)} exclude each other; give one of them, or none for {DEFAULT_MODEL}")
    given = [name for name, value in settings.items() if value is not None]
    if given and (results is not None or baseline is not None):
        option = "--" + min(given).replace("_", "-")
        raise OptionError(f"{option} is for a model, but {named[0]} runs none; leave one of the two out")
    if save is not None and results is not None:
        raise OptionError("--save keeps masks that are made, but --results makes none; leave one of the two out")
    if stability and out is None:
        raise OptionError("--stability is told in the report; give a folder for it with --out")
    _check_new(out)


def _check_new(out: Path | None) -> None:
    """Before hours of work, not after them."""
    from devos.io.files import prepare_output

    if out is not None:
        prepare_output(out)


def _absolute(path: Path | None) -> Any:
    return None if path is None else str(path.resolve())


def _protocol(choice: ProtocolChoice) -> Any:
    from devos.evaluation.rules.protocols import Protocol

    return None if choice is ProtocolChoice.AUTO else Protocol(choice.value)


def _run(job: Job, *, no_cache: bool, **options: Any) -> Outcome:
    from devos.evaluation.cache import ScoreCache, default_folder
    from devos.evaluation.job import run_job

    cache = None if no_cache else ScoreCache(default_folder())
    with _watching() as watch:
        return run_job(job, cache=cache, watch=watch, **options)


def _present(outcome: Outcome, out: Path | None, as_json: bool, *, flat: bool = False) -> None:
    from devos.evaluation.reports import rows

    scores = outcome.scores
    _warn(scores)
    if as_json:
        typer.echo(json.dumps(rows.by_object(scores) if flat else rows.by_sequence(scores), indent=2))
    else:
        from rich.console import Console

        Console().print(rows.table(scores))
    if out is not None:
        typer.echo(f"wrote {out / 'report.html'}, tables and run.json", err=True)


def _warn(scores: Scores) -> None:
    for score in scores.sequences:
        for note in score.notes:
            typer.echo(f"warning: {note}", err=True)


@contextmanager
def _watching() -> Iterator[Watch]:
    """A bar on stderr that counts frames and names the sequence, where stderr is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from devos.evaluation.job import Watch

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(compact=True))
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("reading", total=None)

        def begin(frames: Mapping[str, int]) -> None:
            progress.update(task, total=sum(frames.values()), description="scoring")

        yield Watch(begin, lambda name, count: progress.update(task, advance=count, description=name))
