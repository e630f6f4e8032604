"""`devos submit`: make what a benchmark's server takes, or check it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from devos.cli.progress import say
from devos.cli.segment import Flip

if TYPE_CHECKING:
    from devos.evaluation.submission.rules import Benchmark

BAD_INPUT = 2

app = typer.Typer(help="Make a submission for a benchmark's server, or check one.", no_args_is_help=True)


class DatasetChoice(StrEnum):
    """The benchmarks, as `devos.evaluation.submission_rules.Dataset` has them."""

    DAVIS = "davis-test-dev"
    YOUTUBE = "youtube-vos"
    MOSE = "mose"
    MOSE2 = "mose2"
    LVOS = "lvos"


_HELP = {
    DatasetChoice.DAVIS: "DAVIS 2017 test-dev (CodaLab 6812); other sets of DAVIS with --split.",
    DatasetChoice.YOUTUBE: "YouTube-VOS 2018 (CodaLab 7685) and 2019 (CodaLab 6066).",
    DatasetChoice.MOSE: "MOSE v1 (CodaLab 10703).",
    DatasetChoice.MOSE2: "MOSE v2 (Codabench 10062).",
    DatasetChoice.LVOS: "LVOS (CodaLab 8767).",
}


def _command_for(dataset: DatasetChoice) -> Callable[..., None]:
    def submit(
        root: Annotated[Path, typer.Option(help="The benchmark's own folder: JPEGImages, Annotations, its lists.")],
        out: Annotated[Path, typer.Option("--out", "-o", help="The zip to write.")],
        masks: Annotated[
            Path | None, typer.Argument(help="Folder of SEQUENCE/FRAME.png; or give --model.", show_default=False)
        ] = None,
        model: Annotated[str | None, typer.Option(help="Make the masks with this model: name or file.")] = None,
        masks_out: Annotated[
            Path | None, typer.Option(help="Where the model's masks are kept; default: beside the zip.")
        ] = None,
        overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a zip that is there.")] = False,
        split: Annotated[
            str | None, typer.Option(help="davis-test-dev: list in ImageSets, as 2017/test-dev; 2019: unsupervised.")
        ] = None,
        every: Annotated[
            int | None, typer.Option(min=1, help="youtube-vos: every n-th picture, not what meta.json asks for.")
        ] = None,
        size: Annotated[int | None, typer.Option(help="Shorter side at which the model works, in pixels.")] = None,
        flow: Annotated[str | None, typer.Option(help="Optical flow of the model: dis, none or raft.")] = None,
        memory_every: Annotated[int | None, typer.Option(help="The model remembers every n-th frame.")] = None,
        bank: Annotated[int | None, typer.Option(help="Most frames that the model remembers.")] = None,
        flip: Flip = False,
        scales: Annotated[
            str | None, typer.Option(metavar="N,N,...", help="The model sees each frame at these multiples of --size.")
        ] = None,
        device: Annotated[str | None, typer.Option(help="Where the model runs: cpu, cuda, ...")] = None,
    ) -> None:
        settings = {
            "size": size, "flow": flow, "memory_every": memory_every, "bank": bank, "flip": flip or None,
            "scales": scales, "device": device,
        }  # fmt: skip
        settings = {name: value for name, value in settings.items() if value is not None}
        _check_options(masks, model, masks_out, settings)
        from devos.evaluation.submission.packing import check_output
        from devos.evaluation.submission.rules import Dataset, read_benchmark

        check_output(out, overwrite=overwrite)
        benchmark = read_benchmark(Dataset(dataset), root, split=split, every=every)
        if masks is None:
            masks = masks_out or out.with_name(f"{out.stem}-masks")
            _run_model(str(model), settings, benchmark, masks)
        _pack(benchmark, masks, out, overwrite=overwrite)

    return submit


for _dataset in DatasetChoice:
    app.command(_dataset.value, help=_HELP[_dataset])(_command_for(_dataset))


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="The zip.")],
    dataset: Annotated[DatasetChoice | None, typer.Option(help="Whose rules; guessed unless given.")] = None,
    root: Annotated[
        Path | None, typer.Option(help="The benchmark's own folder; without it only the zip itself is looked at.")
    ] = None,
    split: Annotated[str | None, typer.Option(help="davis-test-dev: list in ImageSets, as 2017/test-dev.")] = None,
    every: Annotated[int | None, typer.Option(min=1, help="youtube-vos: every n-th picture.")] = None,
) -> None:
    """Check a zip against the server's rules; nothing is unpacked. Exit code 2 if something is wrong."""
    from devos.errors import OptionError
    from devos.evaluation.submission.check import check_submission
    from devos.evaluation.submission.rules import RULES, Dataset, read_benchmark

    if root is not None and dataset is None:
        raise OptionError("--root needs --dataset, to know whose folder it is")
    if root is None and (split is not None or every is not None):
        raise OptionError(f"{'--split' if split is not None else '--every'} needs --root, where the sequences are")
    benchmark = read_benchmark(Dataset(dataset), root, split=split, every=every) if root and dataset else None
    rules = RULES[Dataset(dataset)] if dataset else None
    with _bar("checking") as advance:
        report = check_submission(file, rules=rules, benchmark=benchmark, on_mask=lambda total: advance(1, total))
    guess = " (guessed from its layout; say --dataset if it is another)" if report.is_guess else ""
    typer.echo(f"{file}: {report.num_masks} masks of {report.num_sequences} sequences, for {report.rules.title}{guess}")
    if report.good:
        typer.echo(f"right: {', '.join(report.good)}")
    if root is None:
        typer.echo("not checked without --root: whether sequences, frames, sizes and ids are the benchmark's")
    for line in report.problems:
        typer.echo(f"wrong: {line}")
    _say_notes(report.notes)
    if report.problems:
        raise typer.Exit(BAD_INPUT)
    typer.echo(f"next: upload it to {report.rules.server}")


