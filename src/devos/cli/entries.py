"""Options of the form NAME=PATH that may be repeated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from devos.errors import OptionError


def named_paths(
    entries: Sequence[str], option: str, usage: str, *, name_of: Callable[[Path], str] | None = None
) -> dict[str, Path]:
    """NAME=PATH entries, in their order. `name_of`: names a path that stands alone; without it none may.

    OptionError, with the `usage`, for an entry without what is needed, and for two of one name.
    """
    paths: dict[str, Path] = {}
    for entry in entries:
        name, sign, path = entry.partition("=")
        if not sign and name_of is not None:
            name, path = name_of(Path(entry)), entry
        if not (name and path):
            raise OptionError(f"{option} is {usage}; got {entry!r}")
        if name in paths:
            raise OptionError(f"{option} names {name!r} twice; give each its own name, as NAME=PATH")
        paths[name] = Path(path)
    return paths
