"""A project's masks in the formats of other tools, and theirs as PNGs that `devos segment` and `correct` take."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

import numpy as np

from devos.errors import MaskError, OptionError
from devos.exchange.cells import CellsWriter
from devos.exchange.coco import CocoWriter, YouTubeVisWriter, read_coco
from devos.exchange.cvat import CvatWriter, read_cvat
from devos.exchange.labelme import LabelmeWriter, read_labelme
from devos.exchange.tables import MaskWriter, VideoInfo
from devos.frames import Frame, MaskFrame
from devos.io import VideoReader, write_label_png
from devos.io.alpha import KINDS, CutoutFolder, CutoutVideo
from devos.io.names import refuse_strange_name
from devos.pipeline.project import Project
from devos.pipeline.publish import stored_masks

MASK_FORMATS: dict[str, tuple[str, Callable[[Path, VideoInfo], MaskWriter]]] = {
    "coco": ("coco.json", CocoWriter),
    "youtube-vis": ("youtube_vis.json", YouTubeVisWriter),
    "cvat": ("cvat.xml", CvatWriter),
    "labelme": ("labelme", LabelmeWriter),
    "ctc": ("ctc", CellsWriter),
}
"""Formats that need the masks alone: the file or folder, and what writes it."""
FORMATS = (*MASK_FORMATS, "rgba", *KINDS)
_Write = Callable[[Frame | None, MaskFrame], None]


def convert(project: Project, names: Sequence[str], out: Path) -> list[Path]:
    """Write a project's results to the folder `out` in each of the formats; gives the files and folders that it wrote.

    OptionError for a format that there is not, OutputError for what cannot be written.
    """
    unknown = [name for name in names if name not in FORMATS]
    if unknown or not names:
        raise OptionError(f"no format {', '.join(unknown) or 'is named'}; there are {', '.join(FORMATS)}")
    refuse_strange_name(out, OptionError)
    results = project.results
    with project.video() as reader, ExitStack() as stack:
        out.mkdir(parents=True, exist_ok=True)
        info = VideoInfo(reader.path.stem, reader.size, len(results), float(reader.fps))
        written = {name: out / _place(name) for name in names}
        writes = [_open(stack, name, path, info, reader) for name, path in written.items()]
        if not set(names) - set(MASK_FORMATS):
            for index in results:
                masks = stored_masks(project.folder, results[index])
                for write in writes:
                    write(None, masks)
        else:
            first, last = min(results), max(results)
            with closing(reader.read_range(first, last + 1)) as frames:
                for frame in frames:
                    if frame.index in results:
                        masks = stored_masks(project.folder, results[frame.index], frame)
                        for write in writes:
                            write(frame, masks)
    return list(written.values())


def _place(name: str) -> str:
    if name in MASK_FORMATS:
        return MASK_FORMATS[name][0]
    return KINDS[name][0] if name in KINDS else name


def _open(stack: ExitStack, name: str, path: Path, info: VideoInfo, reader: VideoReader) -> _Write:
    if name in MASK_FORMATS:
        writer = stack.enter_context(MASK_FORMATS[name][1](path, info))
        return lambda _, masks: writer.write(masks)
    sink: CutoutFolder | CutoutVideo
    if name in KINDS:
        sink = stack.enter_context(CutoutVideo(path, name, reader.fps, reader.size, reader.look))
    else:
        sink = stack.enter_context(CutoutFolder(path))

    def write(frame: Frame | None, masks: MaskFrame) -> None:
        assert frame is not None
        sink.write(frame, masks)

    return write


def import_masks(source: Path, out: Path) -> list[Path]:
    """Write the masks of another tool's file (COCO or YouTube-VIS JSON, CVAT XML) or folder (labelme) as PNGs named as
    their frames, to be given with `-m`. Frames without an object get none.
    """
    labels = _read(source)
    out.mkdir(parents=True, exist_ok=True)
    written = []
    for name, one in labels.items():
        if np.any(one):
            written.append(out / f"{name}.png")
            write_label_png(written[-1], one)
    if not written:
        raise MaskError(f"{source}: marks no object on any frame")
    return written


def _read(source: Path) -> Mapping[str, np.ndarray]:
    if source.is_dir():
        return read_labelme(source)
    if source.suffix.lower() == ".xml":
        return read_cvat(source)
    if source.suffix.lower() == ".json":
        return read_coco(source)
    raise MaskError(f"{source}: no annotations that can be read; give COCO or YouTube-VIS JSON, XML of CVAT for images "
                    "1.1, or a folder of labelme files")  # fmt: skip
