"""`devos ablate`: what a part of the network is worth, trained and scored from scratch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from devos.cli.progress import say
from devos.cli.train import report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from devos.data.catalog import VideoInfo


def ablate(
    variants: Annotated[
        list[str],
        typer.Argument(
            metavar="VARIANT...",
            help="full, no-flow, flow-offsets-only, semantic-offsets-only, local-window, one-scale, no-long-term, "
            "no-injection; or all. The whole network is always trained too, to compare with.",
        ),
    ],
    data: Annotated[Path, typer.Option(help="Folder with video-train (as DAVIS has it) and static (photos).")],
    root: Annotated[
        list[Path], typer.Option(help="Folder in DAVIS's layout to score on; several are scored one by one.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the runs; what is done is not done again.")],
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each variant.")] = 3,
    steps: Annotated[int, typer.Option(min=1, help="Optimisation steps of a run.")] = 250,
    train_size: Annotated[int, typer.Option(min=64, help="Side of the clips, in pixels, a multiple of 32.")] = 160,
    size: Annotated[int, typer.Option(min=64, help="Shorter side when scoring, in pixels.")] = 192,
) -> None:
    """Train the network without one of its parts, several seeds, equal budget; print a table (Markdown)."""
    names = _names(variants)
    import torch

    from devos.data.catalog import find_videos
    from devos.experiments.ablations import Budget, read_results, run_variant, table
    from devos.training import run as running
    from devos.training.places import folders_below
    from devos.training.recipes.recipe import check_size

    check_size(train_size, "--train-size")
    torch.set_num_threads(1)
    running.keep_freed_memory()
    videos, photos = folders_below(data)
    tests: dict[str, tuple[VideoInfo, ...]] = {folder.resolve().name: find_videos(folder) for folder in root}
    budget = Budget(num_steps=steps, train_size=train_size, size=size)
    # Seed by seed, so that a table of a run that was cut short compares like with like.
    for seed in range(seeds):
        for name in names:
            result = run_variant(name, seed, budget, out, videos=videos, photos=photos, tests=tests, watch=report)
            marks = ", ".join(f"{test} {100 * means['jf']:.1f}" for test, means in result.scores.items())
            say(f"{name}, seed {seed}: J&F {marks}")
    typer.echo(table([r for r in read_results(out) if r.variant in names and r.budget == budget]))


def _names(variants: Sequence[str]) -> list[str]:
    from devos.errors import OptionError
    from devos.experiments.ablations import VARIANTS

    unknown = [name for name in variants if name not in (*VARIANTS, "all")]
    if unknown:
        raise OptionError(f"no variant is called {unknown[0]!r}; choose among {', '.join(VARIANTS)}, all")
    wanted = set(VARIANTS) if "all" in variants else {next(iter(VARIANTS)), *variants}
    return [name for name in VARIANTS if name in wanted]