def _check_options(masks: Path | None, model: str | None, masks_out: Path | None, settings: dict[str, Any]) -> None:
    from devos.errors import OptionError

    if (masks is None) == (model is None):
        raise OptionError("give the folder MASKS, or --model to make the masks; one of the two")
    if model is None and (settings or masks_out is not None):
        option = "--" + min([*settings, *(["masks-out"] if masks_out else [])]).replace("_", "-")
        raise OptionError(f"{option} is for a model, but MASKS are given; leave one of the two out")


def _run_model(name: str, settings: dict[str, Any], benchmark: Benchmark, folder: Path) -> None:
    from devos.engine.segmenter import load
    from devos.engine.settings import parse_scales
    from devos.evaluation.submission.running import num_frames_to_run, run_model

    if "scales" in settings:
        settings = {**settings, "scales": parse_scales(settings["scales"])}
    segmenter = load(name, **settings)
    total = num_frames_to_run(benchmark)
    with _bar("following") as advance:
        try:
            skipped = run_model(segmenter, benchmark, folder, on_frames=lambda frames: advance(frames, total))
        except KeyboardInterrupt:
            say(f"stopped; the same command goes on with the sequences that are not complete in {folder}")
            raise
    if skipped:
        say(f"note: {len(skipped)} sequences were complete in {folder} and were not run again")


def _pack(benchmark: Benchmark, masks: Path, out: Path, *, overwrite: bool) -> None:
    from devos.errors import MaskError
    from devos.evaluation.submission.packing import plan_submission, write_submission

    total = benchmark.num_masks
    with _bar("checking") as advance:
        plan = plan_submission(benchmark, masks, on_mask=lambda: advance(1, total))
    _say_notes(plan.notes)
    for line in plan.problems:
        say(f"wrong: {line}")
    if plan.problems:
        raise MaskError(f"{masks} breaks the rules of {benchmark.rules.title} in {len(plan.problems)} ways, named "
                        "above; no zip was written")  # fmt: skip
    with _bar("packing") as advance:
        done = write_submission(plan, out, overwrite=overwrite, on_mask=lambda: advance(1, total))
    if benchmark.rules.unconfirmed:
        say(f"note: not confirmed: {benchmark.rules.unconfirmed}")
    typer.echo(f"wrote {done.path}: {done.num_masks} masks of {done.num_sequences} sequences, "
               f"{done.num_bytes / 1e6:.1f} MB; next: upload it to {benchmark.rules.server}")  # fmt: skip


def _say_notes(notes: tuple[str, ...]) -> None:
    for line in notes:
        say(f"note: {line}")


@contextmanager
def _bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr, where that is a terminal; it is told how many more are done, and of how many."""
    if not sys.stderr.isatty():
        yield lambda _steps, _total: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task(what, total=None)

        def advance(steps: int, total: int) -> None:
            progress.update(task, advance=steps, total=total)

        yield advance
