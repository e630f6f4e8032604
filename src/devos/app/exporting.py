"""Results to take away: what the command line writes, with the marks, in a folder or as a zip."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from devos.app.messages import Exported, FormatInfo
from devos.errors import DevosError, OptionError, OutputError
from devos.exchange.registry import Format
from devos.io import OverlayVideo, VideoReader, write_json, write_label_png
from devos.io.files import output_error
from devos.io.labels import read_label_png
from devos.pipeline.convert import FORMATS, convert
from devos.pipeline.project import Project
from devos.pipeline.publish import stored_masks, write_table

DOWNLOADS = "downloads"
_Told = Callable[[int, int], None]


def formats() -> list[FormatInfo]:
    """Those of other tools, all that `devos convert` writes; with each why it cannot be written here, if so."""
    return [FormatInfo(one.name, one.what, _missing(one)) for one in FORMATS.values()]


def _missing(one: Format) -> str:
    try:
        one.check()
    except DevosError as error:
        return str(error)
    return ""


def export(project: Project, folder: Path | None, url: str, *, overlay: bool, formats: Sequence[str],
           told: _Told) -> Exported:  # fmt: skip
    """Masks, table, marks and, if wanted, the overlay and formats of other tools: to a new folder, or to a zip to be
    had from `url`.

    OptionError for a format that there is not, OutputError if the folder is there, or the disk is full; then nothing is
    left behind.
    """
    if unknown := [name for name in formats if name not in FORMATS]:
        raise OptionError(f"no format {', '.join(unknown)}; there are {', '.join(FORMATS)}")
    if folder is not None and folder.exists():
        raise OutputError(f"{folder}: is there already; name a new folder")
    scratch = project.folder.inner / DOWNLOADS
    shutil.rmtree(scratch, ignore_errors=True)
    partial = (scratch if folder is None else folder.parent / f".{folder.name}.partial") / project.folder.path.name
    try:
        partial.mkdir(parents=True)
        _write(project, partial, overlay, formats, told)
        if folder is not None:
            partial.rename(folder)
            return Exported(None, str(folder))
        name = f"{project.folder.path.name}.zip"
        _zip(partial, scratch / name)
        return Exported(url + name, None)
    except OSError as error:
        raise output_error(partial, error) from error
    finally:
        shutil.rmtree(partial if folder is None else partial.parent, ignore_errors=True)


def _write(project: Project, out: Path, overlay: bool, formats: Sequence[str], told: _Told) -> None:
    results, inner = project.results, project.folder
    total = len(results) * (2 if overlay else 1)
    (out / "masks").mkdir()
    for done, result in enumerate(results.values()):
        shutil.copyfile(inner.mask_file(result), out / "masks" / f"{result.name}.png")
        told(done, total)
    write_table(out / "objects.csv", [results[index] for index in results])
    write_marks(project, out / "marks")
    if inner.run_record.is_file():
        shutil.copyfile(inner.run_record, out / "run.json")
    if overlay and results:
        _draw(project, out / "overlay.mp4", lambda done: told(len(results) + done, total))
    if formats and results:
        convert(project, formats, out / "export", told=told)
    write_json(out / "project.json", project.record.as_json())


def _draw(project: Project, path: Path, told: Callable[[int], None]) -> None:
    results, done = project.results, 0
    with project.video() as reader, _overlay(path, reader) as overlay:
        for frame in reader.read_range(min(results), max(results) + 1):
            if frame.index in results:
                overlay.write(frame, stored_masks(project.folder, results[frame.index], frame))
                done += 1
                told(done)


def _overlay(path: Path, reader: VideoReader) -> OverlayVideo:
    return OverlayVideo(path, reader.fps, reader.size, look=reader.look, sound=reader.sound)


def write_marks(project: Project, folder: Path) -> None:
    """What a person said, as `devos segment -m` takes it: a mask for each frame that was marked."""
    marks: dict[str, np.ndarray] = {}
    for one in project.folder.annotations():
        drawn = read_label_png(project.folder.content.path(one.mask))
        labels = marks.setdefault(one.name, np.zeros_like(drawn))
        labels[np.isin(labels, one.objects)] = 0
        here = np.isin(drawn, one.objects)
        labels[here] = drawn[here]
    folder.mkdir()
    for name, labels in marks.items():
        if labels.any():
            write_label_png(folder / f"{name}.png", labels)


def _zip(folder: Path, path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, Path(folder.name) / file.relative_to(folder))
