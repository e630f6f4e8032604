"""`devos export`: the network for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Write the network for other programs.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Write the network for other programs."""


@app.command()
def onnx(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="devos-t, or a weights file.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the graphs and their manifest.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier export in OUT.")] = False,
) -> None:
    """Write every computation of a step as ONNX graphs, for frames of any size and any number of objects.

    OUT/encode.onnx, look.onnx, match.onnx, refine.onnx, memorise.onnx, and manifest.json, which says what they take
    and give and how a video is followed with them. They need no part of devos and no torch: docs/runtimes.md has an
    example.
    """
    from devos.engine.segmenter import find_weights
    from devos.errors import OptionError
    from devos.model.checkpoint import load_weights
    from devos.runtimes.export import write_graphs
    from devos.runtimes.graphs import refusal

    net, weights = load_weights(find_weights(model)[0])
    if (reason := refusal(weights.config)) is not None:
        raise OptionError(f"{model} cannot be made into graphs, for {reason}")
    manifest = write_graphs(net, out, weights_sha256=weights.sha256, overwrite=overwrite)
    files = ", ".join(graph["file"] for graph in manifest["graphs"].values())
    typer.echo(f"wrote {files} and manifest.json to {out}")
