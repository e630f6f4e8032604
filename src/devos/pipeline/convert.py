"""A project's results in the formats of other tools, and their masks as PNGs for `devos segment` and `correct`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from devos.errors import MaskError, OptionError, OutputError
from devos.exchange.given import is_annotations, read_annotations
from devos.exchange.registry import FORMATS
from devos.frames import frame_name
from devos.io import write_label_png
from devos.io.files import output_error
from devos.io.names import refuse_strange_name
from devos.pipeline.exports import check_formats, feed, opened_exports
from devos.pipeline.project import Project

__all__ = ["FORMATS", "convert", "import_masks"]


def convert(project: Project, names: Sequence[str], out: Path, *,
            told: Callable[[int, int], None] | None = None) -> list[Path]:  # fmt: skip
    """Write a project's results to the folder `out` in each of the formats; gives the files and folders that it wrote.

    Frames are read and written one by one. `told`: after each, how many of how many are done. OptionError for a format
    that there is not, or that lacks something; OutputError for what cannot be written.
    """
    if not names:
        raise OptionError(f"no format is named; there are {', '.join(FORMATS)}")
    formats = check_formats(names, project.record.choices)
    refuse_strange_name(out, OutputError)
    results = project.results
    with project.video() as reader, opened_exports(project.folder, reader, formats, len(results), out) as exports:
        feed(exports, project.folder, reader, results, told and (lambda done: told(done, len(results))))
        return exports.paths


def import_masks(source: Path, out: Path) -> list[Path]:
    """Write the masks of another tool's file or folder as PNGs named as their frames, to be given with `-m`. Frames
    without an object get none.
    """
    if not is_annotations(source):
        raise MaskError(f"{source}: no annotations that can be read, as a file of COCO, YouTube-VIS, Label Studio or "
                        "CVAT is, or a folder of labelme")  # fmt: skip
    found = read_annotations(source)
    written = []
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(out, error) from error
    for key in found:
        if (labels := found[key]).any():
            written.append(out / f"{frame_name(key) if isinstance(key, int) else key}.png")
            write_label_png(written[-1], labels)
    if not written:
        raise MaskError(f"{source}: marks no object on any frame")
    return written
