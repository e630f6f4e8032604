"""One long AVIF of several short ones: libavif holds an animation until it ends, so it is asked for a part at a time.

What a part holds goes to the disk, and the first part's boxes, with longer tables of samples, become the head of the
whole. After ISO/IEC 14496-12 (boxes) and the AV1 Image File Format; what is understood is what libavif writes: a track
of colours, a track of alpha, each in one piece.
"""

from __future__ import annotations

import shutil
import struct
import tempfile
from array import array
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, NamedTuple

from devos.whole_files import output_error, replacing

_Change = Callable[[bytes], bytes]
_HOLDERS = (b"moov", b"trak", b"edts", b"mdia", b"minf", b"stbl")
"""Boxes that hold boxes, and nothing else."""
_MOVED = b"stts", b"stsc", b"stsz", b"stco", b"stss"
_FULL = 4
"""Bytes of version and flags at the start of a box's content."""


class Parts:
    """Animations of the same size and settings, put together one after the other."""

    def __init__(self, folder: Path) -> None:
        """`folder`: on whose disk their samples lie; nothing of them can be seen there."""
        self._folder = folder
        self._samples: IO[bytes] = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  closed by close
        self._first = b""
        self._tracks: list[_Track] = []

    def add(self, content: bytes) -> None:
        """One more animation, as libavif writes it. ValueError where it is not, or is of another kind."""
        tables = tables_of(content)
        if not self._first:
            self._first = content
            self._tracks = [_Track.new(table) for table in tables]
        if [track.settings for track in self._tracks] != [table[b"stsd"] for table in tables]:
            raise ValueError("a part of other settings than the first")
        for track, table in zip(self._tracks, tables, strict=True):
            sizes = _numbers(table[b"stsz"], 2 * _FULL)
            (start,) = _numbers(table[b"stco"], _FULL)
            track.add(self._samples.tell(), sizes, _numbers(table[b"stts"], _FULL), _numbers(table[b"stss"], _FULL))
            try:
                self._samples.write(memoryview(content)[start : start + sum(sizes)])
            except OSError as error:
                raise output_error(self._folder, error) from error

    def write(self, path: Path) -> None:
        """The whole, under its name; ends this."""
        head = self._head(0)
        head = self._head(len(head))  # as long: offsets are of fixed size
        with replacing(path) as temporary, temporary.open("wb") as file:
            file.write(head)
            self._samples.seek(0)
            shutil.copyfileobj(self._samples, file, 1 << 20)
        self.close()

    def close(self) -> None:
        """Forget them."""
        self._samples.close()

    def _head(self, start: int) -> bytes:
        """All before the samples, which begin at that byte of the file."""
        moov = _rebuilt(_only(self._first, b"moov"), [track.boxes(start) for track in self._tracks])
        kept = [_box(kind, content) if kind != b"moov" else _box(kind, moov)
                for kind, content in _boxes(self._first) if kind not in (b"mdat", b"meta")]  # fmt: skip
        kept.insert(1, _box(b"meta", self._pictures(start)))  # after the type of the file
        length = 16 + self._samples.seek(0, 2)
        return b"".join(kept) + struct.pack(">I4sQ", 1, b"mdat", length)

    def _pictures(self, start: int) -> bytes:
        """What the file is as a still picture: each track's first sample, at its new place."""
        meta = _only(self._first, b"meta")
        content = _only(meta[_FULL:], b"iloc")
        (count,) = struct.unpack_from(">H", content, 6)
        if content[:6] != bytes((0, 0, 0, 0, 0x44, 0)) or len(content) != 8 + 14 * count:
            raise ValueError("pictures whose places are told in another way")
        moved = bytearray(content)
        for place in range(8 + 6, len(content), 14):
            (at,) = struct.unpack_from(">I", content, place)
            (track,) = (one for one in self._tracks if one.first_at == at)
            struct.pack_into(">I", moved, place, start + track.starts[0])
        return meta[:_FULL] + b"".join(_box(kind, bytes(moved) if kind == b"iloc" else inside)
                                       for kind, inside in _boxes(meta[_FULL:]))  # fmt: skip


