"""Which pictures of a folder are its frames: those that agree in name, kind and size; masks and thumbnails are none."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from natsort import natsorted

from devos.errors import VideoError
from devos.frames import FrameSize
from devos.io.film_frames import FILM_SUFFIXES
from devos.io.names import refuse_strange_name
from devos.io.pictures import PICTURE_SUFFIXES, UNREADABLE, list_pictures, opened, read_size

_LOOKED_AT = 3
"""Pictures of a group that tell what it is."""
_MASK_COLOURS = 24
"""A mask has at most so many colours; a photograph of this size has more."""


def find_frames(folder: Path, not_frames: Iterable[Path] = ()) -> tuple[list[Path], list[str]]:
    """The frames in natural order, and a note on each kind of picture that is passed over.

    `not_frames`: files that are known to be something else, as the masks that were given.
    """
    try:
        files: list[Path] = natsorted(list_pictures(folder), key=lambda file: file.name)
        others = sum(1 for other in folder.iterdir() if not other.name.startswith("."))
    except OSError as error:
        raise VideoError(f"{folder}: the folder cannot be read ({error.strerror})") from error
    if not files:
        found = f"has no pictures among its {others} entries" if others else "is an empty folder"
        raise VideoError(f"{folder}: {found}; a folder of frames holds {' '.join(PICTURE_SUFFIXES)} files")
    for file in files:
        refuse_strange_name(file, VideoError)
    known = {path.resolve() for path in not_frames}
    given = [file for file in files if file.resolve() in known]
    frames = [file for file in files if file not in given] or files
    notes = _passed_over(given, "given as a mask") if len(frames) < len(files) else []
    doubles = _film_beside_pictures(frames)
    frames = [file for file in frames if file not in doubles]
    notes += _passed_over(doubles, "pictures of the same names are beside them")
    frames, more = _without_others(frames)
    _refuse_twins(folder, frames)
    return frames, notes + more


def _film_beside_pictures(files: Sequence[Path]) -> list[Path]:
    """EXR and DPX files of which there is another picture, as a mask's mattes or what a preview was made of."""
    plain = {file.stem for file in files if file.suffix.lower() not in FILM_SUFFIXES}
    return [file for file in files if file.suffix.lower() in FILM_SUFFIXES and file.stem in plain]


def _without_others(files: list[Path]) -> tuple[list[Path], list[str]]:
    """Without the groups of equal names and kind that look like masks, or are small, beside others that do not."""
    groups: dict[tuple[str, str], list[Path]] = {}
    for file in files:
        groups.setdefault((re.sub(r"\d+", "#", file.stem), file.suffix.lower()), []).append(file)
    if len(groups) < 2:
        return files, []
    masks = [group for group in groups.values() if _looks_like_masks(group)]
    notes: list[str] = []
    if len(masks) < len(groups):
        for group in masks:
            files = [file for file in files if file not in group]
            notes += _passed_over(group, "masks by their few plain colours")
    main = max((group for group in groups.values() if group not in masks or len(masks) == len(groups)), key=len)
    size = _size(main[0])
    for group in groups.values():
        other = _size(group[0])
        is_odd = len(group) * 3 <= len(main) and size and other and other != size
        if group is not main and is_odd and group[0] in files:
            files = [file for file in files if file not in group]
            notes += _passed_over(group, f"{other}, while {len(main)} others are {size}")
    return files, notes


def _passed_over(files: Sequence[Path], why: str) -> list[str]:
    if not files:
        return []
    first, last = files[0].name, files[-1].name
    what = f"{first} is no frame" if len(files) == 1 else f"{len(files)} pictures, {first} to {last}, are no frames"
    return [f"{what} ({why}); to follow objects through it, put the frames in a folder of their own"]


def _looks_like_masks(group: Sequence[Path]) -> bool:
    """Whether all that are looked at have few colours and lie in plain areas."""
    step = max(1, len(group) // _LOOKED_AT)
    return all(_looks_like_a_mask(file) for file in group[::step][:_LOOKED_AT])


def _looks_like_a_mask(file: Path) -> bool:
    try:
        with opened(file) as picture:
            if picture.format in ("JPEG", "MPO") or getattr(picture, "n_frames", 1) > 1:
                return False
            if picture.mode.startswith("I"):
                return len(np.unique(np.asarray(picture))) <= _MASK_COLOURS
            return picture.convert("RGB").getcolors(_MASK_COLOURS) is not None
    except UNREADABLE:
        return False


def _size(file: Path) -> FrameSize | None:
    try:
        return read_size(file)
    except UNREADABLE:
        return None


def _refuse_twins(folder: Path, files: Sequence[Path]) -> None:
    seen: dict[str, Path] = {}
    for file in files:
        twin = seen.setdefault(file.stem, file)
        if twin is not file:
            raise VideoError(
                f"{folder}: {twin.name} and {file.name} would both be frame {file.stem!r}; "
                "keep one of them, or put them in folders of their own"
            )
