"""`devos app`: the page on which one marks, follows, looks and corrects."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from devos.cli.progress import say
from devos.cli.segment import Device, Model, Size


def app(
    what: Annotated[
        Path | None,
        typer.Argument(metavar="[VIDEO|FOLDER|PROJECT]", show_default=False,
                       help="A video, a folder of frames, a folder of those, or what devos wrote; the demo clip "
                            "unless given."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Folder for the project; VIDEO-devos here unless given.", show_default=False),
    ] = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page.")] = True,
    port: Annotated[int, typer.Option(help="0: any that is free.")] = 8741,
    host: Annotated[str, typer.Option(help="Another than 127.0.0.1 lets others in, who need the printed token.")] =
        "127.0.0.1",
    root: Annotated[
        list[Path] | None, typer.Option(help="A folder of which the page may open and write; may be repeated.")
    ] = None,
    click_model: Annotated[
        str, typer.Option(help="auto, clicks (ours), grabcut (no network), or SAM's ENCODER.onnx,DECODER.onnx.")
    ] = "auto",
    model: Model = "devos-t",
    device: Device = "auto",
    size: Size = 384,
) -> None:  # fmt: skip
    """Mark objects in a browser, follow them, look and correct. All is kept in the project, at once."""
    try:
        from devos.app.running import serve
    except ModuleNotFoundError as error:
        if error.name in ("starlette", "uvicorn", "pydantic"):
            from devos.errors import OptionError
            from devos.extras import install

            raise OptionError(f"the app needs packages that are not installed: {install('app')}") from None
        raise
    serve(what, out=out, browser=browser, port=port, host=host, roots=root or [], click_model=click_model, say=say,
          model=model, device=device, size=size)  # fmt: skip