class _Track(NamedTuple):
    """A track's tables as they grow: a number for each sample, or for each part."""

    settings: bytes
    first_at: int
    sizes: array[int]
    durations: array[int]
    whole: array[int]
    """Numbers, from 1 on, of the samples that need no other."""
    starts: array[int]
    """Of each part, from the first sample of the file on."""
    counts: array[int]

    @classmethod
    def new(cls, table: dict[bytes, bytes]) -> _Track:
        (at,) = _numbers(table[b"stco"], _FULL)
        return cls(table[b"stsd"], at, *(array(kind) for kind in "IIIQI"))

    def add(self, start: int, sizes: tuple[int, ...], durations: tuple[int, ...], whole: tuple[int, ...]) -> None:
        """A part's numbers; `durations` as pairs of how many and how long."""
        self.whole.extend(len(self.sizes) + number for number in whole)
        self.sizes.extend(sizes)
        for count, each in zip(durations[::2], durations[1::2], strict=True):
            self.durations.extend([each] * count)
        self.starts.append(start)
        self.counts.append(len(sizes))

    def boxes(self, start: int) -> dict[bytes, _Change]:
        """What is to be changed within a track whose file's samples begin at a byte."""
        runs = [(1, each) for each in self.durations]
        chunks = [(part, count, 1) for part, count in enumerate(self.counts, 1)]
        length = sum(self.durations).to_bytes(8)
        return {
            b"mdhd": lambda old: old[:24] + length + old[32:],
            b"elst": lambda old: old[:8] + length + old[16:],
            b"stts": lambda old: old[:_FULL] + _list(runs, 2),
            b"stsc": lambda old: old[:_FULL] + _list(chunks, 3),
            b"stsz": lambda old: old[: 2 * _FULL] + _list([(size,) for size in self.sizes], 1),
            b"stco": lambda old: old[:_FULL] + struct.pack(f">I{len(self.starts)}Q", len(self.starts),
                                                           *(start + at for at in self.starts)),
            b"stss": lambda old: old[:_FULL] + _list([(number,) for number in self.whole], 1),
        }  # fmt: skip


def tables_of(content: bytes) -> list[dict[bytes, bytes]]:
    """The tables of samples of each track of an animation. ValueError where they are not as libavif writes them."""
    return [_tables(track) for kind, track in _boxes(_only(content, b"moov")) if kind == b"trak"]


def _list(rows: Sequence[tuple[int, ...]], width: int) -> bytes:
    return struct.pack(f">I{len(rows) * width}I", len(rows), *(value for row in rows for value in row))


def _boxes(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Each box's kind and content. ValueError where they do not fill what holds them."""
    start = 0
    while start < len(content):
        length, kind = struct.unpack(">I4s", content[start : start + 8].ljust(8, b"\0"))
        if length < 8 or start + length > len(content):
            raise ValueError("boxes that do not fill what holds them")
        yield kind, content[start + 8 : start + length]
        start += length


def _only(content: bytes, kind: bytes) -> bytes:
    found = [inside for one, inside in _boxes(content) if one == kind]
    if len(found) != 1:
        raise ValueError(f"{len(found)} boxes {kind.decode()} where there should be one")
    return found[0]


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


def _rebuilt(content: bytes, tracks: list[dict[bytes, _Change]]) -> bytes:
    """Boxes with changes to those within each track."""
    rest, done = iter(tracks), []
    for kind, inside in _boxes(content):
        done.append(_box(kind, _changed(inside, next(rest)) if kind == b"trak" else inside))
    return b"".join(done)


def _changed(content: bytes, change: dict[bytes, _Change]) -> bytes:
    done = []
    for kind, inside in _boxes(content):
        new = _changed(inside, change) if kind in _HOLDERS else change.get(kind, bytes)(inside)
        done.append(_box(b"co64" if kind == b"stco" else kind, new))
    return b"".join(done)


def _tables(track: bytes) -> dict[bytes, bytes]:
    """The tables of a track's samples. ValueError where they are not of the kind that is understood."""
    inside = track
    for kind in (b"mdia", b"minf", b"stbl"):
        inside = _only(inside, kind)
    tables = dict(_boxes(inside))
    if missing := [kind.decode() for kind in (b"stsd", *_MOVED) if kind not in tables]:
        raise ValueError(f"a track without {', '.join(missing)}")
    if len(_numbers(tables[b"stco"], _FULL)) != 1:
        raise ValueError("a track in several pieces")
    return tables


def _numbers(content: bytes, start: int) -> tuple[int, ...]:
    """The 32-bit numbers of a table after its count, which is at that byte."""
    return struct.unpack_from(f">{(len(content) - start) // 4 - 1}I", content, start + 4)
