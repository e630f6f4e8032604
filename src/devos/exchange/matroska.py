"""Say in a Matroska or WebM file how wide its pixels are, which PyAV has no way to say.

A placeholder that the track was given as its name makes room: what the track says of its video
grows into it, and no other byte of the file moves. After RFC 9559 (Matroska) and RFC 8794 (EBML).
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

PLACEHOLDER = "the pixel aspect comes here".ljust(80, ".")
"""Name of the track while it is written; it goes when the aspect is said."""

_SEGMENT, _TRACKS, _TRACK, _NAME, _VIDEO, _VOID = 0x18538067, 0x1654AE6B, 0xAE, 0x536E, 0xE0, 0xEC
_PIXEL_WIDTH, _PIXEL_HEIGHT, _DISPLAY = 0xB0, 0xBA, (0x54B0, 0x54BA, 0x54B2)
_REACH = 1 << 16
"""The tracks lie within so many bytes from the start."""


class _Element(NamedTuple):
    kind: int
    start: int
    content: int
    end: int


def say_pixel_aspect(path: Path, aspect: Fraction) -> None:
    """Write the size at which to show the one video track of a file: its width times the aspect, in pixels.

    ValueError where the file is not as our writers leave it.
    """
    with path.open("r+b") as file:
        head = file.read(_REACH)
        segment = _only(head, _SEGMENT, 0, len(head))
        tracks = _only(head, _TRACKS, segment.content, len(head))
        for track in _elements(head, tracks.content, tracks.end):
            parts = {part.kind: part for part in _elements(head, track.content, track.end)}
            if track.kind == _TRACK and _NAME in parts and _VIDEO in parts:
                file.seek(track.content)
                file.write(_rebuilt(head, track, parts[_VIDEO], aspect))
                return
    raise ValueError(f"{path}: no track with a name that makes room")


def _rebuilt(head: bytes, track: _Element, video: _Element, aspect: Fraction) -> bytes:
    """The track's content, as long as before."""
    inside = {part.kind: part for part in _elements(head, video.content, video.end)}
    width, height = (int.from_bytes(head[inside[kind].content : inside[kind].end])
                     for kind in (_PIXEL_WIDTH, _PIXEL_HEIGHT))  # fmt: skip
    kept = b"".join(head[part.start : part.end] for part in inside.values() if part.kind not in _DISPLAY)
    shown = _element(_DISPLAY[0], round(width * aspect).to_bytes(4)) + _element(_DISPLAY[1], height.to_bytes(4))
    others = b"".join(head[part.start : part.end] for part in _elements(head, track.content, track.end)
                      if part.kind not in (_NAME, _VIDEO))  # fmt: skip
    new = others + _element(_VIDEO, kept + shown)
    room = track.end - track.content - len(new) - 9
    if room < 0:
        raise ValueError("the name makes too little room")
    return new + _element(_VOID, bytes(room))


def _element(kind: int, content: bytes) -> bytes:
    """With its size in 8 bytes, whatever it is."""
    return kind.to_bytes((kind.bit_length() + 7) // 8) + (1 << 56 | len(content)).to_bytes(8) + content


def _only(head: bytes, kind: int, start: int, end: int) -> _Element:
    for element in _elements(head, start, end):
        if element.kind == kind:
            return element
    raise ValueError(f"no element {kind:x}")


def _elements(head: bytes, start: int, end: int) -> Iterator[_Element]:
    """The elements between two places, as far as they begin before the end."""
    place = start
    while place < end:
        kind, after = _number(head, place, keep_marker=True)
        size, content = _number(head, after, keep_marker=False)
        yield _Element(kind, place, content, content + size)
        place = content + size


def _number(head: bytes, place: int, *, keep_marker: bool) -> tuple[int, int]:
    """A number of EBML's, whose first set bit says how long it is, and where it ends."""
    length = 9 - head[place].bit_length() if place < len(head) and head[place] else 0
    if not length or place + length > len(head):
        raise ValueError("an element is damaged")
    value = int.from_bytes(head[place : place + length])
    return (value if keep_marker else value & ((1 << 7 * length) - 1)), place + length
