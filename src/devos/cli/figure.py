"""`devos figure`: the paper's figures and tables, of one's own videos and results."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from devos.cli.curve import curve
from devos.cli.entries import named_paths
from devos.cli.progress import frame_bar, say
from devos.cli.segment import Device, Model, Size
from devos.cli.worst import worst
from devos.errors import OptionError

if TYPE_CHECKING:
    from devos.frames import Frame

app = typer.Typer(help="Draw what matching sees, how training went, where it fails; compare.", no_args_is_help=True)

MOST_DIFFERENT = 5
"""Frames of a sequence that are compared where none are named."""


app.command()(curve)
app.command()(worst)


class BenchmarkChoice(StrEnum):
    """What `--benchmark` takes."""

    MOSE = "mose"
    DAVIS2016 = "davis2016"
    DAVIS2017 = "davis2017"
    YOUTUBE_VOS19 = "youtube-vos19"


_Png = Annotated[Path, typer.Option("--out", "-o", help="The picture to write, a .png file.")]


@app.command()
def attention(
    video: Annotated[Path, typer.Argument(metavar="INPUT", help="A video file, or a folder of frames.")],
    masks: Annotated[
        Path, typer.Option("--masks", "-m", help="PNG for the first frame, or folder of PNGs named as their frames.")
    ],
    frame: Annotated[int, typer.Option(min=1, help="Frame to look at; the video's first is 0.")],
    out: _Png,
    point: Annotated[
        list[str] | None,
        typer.Option(help="A query X,Y in pixels; may be repeated. Default: the object's middle.", show_default=False),
    ] = None,
    object_id: Annotated[
        list[int] | None,
        typer.Option("--object", help="Object whose middle is a query; may be repeated. Default: the lowest id.",
                     show_default=False),
    ] = None,
    mp4: Annotated[bool, typer.Option("--mp4", help="Also write a film of every frame up to it, beside OUT.")] = False,
    model: Model = "devos-t",
    device: Device = "auto",
    size: Size = 384,
    memory_every: Annotated[int, typer.Option(help="Remember every n-th frame.")] = 5,
    bank: Annotated[int, typer.Option(help="Most frames that are remembered.")] = 6,
    flow: Annotated[str, typer.Option(help="Optical flow: dis, none or raft.")] = "dis",
) -> None:  # fmt: skip
    """Draw what a query reads from the memory bank, and from the frame before (Figure 1)."""
    film = _film_beside(out) if mp4 else None
    points = [_point(words) for words in point or ()]
    from devos.engine.segmenter import load
    from devos.evaluation.figures.attention import attention_pages
    from devos.evaluation.figures.queries import Queries
    from devos.evaluation.figures.sheet import save_pages
    from devos.io import open_video, read_masks

    with open_video(video) as reader:
        given = read_masks(masks, reader)
        segmenter = load(model, device=device, size=size, memory_every=memory_every, bank=bank, flow=flow)
        frames, queries = _with_bar(reader, frame + 1), Queries(points, object_id or ())
        save_pages(attention_pages(frames, given, segmenter, frame, queries, every=mp4), out, film, reader.fps)
    for path in (out, film):
        if path is not None:
            typer.echo(path)


@app.command()
def compare(
    root: Annotated[Path, typer.Option(help="Folder with JPEGImages and perhaps Annotations, as DAVIS has them.")],
    results: Annotated[list[str], typer.Option(help="NAME=FOLDER of a method's masks; once for each method.")],
    out: _Png,
    truth: Annotated[bool, typer.Option("--truth", help="True masks in the first row, and J in the others.")] = False,
    sequence: Annotated[
        list[str] | None, typer.Option(help="Sequence to show; may be repeated. Default: all.", show_default=False)
    ] = None,
    frames: Annotated[
        str | None, typer.Option(help="Frames to show, as 10,20,30; the first is 0.", show_default=False)
    ] = None,
    num_different: Annotated[
        int | None, typer.Option("--most-different", min=1, help="Show so many frames where the methods differ most.",
                                 show_default=f"{MOST_DIFFERENT}, unless --frames"),
    ] = None,
    single_object: Annotated[
        bool, typer.Option("--single-object", help="Any value but 0 is the object; so for true masks of 0 and 255.")
    ] = False,
    resolution: Annotated[
        str | None, typer.Option(help="Folder under JPEGImages; default: the only one, or 480p.")
    ] = None,
    mp4: Annotated[bool, typer.Option("--mp4", help="Also write a film of each whole sequence, beside OUT.")] = False,
    fps: Annotated[float, typer.Option(min=1, max=240, help="Frame rate of the film.")] = 24,
) -> None:  # fmt: skip
    """Show the masks of several methods on the same frames: a row each (Figures 2 and 3)."""
    if frames is not None and num_different is not None:
        raise OptionError("--frames and --most-different exclude each other; give one of them")
    film = _film_beside(out) if mp4 else None
    folders = named_paths(results, "--results", "NAME=FOLDER")
    indices = None if frames is None else _numbers(frames)
    from devos.data.catalog import find_videos
    from devos.evaluation.figures import strips
    from devos.evaluation.figures.sheet import save_pages, save_png

    videos = strips.pick(find_videos(root, resolution=resolution), sequence or ())
    parts = []
    for video in videos:
        single = single_object or strips.is_single_object(video)
        parts.append(strips.compare(video, folders, truth=truth, single_object=single))
    count = num_different or MOST_DIFFERENT
    chosen = [strips.choose_frames(part, count) if indices is None else part.checked(indices) for part in parts]
    save_png(strips.strips_page(list(zip(parts, chosen, strict=True))), out)
    typer.echo(out)
    for part in parts if film else ():
        assert film is not None
        path = film if len(parts) == 1 else film.with_name(f"{film.stem}-{part.video.name}.mp4")
        save_pages(strips.film_pages(part), None, path, Fraction(fps).limit_denominator(1001))
        typer.echo(path)


@app.command()
def table(
    benchmark: Annotated[BenchmarkChoice, typer.Option(help="Whose rows.")],
    scores: Annotated[
        list[str] | None,
        typer.Option(help="Own scores, FILE or NAME=FILE, as `devos evaluate ... --json` prints; may be repeated.",
                     show_default=False),
    ] = None,
    training: Annotated[
        list[str] | None,
        typer.Option(help="What the method of each --scores was trained on, in the same order.", show_default=False),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="A .md, .csv or .tex file; default: print Markdown.")
    ] = None,
) -> None:  # fmt: skip
    """Put published scores, with source and training data, beside one's own (Tables 1 and 2)."""
    from devos.evaluation.figures import published
    from devos.evaluation.figures.published_formats import table_text
    from devos.io.files import replacing

    files = named_paths(scores or (), "--scores", "FILE or NAME=FILE", name_of=lambda path: path.stem)
    if training and len(training) != len(files):
        raise OptionError(f"--training is given {len(training)} times, but --scores {len(files)}; give one for each")
    trained: Sequence[str | None] = training or [None] * len(files)
    measured = [
        published.read_scores(path, name, data) for (name, path), data in zip(files.items(), trained, strict=True)
    ]
    result = published.score_table(published.Benchmark(benchmark.value), measured)
    text = table_text(result, ".md" if out is None else out.suffix.lower())
    if out is None:
        typer.echo(text, nl=False)
        return
    with replacing(out) as temporary:
        temporary.write_text(text, encoding="utf-8")
    for note in result.notes:
        say(f"note: {note}")
    typer.echo(out)


def _film_beside(out: Path) -> Path:
    return out.with_suffix(".mp4")


def _point(words: str) -> tuple[float, float]:
    try:
        x, y = (float(part) for part in words.split(","))
    except ValueError:
        raise OptionError(f"--point is X,Y in pixels of the frame, as 120,80; got {words!r}") from None
    return x, y


def _numbers(words: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in words.split(","))
    except ValueError:
        raise OptionError(f"--frames are whole numbers with commas between, as 10,20,30; got {words!r}") from None


def _with_bar(frames: Iterable[Frame], total: int) -> Iterator[Frame]:
    """The same frames, with a bar on stderr where that is a terminal."""
    from devos.pipeline.segment import Progress

    begun = time.perf_counter()
    with frame_bar("looking") as show:
        for count, frame in enumerate(frames, start=1):
            yield frame
            show(Progress(count, total, time.perf_counter() - begun))
