"""Read every file of a video once, and note what training has to know of it before the first clip is made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt16
from PIL import Image

from devos.data.catalog import VideoInfo, decode_labels, read_picture
from devos.data.clips import VOID
from devos.data.findings import Kind
from devos.errors import InputError, MaskError, SoftEdgesError
from devos.frames import FrameSize
from devos.io.pictures import UNREADABLE, read_size

_TAIL = 4096
"""Bytes at the end of a picture among which the mark of its end is looked for."""
_SAME, _OTHER = 0.7, 0.1
"""An object has another's id if its region overlaps that one's by more than the first and its own by less than the
second (intersection over union, of two frames that follow each other)."""
_LEAST_PIXELS = 100
"""Smaller regions tell nothing about a change of ids."""

Areas = tuple[tuple[int, int], ...]
"""(id, pixels) of every id that a mask holds but background, 255 included, by rising id."""


@dataclass(frozen=True)
class VideoFacts:
    """What one reading of a video's masks and of its pictures' headers told."""

    masks: tuple[Areas | None, ...]
    """One entry a frame; None for a frame without a mask, and where there was trouble."""
    troubles: tuple[tuple[Kind, str], ...] = ()
    """What makes the video unusable: of each kind the first case, with the file's name."""
    num_pixels: int = 0
    """Of a frame."""


class TroubleError(Exception):
    """A file that cannot be used; told as a finding, not as an error."""

    def __init__(self, kind: Kind, text: str) -> None:
        super().__init__(text)
        self.kind = kind
        self.text = text


def scan_video(video: VideoInfo, thorough: bool = False) -> VideoFacts:
    """Read all masks, and of the pictures that have one the header and the end; with `thorough` all of each picture."""
    masks: list[Areas | None] = []
    troubles: dict[Kind, str] = {}
    size: tuple[FrameSize, str] | None = None
    before: UInt16[np.ndarray, "h w"] | None = None
    for picture, mask in zip(video.frames, video.masks, strict=True):
        masks.append(None)
        if mask is None:
            continue
        try:
            labels = read_ids(mask)
            sizes = [(check_picture(picture, thorough), picture.name), (FrameSize(*labels.shape), mask.name)]
        except TroubleError as trouble:
            troubles.setdefault(trouble.kind, trouble.text)
            continue
        for own, name in sizes:
            size = size or (own, name)
            if own != size[0]:
                troubles.setdefault(Kind.WRONG_SIZE, f"{name} is {own}, {size[1]} is {size[0]}")
        if labels.max(initial=0) > VOID:
            troubles.setdefault(Kind.HIGH_ID, f"{mask.name} has {labels.max()}")
            continue
        masks[-1] = measure_areas(labels)
        change = find_change(before, labels) if before is not None and before.shape == labels.shape else None
        if change is not None:
            troubles.setdefault(Kind.RENUMBERED, f"{change[0]} is called {change[1]} from {mask.name} on")
        before = labels
    num_pixels = 0 if size is None else size[0].height * size[0].width
    return VideoFacts(tuple(masks), tuple(troubles.items()), num_pixels)


def measure_areas(labels: UInt16[np.ndarray, "h w"]) -> Areas:
    """How many pixels each id has."""
    counts = np.bincount(labels.ravel())
    return tuple((int(i), int(counts[i])) for i in np.flatnonzero(counts) if i)


def find_change(before: UInt16[np.ndarray, "h w"], after: UInt16[np.ndarray, "h w"]) -> tuple[int, int] | None:
    """(old id, new id) if an object is called by another id on the second of two frames that follow each other.

    Its region is then where that of another id is, which was not there before, and its own id has gone from there.
    An object that comes, goes or is hidden is no such case.
    """
    joint = np.bincount((before[::2, ::2].astype(np.int64) * 256 + after[::2, ::2]).ravel(), minlength=256 * 256)
    joint = joint.reshape(256, 256)
    rows, columns = joint.sum(1), joint.sum(0)
    least = _LEAST_PIXELS // 4  # every second pixel of every second row is looked at

    def overlap(old: int, new: int) -> float:
        union = rows[old] + columns[new] - joint[old, new]
        return float(joint[old, new] / union) if union else 0.0

    for old in (int(i) for i in np.flatnonzero(rows[1:] >= least) + 1):
        new = int(joint[old, 1:].argmax()) + 1
        if new != old and overlap(old, new) > _SAME and max(overlap(old, old), overlap(new, new)) < _OTHER:
            return old, new
    return None


def read_ids(path: Path) -> UInt16[np.ndarray, "h w"]:
    """The ids in a mask file, or why there are none, as an error of this module."""
    try:
        return decode_labels(path, None)
    except SoftEdgesError as error:
        raise TroubleError(Kind.SOFT_EDGES, path.name) from error
    except MaskError as error:
        kind = Kind.COLOUR_MASK if _is_coloured(path) else Kind.BAD_MASK
        raise TroubleError(kind, f"{path.name}" if kind is Kind.COLOUR_MASK else explain(path, error)) from error


def check_picture(path: Path, thorough: bool) -> FrameSize:
    """A picture's size, if it seems whole: its header can be read and it ends as its format says, or all is read."""
    try:
        if thorough or not _ends_well(path):
            read_picture(path)
        return read_size(path)
    except (InputError, *UNREADABLE) as error:
        raise TroubleError(Kind.BAD_PICTURE, explain(path, error)) from error


def _is_coloured(path: Path) -> bool:
    try:
        with Image.open(path) as picture:
            return picture.mode in ("RGB", "RGBA", "LA", "CMYK", "YCbCr", "PA")
    except UNREADABLE:
        return False


def _ends_well(path: Path) -> bool:
    """Whether the last bytes are those of a whole file; False also where the format has no such mark."""
    with path.open("rb") as file:
        start = file.read(12)
        length = file.seek(0, 2)
        file.seek(max(0, length - _TAIL))
        tail = file.read()
    if start[:2] == b"\xff\xd8":
        return b"\xff\xd9" in tail
    if start[:4] == b"\x89PNG":
        return b"IEND" in tail
    if start[:4] == b"RIFF":
        return int.from_bytes(start[4:8], "little") + 8 <= length
    return False


def explain(path: Path, error: BaseException) -> str:
    """A file's name and why it could not be read, in one line."""
    cause = error.__cause__ or error
    return f"{path.name}: {str(cause).splitlines()[0] if str(cause) else type(cause).__name__}"
