"""Read the masks that a user gives for some frames of a video; all are checked before any work begins."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Shaped, UInt16
from natsort import natsorted

from devos.errors import MaskError
from devos.frames import FrameSize
from devos.io.labels import davis_palette, write_label_png
from devos.io.mask_checks import soft_edges
from devos.io.mask_codes import CodeTable, code_tables
from devos.io.mask_edges import snap, soft_codes
from devos.io.mask_pictures import Coding, MaskPicture, read_mask_picture, refuse_photograph
from devos.io.names import exists, refuse_strange_name
from devos.io.pictures import list_pictures
from devos.io.reader import VideoReader

__all__ = ["GivenMasks", "MaskSource", "davis_palette", "read_masks", "write_label_png"]

_MAX_HELD = 16
"""Most label maps that are kept in memory; beyond that each is read again when it is asked for."""
_FEW_PIXELS = 10


@dataclass(frozen=True)
class _Checked:
    """A mask that was read and found good; its pixels are not kept."""

    path: Path
    coding: Coding
    codes: tuple[int, ...]


@dataclass(frozen=True)
class MaskSource:
    """The mask of one frame: the file it comes from, and what reads it (uint16, h w, at the video's size)."""

    path: Path
    load: Callable[[], np.ndarray]


class GivenMasks(Mapping[int, np.ndarray]):
    """The label map (uint16, h w, the user's ids) of each frame that has a mask, by the frame's index.

    for index, labels in read_masks("masks", video).items():
        ...
    """

    def __init__(self, masks: Mapping[int, MaskSource], notes: list[str]) -> None:
        self._masks = dict(sorted(masks.items()))
        self._held: dict[int, np.ndarray] = {}
        self.areas: dict[int, dict[int, int]] = {}
        """For each frame index, the number of pixels of each object id, at the video's size."""
        self.notes: tuple[str, ...] = tuple(notes)
        """What was read in a way that the user may want to know of; one line each."""
        self._measure()

    @property
    def object_ids(self) -> tuple[int, ...]:
        """Every object that a mask names, rising."""
        return tuple(sorted({object_id for areas in self.areas.values() for object_id in areas}))

    @property
    def files(self) -> dict[int, Path]:
        """The file that each frame's mask comes from."""
        return {index: mask.path for index, mask in self._masks.items()}

    def __getitem__(self, index: int) -> UInt16[np.ndarray, "h w"]:
        if index in self._held:
            return self._held[index]
        return self._masks[index].load()

    def __iter__(self) -> Iterator[int]:
        return iter(self._masks)

    def __len__(self) -> int:
        return len(self._masks)

    def _measure(self) -> None:
        """Count each object's pixels; a mask without any is an error, one with very few a note."""
        for index, mask in self._masks.items():
            labels = mask.load()
            values, counts = np.unique(labels, return_counts=True)
            areas = {int(value): int(count) for value, count in zip(values, counts, strict=True) if value}
            if not areas:
                raise MaskError(
                    f"{mask.path}: is all background, it marks no object; paint each object with its id (1, 2, ...), "
                    "or remove the file"
                )
            tiny = [f"{object_id} ({area} px)" for object_id, area in areas.items() if area < _FEW_PIXELS]
            if tiny:
                self.notes += (f"{mask.path.name}: very small objects: {', '.join(tiny)}",)
            self.areas[index] = areas
            if len(self._masks) <= _MAX_HELD:
                self._held[index] = labels


def read_masks(
    path: str | Path, video: VideoReader, *, resize: bool = False, snap: bool = False, frame: int = 0
) -> GivenMasks:
    """Read a mask for one frame, the first unless told, or a folder of masks named as their frames.

    Each is a palette PNG (the index is the id), a grey PNG of 8 or 16 bits (the value is the id), a mask of 0 and 255
    or of one bit (object 1), or plain colours on black. With `resize` a mask of another size is brought to the
    video's, keeping ids whole; with `snap` soft edges are made hard. A mask says nothing of objects it does not name.
    """
    path = Path(path)
    refuse_strange_name(path, MaskError)
    if not exists(path, MaskError):
        raise MaskError(f"{path}: no such file or folder; give a mask PNG for the first frame, or a folder of them")
    notes: list[str] = []
    files = _match_folder(path, video) if path.is_dir() else {frame: path}
    if not path.is_dir() and frame == 0:
        notes += _note_other_frame(path, video)
    checked = {index: _check(file, video.size, notes, resize, snap) for index, file in files.items()}
    tables, how_read = code_tables((mask.path, mask.coding, mask.codes) for mask in checked.values())
    sources = {
        index: MaskSource(mask.path, partial(_load, mask, tables[mask.coding], video.size))
        for index, mask in checked.items()
    }
    return GivenMasks(sources, notes + how_read)


def _load(mask: _Checked, table: CodeTable, size: FrameSize) -> UInt16[np.ndarray, "h w"]:
    picture = read_mask_picture(mask.path)
    if set(picture.areas) - set(mask.codes):
        picture = snap(picture, soft_codes(picture))
    codes = np.array(sorted(table), dtype=np.int32)
    ids = np.array([table[code] for code in sorted(table)], dtype=np.uint16)
    return resize_nearest(ids[np.searchsorted(codes, picture.codes)], size)


def _check(path: Path, size: FrameSize, notes: list[str], resize: bool, snap_edges: bool) -> _Checked:
    """Read one mask and refuse what cannot be followed."""
    mask = read_mask_picture(path)
    if mask.size != size and not resize:
        raise MaskError(
            f"{path}: is {mask.size}, but the video is {size}; "
            "draw it on a frame of the video, or fit it with --resize-masks"
        )
    refuse_photograph(mask)
    mask = _harden(mask, notes, snap_edges=snap_edges)
    return _Checked(path, mask.coding, tuple(mask.areas))


def _harden(mask: MaskPicture, notes: list[str], *, snap_edges: bool) -> MaskPicture:
    soft = soft_codes(mask)
    if not soft:
        return mask
    if not snap_edges:
        raise soft_edges(mask, soft, "save it without anti-aliasing, or make its edges hard with --snap-masks")
    hard = snap(mask, soft)
    gone = sorted(set(mask.areas) - set(hard.areas) - {0})
    listing = ", ".join(f"{code:#08x}" if mask.coding is Coding.COLOUR else str(code) for code in gone[:8])
    notes.append(
        f"{mask.path.name}: edges made hard; {len(gone)} values were given to their neighbours: "
        f"{listing}{', ...' if len(gone) > 8 else ''}"
    )
    return hard


def _match_folder(folder: Path, video: VideoReader) -> dict[int, Path]:
    """The mask file of each frame index."""
    try:
        files = natsorted(list_pictures(folder), key=lambda file: file.name)
    except OSError as error:
        raise MaskError(f"{folder}: the folder cannot be read ({error.strerror})") from error
    if not files:
        raise MaskError(f"{folder}: holds no masks; put PNG files in it, named as the frames they belong to")
    index_of_name = None if video.names is None else {name: index for index, name in enumerate(video.names)}
    matched: dict[int, Path] = {}
    for file in files:
        index = _numbered_frame(file, video) if index_of_name is None else index_of_name.get(file.stem)
        if index is None:
            raise MaskError(f"{file}: belongs to no frame of {video.path}; its frames are {example_names(video)}")
        if index in matched:
            raise MaskError(f"{folder}: {matched[index].name} and {file.name} are for the same frame; keep one")
        matched[index] = file
    return matched


def _numbered_frame(file: Path, video: VideoReader) -> int | None:
    """The frame of a video file that a mask is named after, however many zeros it has."""
    if not (file.stem.isascii() and file.stem.isdigit()):
        return None
    index = int(file.stem)
    beyond = video.num_frames_is_exact and video.num_frames is not None and index >= video.num_frames
    return None if beyond else index


def example_names(video: VideoReader) -> str:
    """What the frames of a video are called, for messages."""
    if video.names is not None:
        first, last = video.names[0], video.names[-1]
        return f"named {first}" if first == last else f"named {first} to {last}"
    if video.num_frames is None or not video.num_frames_is_exact:
        return "named by their number: 00000, 00001, ..."
    return f"named by their number: 00000 to {video.num_frames - 1:05d}"


def frame_named(path: Path, video: VideoReader) -> int | None:
    """The index of the frame that a mask is named after; None if it is named after none."""
    if video.names is None:
        return _numbered_frame(path, video)
    return video.names.index(path.stem) if path.stem in video.names else None


def _note_other_frame(path: Path, video: VideoReader) -> list[str]:
    if not frame_named(path, video):
        return []
    return [f"{path.name} is used for the first frame; for frame {path.stem}, put it in a folder and give the folder"]


def resize_nearest(labels: Shaped[np.ndarray, "h w"], size: FrameSize) -> Shaped[np.ndarray, "_h _w"]:
    """Take the nearest pixel, so that ids stay whole."""
    if labels.shape == size:
        return labels
    rows = ((np.arange(size.height) + 0.5) * labels.shape[0] / size.height).astype(np.intp)
    columns = ((np.arange(size.width) + 0.5) * labels.shape[1] / size.width).astype(np.intp)
    resized: np.ndarray = labels[rows[:, None], columns]
    return resized
