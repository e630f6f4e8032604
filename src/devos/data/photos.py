"""Photos with masks: `ROOT/<set>/images/NAME.webp` (any picture) and `ROOT/<set>/masks/NAME.png`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from natsort import natsorted

from devos.data.catalog import read_clip_labels, read_picture
from devos.errors import InputError


@dataclass(frozen=True)
class Photo:
    """A picture and its labels: 1..N objects, 0 background, 255 void."""

    rgb: UInt8[np.ndarray, "h w 3"]
    labels: UInt8[np.ndarray, "h w"]


@dataclass(frozen=True)
class PhotoInfo:
    """Where a photo and its mask are."""

    image: Path
    mask: Path

    def read(self) -> Photo:
        """Both, decoded."""
        return Photo(read_picture(self.image), read_clip_labels(self.mask))


def find_photos(root: Path) -> tuple[PhotoInfo, ...]:
    """Every photo that has a mask, in the order of sets and names."""
    pairs = []
    for masks in natsorted(root.glob("*/masks")):
        images = {path.stem: path for path in (masks.parent / "images").glob("*")}
        pairs += [PhotoInfo(images[m.stem], m) for m in natsorted(masks.glob("*.png")) if m.stem in images]
    if not pairs:
        raise InputError(f"{root} holds no photos with masks; expected ROOT/<set>/images/NAME.webp and "
                         "ROOT/<set>/masks/NAME.png")  # fmt: skip
    return tuple(pairs)
