"""Files kept by what is in them: each under its SHA-256, so what is the same is kept once."""

from __future__ import annotations

import hashlib
from pathlib import Path

from devos.errors import InputError
from devos.io.files import output_error, replacing


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
