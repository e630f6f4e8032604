"""A folder in which it is kept what was read from a data set's files, so that they are read once, not at every start.

Facts are found by a hash of where the files are and of the name, the size and the time of change, in nanoseconds, of
each, and of the source that reads them: once a file is touched, added or gone, or the rules are others, another hash is
looked for, so that nothing that is found is ever stale.
The folder may be removed at any time.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devos.user_cache import source_hash, user_cache
from devos.whole_files import keep_text

_READING = ("data/*.py", "io/mask_*.py", "io/pictures.py")
"""What facts are found by."""


def default_cache() -> Path:
    """Where facts are kept unless told otherwise: in the user's own cache."""
    return user_cache("data")


@dataclass(frozen=True)
class FactCache:
    """Such a folder; several processes may share it. A damaged file in it counts as none."""

    folder: Path

    def find(self, key: str) -> Any:
        """What is kept under a key, as JSON has it; None if there is nothing."""
        try:
            return json.loads(self._path(key).read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return None

    def keep(self, key: str, facts: Any) -> None:
        """Keep facts. That they cannot be written is no reason to fail: the files are read again next time."""
        keep_text(self._path(key), json.dumps(facts))

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.json"


def fingerprint(how: list[Any], paths: Iterable[Path | None]) -> str:
    """The key of what is read from these files as they are now; `how` says in which manner it is read."""
    digest = hashlib.sha256(json.dumps([*how, source_hash(*_READING)]).encode())
    for path in paths:
        stamp = None
        if path is not None:
            with suppress(OSError):  # a file that is not there is a fact too
                state = path.stat()
                stamp = [str(path.absolute()), state.st_size, state.st_mtime_ns]
        digest.update(json.dumps(stamp).encode())
    return digest.hexdigest()
