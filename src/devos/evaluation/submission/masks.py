"""One mask of a submission: what its PNG holds, what is wrong with it, and the form in which servers read it."""

from __future__ import annotations

import io
import struct
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8, UInt16
from PIL import Image

from devos.errors import MaskError
from devos.evaluation.scoring import VOID
from devos.frames import FrameSize
from devos.io.labels import davis_palette
from devos.io.mask_checks import refuse_unclear
from devos.io.pictures import UNREADABLE

MAX_PIXELS = 1 << 26
"""A larger mask is not unpacked; 8192 x 8192."""
NUM_EXAMPLES = 3

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_MAX_ID = 255
_COLOUR_FREE = ("1", "L", "P", "I", "I;16")


class Kind(NamedTuple):
    """A sort of finding, and what to do about it."""

    what: str
    advice: str = ""


UNREADABLE_MASK = Kind("masks that cannot be read", "write them again as 8-bit PNG")
COLOURED = Kind("colour pictures instead of ids", "save palette or grey PNGs; the server would score them about 0")
ODD_DEPTH = Kind("masks of 1 or 16 bits", "save palette PNGs of 8 bits")
SOFT = Kind("masks with soft (anti-aliased) edges", "save them without anti-aliasing; every grey would be an object")
TWINS = Kind("two masks for one frame", "keep one of each")
SHUFFLED = Kind("palettes that a picture program has reordered", "index 0 must be black, the background")
WRONG_SIZE = Kind("masks of another size than their frame", "resize them with nearest neighbour")
FOREIGN_ID = Kind("ids that the first masks do not have", "give each object the id of its first mask")
EARLY_ID = Kind("objects before the frame that first gives them", "leave them out on the frames before")
LONE_255 = Kind("masks of 0 and 255", "give the object its id; 255 stands for void, not for an object")
VOID_HERE = Kind("masks with void, 255", "the server takes it for an object: make it 0")
UNUSUAL_PALETTE = Kind("palettes other than PASCAL VOC's")
GREY = Kind("grey masks")


@dataclass
class Findings:
    """What was found, by kind: how often, and the first few places."""

    _counts: dict[Kind, int] = field(default_factory=dict)
    _places: dict[Kind, list[str]] = field(default_factory=dict)

    def add(self, kind: Kind, place: str) -> None:
        """Count one; `place` names file and detail."""
        self._counts[kind] = self._counts.get(kind, 0) + 1
        places = self._places.setdefault(kind, [])
        if len(places) < NUM_EXAMPLES:
            places.append(place)

    @property
    def total(self) -> int:
        """How many were added, of all kinds."""
        return sum(self._counts.values())

    def __contains__(self, kind: object) -> bool:
        return kind in self._counts

    def __bool__(self) -> bool:
        return bool(self._counts)

    def move(self, kind: Kind, other: Findings) -> None:
        """Give all of a kind to other findings, which have none of it."""
        if kind in self._counts:
            other._counts[kind] = self._counts.pop(kind)
            other._places[kind] = self._places.pop(kind)

    def lines(self, titles: Mapping[Kind, Kind] | None = None) -> tuple[str, ...]:
        """One line a kind: how many, the first few, what to do. `titles` puts other words for some kinds."""
        return tuple(self._line(kind, (titles or {}).get(kind, kind)) for kind in self._counts)

    def _line(self, found: Kind, kind: Kind) -> str:
        count, places = self._counts[found], self._places[found]
        more = ", ..." if count > len(places) else ""
        return f"{kind.what} ({count}): {', '.join(places)}{more}" + (f"; {kind.advice}" if kind.advice else "")


class UnfitMaskError(Exception):
    """A file that holds no mask of ids; `kind` and the message say why."""

    def __init__(self, kind: Kind, why: str) -> None:
        super().__init__(why)
        self.kind = kind


@dataclass(frozen=True)
class PngMask:
    """A mask as it is in its file."""

    mode: str
    """As Pillow names it: P, L, 1, I;16."""
    ids: UInt16[np.ndarray, "h w"]
    palette: bytes = b""
    """RGB, entry after entry, as long as the file has it."""

    @property
    def size(self) -> FrameSize:
        """Height and width in pixels."""
        return FrameSize(*self.ids.shape)

    @property
    def has_usual_palette(self) -> bool:
        """Whether the colours of the ids are those of PASCAL VOC, as far as the file has any."""
        return self.palette == davis_palette().tobytes()[: len(self.palette)]


@dataclass(frozen=True)
class Expected:
    """What the mask of one frame must be; None for what is not known."""

    size: FrameSize | None = None
    ids: frozenset[int] | None = None
    """The objects that the first masks have given by this frame."""
    later: frozenset[int] = frozenset()
    """Those that come later."""


