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
from devos.whole_files import output_error, partial_path, replacing

__all__ = ["Sink", "output_error", "partial_path", "prepare_output", "replacing", "write_json"]

MASKS_FOLDER = "masks"
OVERLAY_FILE = "overlay.mp4"
OBJECTS_FILE = "objects.csv"
RUN_FILE = "run.json"

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


def write_json(path: str | Path, content: Mapping[str, Any]) -> None:
    """Write a JSON object, indented, keys in the order given."""
    path = Path(path)
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def prepare_output(directory: str | Path, *, overwrite: bool = False, inputs: Iterable[str | Path] = ()) -> None:
    """Make the folder for the results, or refuse it.

    A folder with anything in it is refused, unless `overwrite`: then what an earlier run wrote is removed, and
    nothing else is touched. `inputs` are the files and folders of this run; it is an error if one would be removed.
    """
    directory = Path(directory)
    try:
        if directory.exists() and not directory.is_dir():
            raise OutputError(f"{directory}: a file, not a folder; name a folder for the results")
        present = sorted(entry.name for entry in directory.iterdir()) if directory.exists() else []
        if present and not overwrite:
            raise OutputError(
                f"{directory}: already holds {_count_files(directory)} files ({', '.join(present[:3])}"
                f"{', ...' if len(present) > 3 else ''}); replace them with --overwrite, or name another folder"
            )
        if present:
            _remove_earlier_run(directory, inputs)
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(directory, error) from error


def _count_files(directory: Path) -> int:
    return sum(1 for entry in directory.rglob("*") if entry.is_file())


def _remove_earlier_run(directory: Path, inputs: Iterable[str | Path]) -> None:
    masks = directory / MASKS_FOLDER
    written = [directory / name for name in (OVERLAY_FILE, OBJECTS_FILE, RUN_FILE)]
    doomed = [path for file in written for path in (file, partial_path(file)) if path.is_file()]
    doomed += list(masks.glob("*.png"))
    going = {path.resolve() for path in (*doomed, masks)}
    for given in inputs:
        if Path(given).resolve() in going:
            raise OutputError(f"{given}: would be removed by --overwrite of {directory}; name another output folder")
    for path in doomed:
        path.unlink()
    with suppress(OSError):  # something else is in it, or it is not there
        masks.rmdir()
