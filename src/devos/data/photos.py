"""Photos with masks, of which clips are made; our own sets: `ROOT/<set>/images/NAME.webp`, `<set>/masks/NAME.png`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from devos.data.catalog import read_clip_labels, read_picture
from devos.data.clips import VOID
from devos.errors import MaskError
from devos.frames import FrameSize
from devos.io.pictures import UNREADABLE


@dataclass(frozen=True)
class Photo:
    """A picture and its labels: 1..N objects, 0 background, 255 void."""

    rgb: UInt8[np.ndarray, "h w 3"]
    labels: UInt8[np.ndarray, "h w"]


@runtime_checkable
class PhotoSource(Protocol):
    """A photo that can be read, wherever its mask comes from."""

    @property
    def image(self) -> Path:
        """The picture."""

    @property
    def mask(self) -> Path:
        """The file that tells the labels."""

    def labels(self) -> UInt8[np.ndarray, "h w"]:
        """The labels alone; MaskError, naming the file, if it cannot be read."""

    def troubles(self) -> dict[str, str]:
        """The annotations of it that are left out, by their names, and why; none where its mask is a picture."""

    def read(self) -> Photo:
        """Picture and labels, decoded; InputError, naming the file, if that fails or their sizes differ."""


@dataclass(frozen=True)
class PhotoInfo:
    """Where a photo and its mask are."""

    image: Path
    mask: Path
    is_binary: bool = False
    """The mask's brightness tells one object, from the middle of its range on, as in sets for saliency; otherwise its
    values are ids."""

    def labels(self) -> UInt8[np.ndarray, "h w"]:
        """The labels alone; MaskError, naming the file, if it cannot be read. Where 255 is the only value it is object
        1, not void, as in videos.
        """
        if self.is_binary:
            return read_brightness(self.mask)
        labels = read_clip_labels(self.mask)
        objects = labels[labels > 0]
        return (labels == VOID).astype(np.uint8) if objects.size and (objects == VOID).all() else labels

    def troubles(self) -> dict[str, str]:
        """None: its mask is one picture."""
        return {}

    def read(self) -> Photo:
        """Both, decoded; InputError, naming the file, if that fails or their sizes differ."""
        return read_photo(self)


def read_photo(source: PhotoSource) -> Photo:
    """Picture and labels; InputError, naming the file, if one cannot be read or their sizes differ."""
    rgb, labels = read_picture(source.image), source.labels()
    if rgb.shape[:2] != labels.shape:
        sizes = [str(FrameSize(*shape[:2])) for shape in (labels.shape, rgb.shape)]
        raise MaskError(f"{source.mask} is {sizes[0]}, but {source.image.name} is {sizes[1]}; "
                        "give the mask of that picture")  # fmt: skip
    return Photo(rgb, labels)


def read_brightness(path: Path) -> UInt8[np.ndarray, "h w"]:
    """1 where a mask, of any kind of picture, is brighter than half of white; MaskError if it cannot be read."""
    try:
        with Image.open(path) as image:
            return (np.asarray(image.convert("L")) > 127).astype(np.uint8)
    except UNREADABLE as error:
        raise MaskError(
            f"{path} cannot be read as a mask ({error}); give a grey PNG, white where the object is"
        ) from error
