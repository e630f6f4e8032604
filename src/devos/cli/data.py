"""`devos data`: put a training set together, without what is held back, and pack it for another machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from devos.cli.progress import say

app = typer.Typer(help="Put a training set together and pack it for another machine.", no_args_is_help=True)

_NotIn = Annotated[
    list[Path] | None,
    typer.Option(
        "--not-in", metavar="FOLDER", show_default=False,
        help="Leave out what is also in this folder, such as videos that scores are measured on; may be repeated.",
    ),
]  # fmt: skip
_Terms = Annotated[
    Path | None, typer.Option(help="Text that says where the data come from and what they may be used for.")
]


@app.command()
def build(
    root: Annotated[Path, typer.Argument(help="Folder with video-train (as DAVIS has it) and static (photos).")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="New folder for the archives; default: only look.")
    ] = None,
    not_in: _NotIn = None,
    terms: _Terms = None,
    shard_mb: Annotated[float, typer.Option(min=1, help="Largest archive, in millions of bytes.")] = 59,
    strict: Annotated[bool, typer.Option("--strict", help="Refuse if anything would be left out.")] = False,
    workers: Annotated[int, typer.Option(min=1, help="Processes that read.")] = 1,
) -> None:
    """Check every picture and mask, leave out what is held back, and write OUT/data-000.tar, ... and OUT/manifest.json.

    The same files give the same bytes. `devos train RECIPE --data OUT` takes the archives as they are.
    """
    from devos.data.packing.build import gather, pack
    from devos.errors import InputError

    try:
        text = None if terms is None else terms.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{terms} cannot be read as text ({error}); name a text file with --terms") from error
    found = gather(root, held_back=not_in or (), workers=workers)
    for line in (line for findings in found.findings for line in findings.lines(most=20)):
        say(line)
    for line in found.comparison.lines() if found.comparison is not None else ():
        say(line)
    if strict:
        found.refuse_any_left_out()
    if out is None:
        return
    for shard in pack(found, out, shard_mb=shard_mb, terms=text):
        say(f"{shard.file}: {shard.members} files, {shard.size / 1e6:.1f} MB, sha256 {shard.sha256}")
    typer.echo(out)


@app.command()
def unpack(
    packed: Annotated[Path, typer.Argument(metavar="ARCHIVES", help="Folder that `devos data build` wrote.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="New folder for video-train and static.")],
) -> None:
    """Write the files of the archives, once the hash of each archive is found right."""
    from devos.data.packing.shards import unpack as unpack_to

    typer.echo(unpack_to(packed, out))
