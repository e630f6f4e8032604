"""`devos figure worst`: the worst frames of each sequence of an evaluation, a picture a sequence."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from devos.cli.progress import say


def worst(
    report: Annotated[Path, typer.Argument(metavar="REPORT", help="The folder that `devos evaluate ... -o` wrote.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for SEQUENCE.png; made if it is not there.")],
    count: Annotated[int, typer.Option(min=1, max=20, help="Frames of each sequence.")] = 5,
    sequence: Annotated[
        list[str] | None, typer.Option(help="Sequence to show; may be repeated. Default: all.", show_default=False)
    ] = None,
    root: Annotated[Path | None, typer.Option(help="Where the data are now, if not where they were.")] = None,
) -> None:
    """Show the worst frames of each sequence: the true outline, and what was missed or marked falsely; J and F."""
    from dataclasses import replace

    from devos.evaluation.cache import ScoreCache, default_folder
    from devos.evaluation.figures.failures import worst_page
    from devos.evaluation.figures.sheet import save_png
    from devos.evaluation.figures.strips import pick
    from devos.evaluation.job import Method, read_job, run_job
    from devos.evaluation.reports.worst import worst_frames
    from devos.io.files import MASKS_FOLDER, output_error

    job, _ = read_job(report)
    home = report if report.is_dir() else report.parent
    masks = Path(job.name) if job.method is Method.RESULTS else home / MASKS_FOLDER
    job = replace(job, method=Method.RESULTS, name=str(masks.resolve()), root=str((root or Path(job.root)).resolve()))
    videos = {video.name: video for video in job.videos()}
    chosen = {video.name for video in pick(tuple(videos.values()), sequence or ())}
    scores = run_job(job, cache=ScoreCache(default_folder())).scores
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(out, error) from error
    for score in scores.sequences:
        if score.name not in chosen:
            continue
        if not worst_frames(score, count):
            say(f"{score.name}: no frame is wrong")
            continue
        path = out / f"{score.name}.png"
        save_png(worst_page(videos[score.name], score, masks, scores.protocol, count), path, smallest=False)
        typer.echo(path)