def read_png(data: bytes) -> PngMask:
    """The ids in the bytes of a PNG; UnfitMaskError if there are none. Nothing huge is unpacked."""
    if data[:8] != _SIGNATURE or len(data) < 24:
        raise UnfitMaskError(UNREADABLE_MASK, "not a PNG")
    width, height = struct.unpack(">II", data[16:24])
    if width * height > MAX_PIXELS:
        raise UnfitMaskError(UNREADABLE_MASK, f"{width}x{height}, too large for a mask")
    try:
        with Image.open(io.BytesIO(data), formats=("PNG",)) as picture:
            if picture.mode not in _COLOUR_FREE:
                raise UnfitMaskError(COLOURED, f"mode {picture.mode}")
            pixels, mode = np.asarray(picture), picture.mode
            palette = bytes(picture.getpalette("RGB") or ()) if mode == "P" else b""
    except UNREADABLE as error:
        raise UnfitMaskError(UNREADABLE_MASK, "damaged") from error
    if pixels.max(initial=0) > np.iinfo(np.uint16).max:
        raise UnfitMaskError(FOREIGN_ID, f"has {pixels.max()}")
    return PngMask(mode, pixels.astype(np.uint16), palette)


def encode_png(ids: UInt8[np.ndarray, "h w"]) -> bytes:
    """An 8-bit indexed PNG whose index is the id, coloured as PASCAL VOC; the same ids give the same bytes."""
    picture = Image.fromarray(ids)
    picture.putpalette(davis_palette().tobytes())
    file = io.BytesIO()
    picture.save(file, format="PNG")
    return file.getvalue()


def check_mask(mask: PngMask, place: str, expected: Expected, problems: Findings, notes: Findings) -> bool:
    """Whether a mask can be sent, void and palette mended; what is wrong or would be mended is added to the findings.

    `place` is what a person calls the file. An id is wrong if no first mask has it, or only a later one.
    """
    before = problems.total
    if expected.size is not None and mask.size != expected.size:
        problems.add(WRONG_SIZE, f"{place} is {mask.size}, its frame {expected.size}")
    if mask.mode == "P" and _is_shuffled(mask):
        problems.add(SHUFFLED, place)
    elif mask.mode == "P" and not mask.has_usual_palette:
        notes.add(UNUSUAL_PALETTE, place)
    elif mask.mode == "L":
        notes.add(GREY, place)
    elif mask.mode != "P":
        notes.add(ODD_DEPTH, f"{place} has mode {mask.mode}")
    try:
        refuse_unclear(Path(place), mask.ids, is_palette=mask.mode == "P")
    except MaskError:
        problems.add(SOFT, place)
        return False
    _check_ids(np.flatnonzero(np.bincount(mask.ids.ravel())).tolist(), place, expected, problems, notes)
    return problems.total == before


def without_void(ids: UInt16[np.ndarray, "h w"], objects: Collection[int]) -> UInt8[np.ndarray, "h w"]:
    """Void as background, unless 255 is an object; ids above 255 must not be there any more."""
    assert ids.max(initial=0) <= _MAX_ID
    return np.where((ids == VOID) & (VOID not in objects), 0, ids).astype(np.uint8)


def _check_ids(found: list[int], place: str, expected: Expected, problems: Findings, notes: Findings) -> None:
    known = expected.ids if expected.ids is not None else frozenset(range(1, VOID))
    ids = set(found) - {0}
    if VOID in ids and VOID not in known | expected.later:
        ids -= {VOID}
        # Alone, it is an object of a program that writes 0 and 255: to take it for void would wipe the object out.
        (notes if ids else problems).add(VOID_HERE if ids else LONE_255, place)
    early = sorted(ids & expected.later)
    foreign = sorted(ids - known - expected.later)
    if early:
        problems.add(EARLY_ID, f"{place} has {_listed(early)}")
    if foreign:
        allowed = f" (may have {_listed(sorted(known)) or 'none'})" if expected.ids is not None else ""
        problems.add(FOREIGN_ID, f"{place} has {_listed(foreign)}{allowed}")


def _is_shuffled(mask: PngMask) -> bool:
    """Whether black, the background, has another index than 0, and is used."""
    colours = np.frombuffer(mask.palette, np.uint8).reshape(-1, 3)
    if not len(colours) or not colours[0].any():
        return False
    black = np.flatnonzero(~colours.any(1))
    return bool(np.isin(mask.ids, black).any())


def _listed(ids: list[int]) -> str:
    shown = ", ".join(map(str, ids[:8]))
    return f"{shown}, ..." if len(ids) > 8 else shown
