"""Files kept by what is in them: each under its SHA-256, so what is the same is kept once."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from devos.errors import InputError
from devos.frames import MAX_OBJECT_ID
from devos.io.files import output_error, replacing

DAMAGED = (OSError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)
"""What reading a project's file raises where somebody else has written in it."""
_MOST = 10**9
_SHA256 = re.compile("[0-9a-f]{64}")


def checked_name(name: object) -> str:
    """The name of a frame, which becomes that of a file; ValueError where that would lie in another folder."""
    apart = "/\0" if os.name != "nt" else '/\\:"<>|?*\0'
    if not isinstance(name, str) or name in ("", ".", "..") or any(letter in name for letter in apart):
        raise ValueError(f"{str(name)[:40]!r} is no name of a frame")
    return name


def whole(value: object) -> int:
    """A number of something, or a frame's; ValueError for what is none."""
    if type(value) is not int or not 0 <= value < _MOST:
        raise ValueError(f"{str(value)[:40]!r} is no whole number from 0 on")
    return value


def checked_id(value: object) -> int:
    """An object's id; ValueError for what cannot be one."""
    if not 0 < whole(value) <= MAX_OBJECT_ID:
        raise ValueError(f"{value} is no object's id")
    return whole(value)


def checked_sha256(text: object) -> str:
    """The name of some content; ValueError for anything else."""
    if not isinstance(text, str) or not _SHA256.fullmatch(text):
        raise ValueError(f"{str(text)[:40]!r} is no SHA-256")
    return text


def sha256_of(content: bytes) -> str:
    """What content is called."""
    return hashlib.sha256(content).hexdigest()


class Content:
    """A folder of files, each named by the SHA-256 of its content."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, sha256: str) -> Path:
        """Where content of this name is, or would be."""
        return self.folder / sha256[:2] / f"{sha256[2:]}.png"

    def __contains__(self, sha256: str) -> bool:
        return self.path(sha256).is_file()

    def add(self, content: bytes) -> str:
        """Keep some bytes, durably; gives their name."""
        sha256 = sha256_of(content)
        if sha256 not in self:
            path = self.path(sha256)
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise output_error(path.parent, error) from error
            with replacing(path, durable=True) as temporary:
                temporary.write_bytes(content)
        return sha256

    def keep(self, sha256: str, file: Path) -> None:
        """Keep what is in a file, before it is replaced. InputError if somebody else has changed it."""
        if sha256 in self:
            return
        if self.add(self.read(file)) != sha256:
            self.path(sha256_of(self.read(file))).unlink(missing_ok=True)
            raise InputError(f"{file}: is not what devos wrote there, another program has changed it; give it as a "
                             "correction (devos correct -m) from elsewhere, and put the old one back")  # fmt: skip

    def get(self, sha256: str) -> bytes:
        """Content by its name; InputError if it is lost or damaged."""
        content = self.read(self.path(sha256))
        if sha256_of(content) != sha256:
            raise InputError(f"{self.path(sha256)}: is damaged; put it back from a copy of the project")
        return content

    @staticmethod
    def read(file: Path) -> bytes:
        """A file's bytes; InputError where there are none."""
        try:
            return file.read_bytes()
        except OSError as error:
            raise InputError(f"{file}: a part of the project that cannot be read ({error.strerror}); put it back from "
                             "a copy") from error  # fmt: skip
