"""Lists that are longer than memory should hold: kept in nameless files until the one that is wanted can be written."""

from __future__ import annotations

import json
import tempfile
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from devos.whole_files import make_folder, output_error, replacing

_PIECE = 1 << 20


class Spool:
    """Pieces of text, written once and read back one by one, or all in their order."""

    def __init__(self, folder: Path) -> None:
        """`folder`: on whose disk they lie; nothing of them can be seen there."""
        self._folder = folder
        make_folder(folder)
        self._file: IO[bytes] = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  closed by close
        self._starts = array("Q", [0])

    def __len__(self) -> int:
        return len(self._starts) - 1

    def add(self, content: str | bytes) -> int:
        """Keep a piece; gives its number."""
        content = content.encode() if isinstance(content, str) else content
        try:
            self._file.write(content)
        except OSError as error:
            raise output_error(self._folder, error) from error
        self._starts.append(self._starts[-1] + len(content))
        return len(self) - 1

    def __getitem__(self, number: int) -> bytes:
        self._file.seek(self._starts[number])
        content = self._file.read(self._starts[number + 1] - self._starts[number])
        self._file.seek(0, 2)
        return content

    def __iter__(self) -> Iterator[bytes]:
        """All of them; none may be added meanwhile."""
        self._file.seek(0)
        for start, end in zip(self._starts, self._starts[1:], strict=False):
            yield self._file.read(end - start)

    def close(self) -> None:
        """Forget them."""
        self._file.close()


class ByObject:
    """Pieces of text for each object on each frame that it is on, in one spool."""

    def __init__(self, folder: Path) -> None:
        self._spool = Spool(folder)
        self._places: dict[int, tuple[array[int], array[int]]] = {}

    def add(self, object_id: int, place: int, content: str) -> None:
        """Keep what there is of an object at a place (a frame's number in what is written), rising."""
        places, numbers = self._places.setdefault(object_id, (array("Q"), array("Q")))
        places.append(place)
        numbers.append(self._spool.add(content))

    @property
    def ids(self) -> list[int]:
        """All objects, rising."""
        return sorted(self._places)

    def of(self, object_id: int) -> Iterator[tuple[int, str]]:
        """Each place of an object and what was kept for it, in order."""
        for place, number in zip(*self._places[object_id], strict=True):
            yield place, self._spool[number].decode()

    def close(self) -> None:
        """Forget them."""
        self._spool.close()


class JsonLists:
    """A JSON object some of whose values are long lists, written at the end from what was added one by one."""

    def __init__(self, path: Path, *names: str) -> None:
        self.path = path
        self._lists = {name: Spool(path.parent) for name in names}

    def add(self, name: str, item: Any) -> None:
        """One more item of a list."""
        self._lists[name].add(json.dumps(item))

    def write(self, **others: Any) -> None:
        """The file, whole: the lists in the order of their names, then other values."""
        with replacing(self.path) as temporary, temporary.open("wb") as file:
            file.write(b"{")
            for place, (name, items) in enumerate(self._lists.items()):
                file.write(f"{', ' if place else ''}{json.dumps(name)}: ".encode())
                write_list(file, items)
            for name, value in others.items():
                file.write(f", {json.dumps(name)}: {json.dumps(value)}".encode())
            file.write(b"}")
        self.close()

    def close(self) -> None:
        """Forget the lists."""
        for items in self._lists.values():
            items.close()


def write_list(file: IO[bytes], items: Iterator[bytes] | Spool) -> None:
    """A JSON list of items that are JSON already."""
    file.write(b"[")
    for place, item in enumerate(items):
        file.write(b",\n" if place else b"\n")
        file.write(item)
    file.write(b"]")
