"""The check that every mask goes through, whichever room reads it: are its values ids, or what a picture is made of?"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Shaped

from devos.errors import MaskError, SoftEdgesError
from devos.io.mask_edges import soft_codes
from devos.io.mask_pictures import Coding, MaskPicture, describe, refuse_photograph

_MANY = 20
_CLEAR = 3
"""So few values beside the background are looked at no further, unless they may be greys between black and white."""


def refuse_unclear(path: Path, labels: Shaped[np.ndarray, "h w"], *, is_palette: bool) -> None:
    """MaskError if a mask of ids is a photograph, SoftEdgesError if its edges are soft; `path` is named in them."""
    if _is_plain(labels, is_palette):
        return
    mask = describe(path, Coding.PALETTE if is_palette else Coding.GREY, labels.astype(np.int32))
    refuse_photograph(mask)
    soft = soft_codes(mask)
    if soft and (mask.solid - {0} or len(soft) > _MANY):  # a few small objects that touch are no edge of anything
        raise soft_edges(mask, soft, "save it without anti-aliasing")


def refuse_other_palette(path: Path, is_other: bool) -> None:
    """MaskError for a mask whose palette a picture program has reordered, so that its indices are no ids."""
    if is_other:
        raise MaskError(f"{path}: its palette was reordered by a picture program: black, the background, is not index "
                        "0; save the ids as a grey PNG, or with the palette that the mask had")  # fmt: skip


def soft_edges(mask: MaskPicture, soft: set[int], remedy: str) -> SoftEdgesError:
    """What is said of a mask with soft edges."""
    clear = len(mask.areas) - len(soft) - (0 in mask.areas)
    return SoftEdgesError(f"{mask.path}: has soft (anti-aliased) edges: {len(soft)} stray values beside {clear} clear "
                          f"ones; {remedy}")  # fmt: skip


def _is_plain(labels: Shaped[np.ndarray, "h w"], is_palette: bool) -> bool:
    """Whether there are too few values to be anything but ids; quick, for every mask that is read is asked."""
    if labels.dtype != np.uint8:
        if labels.max(initial=0) > 255:
            return False
        labels = labels.astype(np.uint8)
    counts = cv2.calcHist([labels], [0], None, [256], [0, 256]).ravel()[1:]
    num_objects = np.count_nonzero(counts)
    may_be_greys = not is_palette and counts[254] > 0 and num_objects > 1
    return bool(num_objects <= _CLEAR and not may_be_greys)
