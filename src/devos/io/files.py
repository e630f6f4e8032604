"""The files of a run: their names, what writes them bit by bit, and the folder that they go to."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from devos.errors import OutputError
from devos.io.names import refuse_strange_name
from devos.whole_files import output_error, partial_path, replacing, sync

__all__ = ["Sink", "check_output", "output_error", "partial_path", "prepare_output", "replacing", "sync", "write_json"]

MASKS_FOLDER = "masks"
OVERLAY_FILE = "overlay.mp4"
OBJECTS_FILE = "objects.csv"
RUN_FILE = "run.json"
TIMINGS_FILE = "timings.json"
EXPORT_FOLDER = "export"
LISTING = ".devos-written"
"""In a folder of exports: the names of the files that devos wrote there, one a line."""
PROJECT_FOLDER, LOCK_FILE = "project", "lock"
"""In a folder of results: what is needed to go on, to correct and to undo."""

_AnySink = TypeVar("_AnySink", bound="Sink")  # typing.Self is beyond the run-time checker of a decorated method


class Sink(ABC):
    """A file that is written bit by bit, inside a `with`."""

    @abstractmethod
    def close(self) -> None:
        """Finish the file; OutputError if that fails."""

    def __enter__(self: _AnySink) -> _AnySink:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.close()
        except OutputError:
            if error is None:  # what went wrong first is what to tell
                raise


def write_json(path: str | Path, content: Mapping[str, Any], *, durable: bool = False) -> None:
    """Write a JSON object, indented, keys in the order given; `durable` as in `replacing`."""
    path = Path(path)
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    with replacing(path, durable=durable) as temporary:
        temporary.write_text(text, encoding="utf-8")


def check_output(directory: str | Path, *, overwrite: bool = False) -> None:
    """OutputError for a folder with anything in it, unless `overwrite`; nothing is changed."""
    directory = Path(directory)
    refuse_strange_name(directory, OutputError)
    try:
        if directory.exists() and not directory.is_dir():
            raise OutputError(f"{directory}: a file, not a folder; name a folder for the results")
        if not overwrite and (present := _present(directory)):
            raise OutputError(
                f"{directory}: already holds {_count_files(directory)} files ({', '.join(present[:3])}"
                f"{', ...' if len(present) > 3 else ''}); replace them with --overwrite, or name another folder"
            )
    except OSError as error:
        raise output_error(directory, error) from error


def prepare_output(directory: str | Path, *, overwrite: bool = False, inputs: Iterable[str | Path] = ()) -> None:
    """Make the folder for the results, or refuse it as `check_output` does.

    With `overwrite` what an earlier run wrote is removed, and nothing else is touched. `inputs` are the files and
    folders of this run; it is an error if one would be removed.
    """
    directory = Path(directory)
    refuse_strange_name(directory, OutputError)
    check_output(directory, overwrite=overwrite)
    try:
        if _present(directory):
            _remove_earlier_run(directory, inputs)
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(directory, error) from error


def _present(directory: Path) -> list[str]:
    """What is in a folder, besides the lock of a run that is about to begin."""
    if not directory.exists():
        return []
    names = sorted(entry.name for entry in directory.iterdir())
    project = directory / PROJECT_FOLDER
    nothing_begun = {LOCK_FILE, partial_path(project / "project.json").name}
    if PROJECT_FOLDER in names and project.is_dir() and {entry.name for entry in project.iterdir()} <= nothing_begun:
        names.remove(PROJECT_FOLDER)
    return names


def _count_files(directory: Path) -> int:
    return sum(1 for entry in directory.rglob("*") if entry.is_file())


def _remove_earlier_run(directory: Path, inputs: Iterable[str | Path]) -> None:
    masks = directory / MASKS_FOLDER
    written = [directory / name for name in (OVERLAY_FILE, OBJECTS_FILE, RUN_FILE, TIMINGS_FILE)]
    doomed = [path for file in written for path in (file, partial_path(file)) if path.is_file()]
    doomed += list(masks.glob("*.png"))
    project = directory / PROJECT_FOLDER
    if (project / "project.json").is_file():  # else it is somebody else's folder of that name
        doomed += [path for path in project.rglob("*") if path.is_file() and path.name != LOCK_FILE]
    doomed += _exported(directory / EXPORT_FOLDER)
    going = {path.resolve() for path in (*doomed, masks)}
    for given in inputs:
        if Path(given).resolve() in going:
            raise OutputError(f"{given}: would be removed by --overwrite of {directory}; name another output folder")
    for path in doomed:
        path.unlink()
    for folder in (masks, *sorted({path.parent for path in doomed if EXPORT_FOLDER in path.parts}, reverse=True)):
        with suppress(OSError):  # something else is in it, or it is not there
            folder.rmdir()


def _exported(folder: Path) -> list[Path]:
    """What exports wrote, as their own lists say; nothing else."""
    listings = [path for path in folder.rglob(f"{LISTING}*") if path.is_file()]
    found = list(listings)
    for listing in listings:
        names = listing.read_text(encoding="utf-8", errors="replace").splitlines()
        found += [path for path in (listing.parent / name for name in names) if path.is_file()]
    return list(dict.fromkeys(found))
