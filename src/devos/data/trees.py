"""The error for a data set that does not lie as expected: what was expected, what is there, and where to look."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from devos.errors import ListedError

_MOST = 6
"""Entries of a folder that are shown."""


def misplaced(root: Path, title: str, tree: str, problem: str, marks: Iterable[str] = ()) -> ListedError:
    """The error for a root that is not laid out as `tree`.

    `marks`: what a right root has one of; where a folder just inside or outside the given one has it, that is said.
    """
    lines = [f"{root} is not laid out as {title} is: {problem}", "expected:", *_indented(tree)]
    lines += ["found:", *(_indented(_shown(root)) if root.is_dir() else ["  no such folder"])]
    hint = next((home for home in _near(root) if any((home / mark).exists() for mark in marks)), None)
    lines.append(f"give {hint} instead, which looks right" if hint else "rename or move the folders, or name another")
    return ListedError("\n".join(lines))


def _near(root: Path) -> list[Path]:
    inside = sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []
    return [*inside, root.absolute().parent]


def _shown(root: Path) -> str:
    """Two levels of what is there, a few entries of each."""
    lines = [f"{root.name or root}/"]
    for entry in _entries(root):
        lines.append(f"  {entry}")
        if entry.endswith("/"):
            lines += [f"    {below}" for below in _entries(root / entry[:-1], 3)]
    return "\n".join(lines)


def _entries(folder: Path, most: int = _MOST) -> list[str]:
    names = sorted(path.name + ("/" if path.is_dir() else "") for path in folder.iterdir())
    visible = [name for name in names if not name.startswith(".")]
    if not visible:
        return ["(nothing)"]
    return [*visible[:most], *([f"... and {len(visible) - most} more"] if len(visible) > most else [])]


def _indented(text: str) -> list[str]:
    return [f"  {line}" for line in text.splitlines()]
