"""Write a file whole or not at all, with the rights that the umask gives, whatever library writes it."""

from __future__ import annotations

import errno
import os
import re
import shutil
import uuid
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from devos.errors import OutputError

PARTIAL = ".partial"
"""Stands in the name of a file that is still being written, before its suffix."""
_RUST_ERROR = re.compile(r"\(os error (\d+)\)")
"""How safetensors tells what the operating system said."""
_TORCH_ERROR = re.compile("PytorchStreamWriter failed|inline_container|unexpected pos")
"""How torch tells that the operating system said something."""


def partial_path(path: Path) -> Path:
    """Where a file is written until it is whole: beside it, so that renaming it is one step."""
    return path.with_name(f"{path.stem}{PARTIAL}{path.suffix}")


def output_error(path: Path, error: OSError) -> OutputError:
    """One line for what the operating system said."""
    reason = error.strerror or str(error)
    return OutputError(f"{path}: cannot be written ({reason}); free some space, or write to another folder")


@contextmanager
def replacing(path: Path, *, durable: bool = False) -> Generator[Path, None, None]:
    """Give a temporary path to write to; it takes the place of `path` at the end, or is removed on any failure.

    OutputError if the disk refuses, also where a library has an error of its own for that. `durable`: it is on the
    disk, whatever happens to the power, before this returns.
    """
    temporary = partial_path(path)
    try:
        rights = _begin(temporary)
        yield temporary
        if temporary.stat().st_mode != rights:  # some libraries write a private file and rename it
            temporary.chmod(rights)
        if durable:
            sync(temporary)
        temporary.replace(path)
        if durable:
            sync(path.parent)
    except BaseException as error:
        _remove_quietly(temporary)
        refusal = disk_error(error) if isinstance(error, Exception) else None
        if refusal is None:
            raise
        raise output_error(path, refusal) from error


def sync(path: Path) -> None:
    """Return when a file, or the names in a folder, are on the disk. OSError as the system has it."""
    if os.name == "nt" and path.is_dir():  # Windows syncs no folders
        return
    handle = os.open(path, os.O_RDONLY if path.is_dir() or os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def keep_text(path: Path, text: str) -> None:
    """Write a file of a cache, at which several processes may be at once: the last wins. That it cannot be written is
    no reason to fail.
    """
    temporary = path.with_name(f"{path.stem}-{uuid.uuid4().hex}{PARTIAL}")
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.write_text(text, encoding="utf-8")
            temporary.replace(path)
        finally:
            _remove_quietly(temporary)


@contextmanager
def new_folder(path: Path, *, replace: bool = False) -> Generator[Path, None, None]:
    """Give a folder of a name of its own to fill; it becomes `path` at the end, or is removed on any failure.

    `replace`: a folder that is there already goes when the new one is full. OutputError if the disk refuses.
    """
    home = path.absolute().parent
    temporary = home / f".{path.name}-{uuid.uuid4().hex[:12]}"
    try:
        home.mkdir(parents=True, exist_ok=True)
        temporary.mkdir()
        yield temporary
        if replace:
            shutil.rmtree(path)
        temporary.rename(path)
    except Exception as error:
        refusal = disk_error(error)
        if refusal is None:
            raise
        raise output_error(path, refusal) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_lines(path: Path, lines: list[str]) -> None:
    """Write a list of names, one a line, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def make_folder(path: Path) -> None:
    """Make a folder, if it is not there; OutputError if the disk refuses, or a file has its name."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(path, error) from error


def disk_error(error: BaseException) -> OSError | None:
    """What the operating system said, if that is what made a library fail."""
    if isinstance(error, OSError):
        return error
    coded = _RUST_ERROR.search(str(error))
    if coded:
        return OSError(int(coded[1]), os.strerror(int(coded[1])))
    if _TORCH_ERROR.search(str(error)):
        inner = error.__context__
        return inner if isinstance(inner, OSError) else OSError(errno.EIO, "the disk is full or cannot be written")
    return None


def _begin(temporary: Path) -> int:
    """Make the file, empty, and say with which rights."""
    temporary.unlink(missing_ok=True)  # an earlier run's may have others
    temporary.touch()
    return temporary.stat().st_mode


def _remove_quietly(path: Path) -> None:
    with suppress(OSError):
        path.unlink(missing_ok=True)
