"""Names of files and folders that the record of a run could not hold, and paths that cannot be asked for."""

from __future__ import annotations

import sys
from pathlib import Path

from devos.errors import DevosError, shortened

_LONGEST = 300
"""Characters of a path that are shown where it may be too long to be one."""


def readable(name: str | Path) -> str:
    """A name as it can be shown: bytes that are no UTF-8 as backslash escapes."""
    return str(name).encode("utf-8", "backslashreplace").decode()


def refuse_strange_name(path: str | Path, error: type[DevosError]) -> None:
    """Refuse, before any work, a name that is not UTF-8: tables and records could not be read back."""
    try:
        str(path).encode("utf-8")
    except UnicodeEncodeError:
        coding = sys.getfilesystemencoding()
        if coding != "utf-8":
            raise error(f"{readable(path)}: a name that cannot be read with this locale's {coding}; set "
                        "PYTHONUTF8=1, or LC_ALL=C.UTF-8") from None  # fmt: skip
        raise error(f"{readable(path)}: the name is not UTF-8; rename it (convmv and detox do so)") from None


def exists(path: Path, error: type[DevosError]) -> bool:
    """Whether a path is there; what the system forbids is an `error`."""
    try:
        return path.exists()
    except OSError as reason:
        shown = shortened(readable(path), _LONGEST)
        raise error(f"{shown}: cannot be read ({reason.strerror or reason})") from reason
