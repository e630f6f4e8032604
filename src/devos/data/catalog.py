"""Where the videos of a data set are, and how its pictures and masks are read.

The layout is that of DAVIS; the resolution folder and ImageSets may be left out:

    ROOT/JPEGImages/480p/<sequence>/00000.jpg
    ROOT/Annotations/480p/<sequence>/00000.png     one grey or palette value per pixel: the object's id, 0 background
    ROOT/ImageSets/2017/val.txt                    the names of the sequences, one a line
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8, UInt16
from natsort import natsorted
from PIL import Image

from devos.errors import InputError, MaskError, VideoError
from devos.io.mask_checks import refuse_other_palette, refuse_unclear
from devos.io.mask_pictures import black_is_elsewhere
from devos.io.pictures import PICTURE_SUFFIXES, UNREADABLE, read_rgb

MASK_SUFFIXES = (".png", ".bmp", ".tif", ".tiff")
"""What a mask's name may end with, in any case: formats that keep every value."""
USUAL_RESOLUTION = "480p"
"""The resolution folder that is taken where there are several and none is asked for."""

_TREE = "expected ROOT/JPEGImages/[480p/]SEQUENCE/*.jpg and ROOT/Annotations/[480p/]SEQUENCE/*.png"
_LABEL_MODES = ("1", "L", "P", "I", "I;16")

Labels = UInt16[np.ndarray, "h w"]
"""An object id per pixel, 0 for background."""


@dataclass(frozen=True)
class VideoInfo:
    """Where one video's pictures and masks are. Entry i of each tuple belongs to frame i."""

    name: str
    frames: tuple[Path, ...]
    """One picture per frame; empty where only masks are known."""
    masks: tuple[Path | None, ...]
    """One label map per frame, None for a frame that has none."""

    @property
    def num_frames(self) -> int:
        """How many frames the video has."""
        return len(self.masks)

    @property
    def stems(self) -> tuple[str, ...]:
        """The frames' file names without folder and suffix."""
        return tuple(path.stem for path in (self.frames or self.masks) if path is not None)


def find_videos(
    root: Path, *, split: str | None = None, resolution: str | None = None, year: str | None = None
) -> tuple[VideoInfo, ...]:
    """The videos of a DAVIS-layout folder, in the order of their names.

    `split` picks the sequences of ImageSets/YEAR/SPLIT.txt, of the last year unless one is given; it is not looked at
    where there is no ImageSets folder. `resolution` names the folder between JPEGImages and the sequences.
    """
    pictures, annotations = root / "JPEGImages", root / "Annotations"
    if not pictures.is_dir():
        found = "there is no such folder" if not root.is_dir() else f"it holds {_joined(list_folders(root))}"
        raise InputError(f"{root} is not a DAVIS-layout folder ({found}); {_TREE}")
    resolution = find_resolution(pictures, resolution)
    pictures, annotations = pictures / resolution, annotations / resolution
    names = read_split(root, split, year) if split else None
    names = list_folders(pictures) if names is None else names
    if not names:
        raise InputError(f"{pictures} holds no sequence; {_TREE}")
    return tuple(_video(name, pictures / name, annotations / name) for name in names)


def find_masks(folder: Path) -> tuple[VideoInfo, ...]:
    """The mask sequences in a folder of sequence folders, or the one in a folder of PNGs; without their pictures."""
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder; expected a folder of PNG masks, or a folder of such folders")
    names = [name for name in list_folders(folder) if list_files(folder / name, MASK_SUFFIXES)]
    homes = [folder / name for name in names] or [folder]
    videos = tuple(VideoInfo(home.resolve().name, (), tuple(masks_by_stem(home).values())) for home in homes)
    if not any(video.masks for video in videos):
        raise InputError(f"{folder} holds no PNG; expected a folder of PNG masks, or a folder of such folders")
    return videos


def read_labels(path: Path) -> Labels:
    """The ids in a mask file. Palette and grey values are the ids; colours are never looked at."""
    return decode_labels(path, None)


def decode_labels(path: Path, data: bytes | None) -> Labels:
    """The ids in a mask file whose content is `data`, or is yet to be read; MaskError, naming `path`, if it is none."""
    try:
        with Image.open(path if data is None else io.BytesIO(data)) as image:
            if image.mode not in _LABEL_MODES:
                raise MaskError(
                    f"{path} is a colour picture ({image.mode}); a mask needs one palette or grey value per pixel, "
                    "the object's id: save it as a palette or grey PNG"
                )
            labels = np.asarray(image)
            is_palette = image.mode == "P"
            refuse_other_palette(path, is_palette and black_is_elsewhere(image))
    except UNREADABLE as error:
        raise MaskError(f"{path} cannot be read as a mask ({error}); give a palette or grey PNG") from error
    if labels.min(initial=0) < 0 or labels.max(initial=0) > 65535:
        raise MaskError(f"{path} has values from {labels.min()} to {labels.max()}; object ids go from 1 to 65535")
    refuse_unclear(path, labels, is_palette=is_palette)
    return labels.astype(np.uint16)


