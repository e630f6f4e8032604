"""The code blocks of the documents, for those who check that they are so: tests, and `scripts/release-check`."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

HOME = Path(__file__).resolve().parent
PLACES = (HOME.parent / "README.md", HOME.parent / "CONTRIBUTING.md", HOME.parent / "benchmarks" / "README.md",
          *sorted(HOME.glob("*.md")), *sorted(HOME.glob("guides/*.md")))  # fmt: skip
"""Every document that has code."""


class Block(NamedTuple):
    """Some lines of code."""

    document: Path
    line: int
    """Its first line, from 1."""
    language: str
    """As its fence has it; empty where it is set off by four spaces."""
    text: str

    @property
    def place(self) -> str:
        """Where it is, as in `docs/python.md:9`."""
        return f"{self.document.relative_to(HOME.parent).as_posix()}:{self.line}"


class Command(NamedTuple):
    """A line for a shell, without its comment."""

    place: str
    words: tuple[str, ...]


def blocks(document: Path) -> Iterator[Block]:
    """The blocks of a document, fenced or set off by spaces, first to last."""
    held: list[str] = []
    begun, fence, language = 0, "", ""
    for number, line in enumerate([*document.read_text(encoding="utf-8").splitlines(), ""], start=1):
        mark = re.match(r" *(```+|~~~+)(\w*)", line)
        if fence and mark and mark[1].startswith(fence):
            yield Block(document, begun, language, "\n".join(held))
            held, fence = [], ""
        elif fence or (line.startswith("    ") and not mark):
            begun = begun if held else number
            held.append(line if fence else line.strip() if line.startswith("        ") else line[4:])
        elif mark:
            fence, language, held, begun = mark[1], mark[2], [], number + 1
        elif held:
            yield Block(document, begun, "", "\n".join(held))
            held = []


def commands(document: Path) -> Iterator[Command]:
    """Every line for a shell, those that go on after a backslash as one."""
    for block in blocks(document):
        if block.language not in ("", "bash", "sh", "console"):
            continue
        for offset, line in _whole_lines(block.text):
            try:
                words = tuple(shlex.split(line, comments=True))
            except ValueError:  # a table or a drawing that has a quotation mark
                continue
            if words:
                yield Command(f"{block.place.rpartition(':')[0]}:{block.line + offset}", words)


def devos_commands(document: Path) -> Iterator[Command]:
    """Those of the command `devos`, without it and whatever stands before it; what a `>` or `|` does is left out."""
    for place, words in commands(document):
        for one in _between(words, "&&"):
            if one and one[0].rpartition("/")[2] == "devos":
                end = next((i for i, word in enumerate(one) if word in (">", ">>", "|")), len(one))
                yield Command(place, one[1:end])


def _whole_lines(text: str) -> Iterator[tuple[int, str]]:
    held, begun = "", 0
    for number, line in enumerate(text.splitlines()):
        begun = begun if held else number
        held += line.rstrip("\\") if line.endswith("\\") else line
        if not line.endswith("\\"):
            yield begun, held
            held = ""


def _between(words: tuple[str, ...], mark: str) -> Iterator[tuple[str, ...]]:
    while mark in words:
        at = words.index(mark)
        yield words[:at]
        words = words[at + 1 :]
    yield words
