"""A video that is sent by the page: streamed to the disk, limited, and kept only if it is one."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO

from starlette.concurrency import run_in_threadpool

from devos.app.place import VIDEOS
from devos.errors import DevosError, InputError, OutputError
from devos.io import open_video
from devos.io.files import output_error

_LOOK_BYTES = 64 << 20
"""After so many bytes of an upload of unknown length the room on the disk is looked at again."""
_LEFT_FREE = 1 << 30
"""Bytes of the disk that an upload never takes."""


async def receive(folder: Path, name: str, size: int | None, pieces: AsyncIterator[bytes]) -> Path:
    """Write a video of this name to a folder, under another name if it is taken. `size`: as declared, in bytes.

    InputError for a name or content that is no video, OutputError where there is no room; then nothing is left behind.
    """
    path = _free(folder, name)
    _refuse_full(folder, size or 0)
    partial = path.with_name(f".sent-{path.name}")
    try:
        file = partial.open("xb")
    except FileExistsError:
        raise OutputError(f"{name}: is being sent already; wait until it is there, or remove {partial}") from None
    except OSError as error:
        raise output_error(path, error) from error
    try:
        with file:
            written = await _write(file, folder, size, pieces)
        if size is not None and written < size:
            raise InputError(f"{name}: broke off after {written} of {size} bytes; send it again")
        await run_in_threadpool(_refuse_no_video, partial, name)
        partial.rename(path)
        return path
    except OSError as error:
        raise output_error(path, error) from error
    finally:
        partial.unlink(missing_ok=True)


async def _write(file: BinaryIO, folder: Path, size: int | None, pieces: AsyncIterator[bytes]) -> int:
    """How many bytes came."""
    written = 0
    async for piece in pieces:
        await run_in_threadpool(file.write, piece)
        written += len(piece)
        if size is None and written % _LOOK_BYTES < len(piece):
            _refuse_full(folder, 0)
    return written


def _refuse_no_video(path: Path, name: str) -> None:
    try:
        with open_video(path):
            pass
    except DevosError as error:
        raise InputError(str(error).replace(str(path), name)) from error


def _free(folder: Path, name: str) -> Path:
    """Where a file of this name can be, in the folder itself."""
    plain = Path(name.replace("\\", "/")).name
    if plain in ("", ".", "..") or "\0" in name or plain.startswith(".") or len(plain.encode()) > 200:
        raise InputError("a plain file name, please, as in clip.mp4")
    stem, suffix = Path(plain).stem, Path(plain).suffix
    if suffix.lower() not in VIDEOS:
        raise InputError(f"{plain}: not called as videos are; {', '.join(sorted(VIDEOS))} can be sent")
    path, number = folder / plain, 2
    while path.exists():
        path, number = folder / f"{stem}-{number}{suffix}", number + 1
    return path


def _refuse_full(folder: Path, size: int) -> None:
    free = shutil.disk_usage(folder).free
    if free - size < _LEFT_FREE:
        raise OutputError(f"{folder}: has {free >> 20} MB free, too few for it; free some, or give another --root")