def read_clip_labels(path: Path) -> UInt8[np.ndarray, "h w"]:
    """The ids in a mask file as clips hold them, 8 bits with 255 for void; MaskError for an id above that."""
    labels = read_labels(path)
    if labels.max(initial=0) > 255:
        raise MaskError(
            f"{path} has object {labels.max()}; training reads ids up to 254 and 255 as void: renumber them"
        )
    return labels.astype(np.uint8)


def read_picture(path: Path) -> UInt8[np.ndarray, "h w 3"]:
    """The RGB picture in a file."""
    try:
        return read_rgb(path)
    except UNREADABLE as error:
        raise VideoError(f"{path} cannot be read as a picture ({error}); copy it again, or remove it") from error


def _video(name: str, pictures: Path, annotations: Path) -> VideoInfo:
    frames = list_files(pictures, PICTURE_SUFFIXES)
    if not frames:
        raise VideoError(f"{pictures} holds no pictures; expected the frames of sequence {name} ({_TREE})")
    masks = masks_by_stem(annotations)
    strays = masks.keys() - {frame.stem for frame in frames}
    if strays:
        raise MaskError(f"{annotations / min(strays)}.png belongs to no frame of {pictures}; name masks as the frames")
    return VideoInfo(name, tuple(frames), tuple(masks.get(frame.stem) for frame in frames))


def find_resolution(pictures: Path, wanted: str | None) -> str:
    """The name of the resolution folder to read, '' where the sequences lie directly in `pictures`.

    InputError if the wanted one, or where there are several the usual one, is not there.
    """
    folders = list_folders(pictures)
    if wanted is None:
        if not folders or any(list_files(pictures / name, PICTURE_SUFFIXES) for name in folders):
            return ""
        wanted = folders[0] if len(folders) == 1 else USUAL_RESOLUTION
    if wanted not in folders:
        raise InputError(f"{pictures} has no folder {wanted}; choose --resolution among {_joined(folders)}")
    return wanted


def read_split(root: Path, split: str, year: str | None) -> list[str] | None:
    """The sequences of a split; None where the data set has no lists, InputError where it has others."""
    lists = natsorted((root / "ImageSets").glob("*/*.txt"))
    if not lists:
        return None
    matches = [path for path in lists if path.stem == split and year in (None, path.parent.name)]
    if not matches:
        found = _joined(f"{path.parent.name}/{path.stem}" for path in lists)
        raise InputError(f"{root / 'ImageSets'} has no list {year or '*'}/{split}.txt; choose --split among {found}")
    lines = (line.split()[0] for line in matches[-1].read_text().splitlines() if line.strip())
    # The lists of 2016 name every frame: /JPEGImages/480p/blackswan/00000.jpg
    return list(dict.fromkeys(Path(line).parent.name if "/" in line else line for line in lines))


def list_folders(folder: Path) -> list[str]:
    """The names of the folders in a folder, in natural order, hidden ones left out."""
    return natsorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def masks_by_stem(folder: Path) -> dict[str, Path]:
    """The masks in a folder, by the name of their frame, in natural order; MaskError if two are for one frame."""
    return by_stem(list_files(folder, MASK_SUFFIXES))


def by_stem(files: Iterable[Path]) -> dict[str, Path]:
    """Files by their names without the suffix; MaskError if two have the same."""
    found: dict[str, Path] = {}
    for path in files:
        other = found.setdefault(path.stem, path)
        if other is not path:
            raise MaskError(f"{path.parent}: {other.name} and {path.name} are for the same frame; keep one of them")
    return found


def is_one_off(frames: Iterable[str], masks: Iterable[str]) -> bool:
    """Whether masks seem to be counted from another number than their frames: some are of no frame, a first or last
    frame has none, and their numbers end one beyond those of the frames.
    """
    numbers = [sorted(int(name) for name in names if name.isascii() and name.isdigit()) for names in (frames, masks)]
    if not all(numbers):
        return False
    (first, *_, last), (lowest, *_, highest) = ([one[0], one[-1]] for one in numbers)
    return (lowest > first and highest == last + 1) or (lowest == first - 1 and highest < last)


def list_files(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    """The files in a folder with one of those suffixes, in natural order, hidden ones left out; none if it is none."""
    if not folder.is_dir():
        return []
    found = (path for path in folder.iterdir() if path.suffix.lower() in suffixes and not path.name.startswith("."))
    return natsorted(found, key=lambda path: path.name)


def _joined(names: Iterable[str]) -> str:
    return ", ".join(names) or "nothing"
