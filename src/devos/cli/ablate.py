"""`devos ablate`: what a part of the network, or of its data, is worth, trained and scored."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from devos.cli.progress import say
from devos.cli.segment import Device
from devos.cli.train import report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from devos.experiments.results import Budget, Difference, Result, Row, Tests

TABLE_1 = "table1"
CROWDS = "crowds"

_Variants = Annotated[
    list[str],
    typer.Argument(
        metavar="VARIANT...",
        help="Of the network: full, no-flow, flow-offsets-only, semantic-offsets-only, local-window, one-scale, "
        "no-long-term, no-injection; or all. The whole network is always trained too, to compare with. "
        "Of the data: table1, the paper's ablation of MOSE and importance sampling, which needs --source and --init; "
        "crowds, the same in small with made-up crowds in MOSE's place.",
    ),
]
_Source = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=LAYOUT:ROOT", help="For table1: davis=..., youtube-vos=..., mose=..."),
]


def ablate(
    variants: _Variants,
    root: Annotated[
        list[Path], typer.Option(help="Folder in DAVIS's layout to score on; several are scored one by one.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the runs; what is done is not done again.")],
    data: Annotated[
        Path | None, typer.Option(help="Folder with video-train (as DAVIS has it) and static (photos).")
    ] = None,
    split: Annotated[str | None, typer.Option(help="List of ImageSets of the sequences to score on, as val.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each variant.")] = 3,
    steps: Annotated[
        int | None, typer.Option(min=2, help="Optimisation steps of a run.", show_default="250; table1: 150,000")
    ] = None,
    train_size: Annotated[
        int | None,
        typer.Option(
            min=64, help="Side of the clips, in pixels, a multiple of 32.", show_default="160; table1: 448"
        ),
    ] = None,
    size: Annotated[
        int | None, typer.Option(min=64, help="Shorter side when scoring, in pixels.", show_default="192; table1: 480")
    ] = None,
    source: _Source = None,
    init: Annotated[Path | None, typer.Option(help="For table1: weights that all runs start from.")] = None,
    device: Device = "auto",
    precision: Annotated[str, typer.Option(help="For table1: float32, bf16 or fp16.")] = "float32",
    workers: Annotated[int, typer.Option(min=0, help="For table1: processes that make clips beside each.")] = 1,
) -> None:  # fmt: skip
    """Train without a part of the network or of the data, several seeds, equal budget; print a table (Markdown)."""
    import torch

    from devos.data.catalog import find_videos
    from devos.errors import OptionError
    from devos.experiments.results import Budget
    from devos.training import run as running
    from devos.training.recipes.recipe import check_size

    alone = [name for name in (TABLE_1, CROWDS) if name in variants]
    if alone and len(set(variants)) > 1:
        raise OptionError(f"{alone[0]} is a table of its own; give it alone")
    names = [] if alone else _names(variants)
    large = alone == [TABLE_1]
    budget = Budget(num_steps=steps or (150_000 if large else 250), train_size=train_size or (448 if large else 160),
                    size=size or (480 if large else 192))  # fmt: skip
    check_size(budget.train_size, "--train-size")
    torch.set_num_threads(1)
    running.keep_freed_memory()
    tests = {folder.resolve().name: find_videos(folder, split=split) for folder in root}
    if large:
        _table_1(budget, seeds, out, source or (), init, tests, device, precision, workers)
    elif alone:
        _crowds(budget, seeds, out, _needed(data), tests)
    else:
        _parts(names, budget, seeds, out, _needed(data), tests)


def _parts(names: list[str], budget: Budget, seeds: int, out: Path, data: Path, tests: Tests) -> None:
    from devos.experiments.ablations import DIFFERENCE, ROWS, run_variant
    from devos.training.places import folders_below

    videos, photos = folders_below(data)

    def run(name: str, seed: int) -> Result:
        return run_variant(name, seed, budget, out, videos=videos, photos=photos, tests=tests, watch=report)

    _run_all(names, seeds, run)
    _print(out, budget, [row for row in ROWS if row.variant in names], DIFFERENCE)


def _crowds(budget: Budget, seeds: int, out: Path, data: Path, tests: Tests) -> None:
    from devos.errors import InputError
    from devos.experiments.crowds import DIFFERENCE, ROWS, VARIANTS, Places, crowd_tests, make_crowds, run_variant
    from devos.training.places import folders_below

    videos, photos = folders_below(data)
    if videos is None or photos is None:
        raise InputError(
            f"{data}: crowds needs both video-train (videos) and static (photos, of which crowds are made)"
        )
    train, test = make_crowds(photos, out)
    places, all_tests = Places(videos, train), {**tests, **crowd_tests(test)}

    def run(name: str, seed: int) -> Result:
        return run_variant(name, seed, budget, out, places=places, tests=all_tests, watch=report)

    _run_all(list(VARIANTS), seeds, run)
    _print(out, budget, ROWS, DIFFERENCE)


def _table_1(
    budget: Budget, seeds: int, out: Path, sources: Sequence[str], init: Path | None, tests: Tests, device: str,
    precision: str, workers: int,
) -> None:  # fmt: skip
    """In however many processes were started; the first of them speaks for all."""
    from dataclasses import replace

    from devos.engine.segmenter import choose_device
    from devos.errors import OptionError
    from devos.experiments.mose import DIFFERENCE, ROWS, VARIANTS, Means, phases_of, run_variant
    from devos.model.checkpoint import read_weights
    from devos.training import places
    from devos.training.compute import Compute
    from devos.training.distributed import joined
    from devos.training.recipes.recipe import parts_of

    with joined() as world:
        if init is None:
            raise OptionError(
                "table1 goes on from the weights of pretrain, of any of the three sizes; give them with --init"
            )
        budget = replace(budget, model=read_weights(init).config.name)
        named = places.name_places(sources)
        places.check_names(TABLE_1, parts_of(phase for name in VARIANTS for phase in phases_of(name, 0, budget)), named)
        compute = Compute(precision=precision)
        tell = say if world.first else _say_nothing
        opened = places.open_places(named, world=world, workers=workers, tell=tell)
        means = Means(device=str(world.device(choose_device(device))), compute=compute, world=world, workers=workers)

        def run(name: str, seed: int) -> Result | None:
            return run_variant(
                name, seed, budget, out, init=init, sources=opened, tests=tests, means=means, watch=report
            )

        _run_all(list(VARIANTS), seeds, run)
        if world.first:
            _print(out, budget, ROWS, DIFFERENCE)


def _run_all(names: list[str], seeds: int, run: Callable[[str, int], Result | None]) -> None:
    """Seed by seed, so that a table of runs that were cut short compares like with like."""
    for seed in range(seeds):
        for name in names:
            result = run(name, seed)
            if result is not None:
                marks = ", ".join(f"{test} {100 * means['jf']:.1f}" for test, means in result.scores.items())
                say(f"{name}, seed {seed}: J&F {marks}")


def _print(out: Path, budget: Budget, rows: Sequence[Row], difference: Difference) -> None:
    from devos.experiments.results import read_results, table

    typer.echo(table([result for result in read_results(out) if result.budget == budget], rows, difference))


def _needed(data: Path | None) -> Path:
    from devos.errors import OptionError

    if data is None:
        raise OptionError("this needs training data; give --data, a folder with video-train and static")
    return data


def _say_nothing(_: str) -> None:
    pass


def _names(variants: Sequence[str]) -> list[str]:
    from devos.errors import OptionError
    from devos.experiments.ablations import VARIANTS

    unknown = [name for name in variants if name not in (*VARIANTS, "all")]
    if unknown:
        raise OptionError(f"no variant is called {unknown[0]!r}; choose among {', '.join(VARIANTS)}, all, or {TABLE_1} "
                          f"or {CROWDS}")  # fmt: skip
    wanted = set(VARIANTS) if "all" in variants else {next(iter(VARIANTS)), *variants}
    return [name for name in VARIANTS if name in wanted]
