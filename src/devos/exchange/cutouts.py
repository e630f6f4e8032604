"""What was followed, cut out: RGBA pictures, straight alpha."""

from __future__ import annotations

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from devos.exchange.writers import FolderWriter, Shot


class CutoutWriter(FolderWriter):
    """A PNG for each frame: alpha 255 on every object, 0 elsewhere, the picture's colours everywhere."""

    needs_frames = True

    def write(self, shot: Shot) -> None:
        """Write one frame's file."""
        with self.file(f"{shot.masks.name}.png") as path:
            Image.fromarray(rgba_of(shot)).save(path, format="PNG", compress_level=3)


def rgba_of(shot: Shot) -> UInt8[np.ndarray, "h w 4"]:
    """The picture with how much of each pixel is any object: soft where the probabilities were kept."""
    soft = shot.masks.probabilities
    if soft is None or not len(soft):
        alpha = np.where(shot.masks.labels > 0, np.uint8(255), np.uint8(0))
    else:
        alpha = np.rint(np.clip(soft.astype(np.float32).sum(0), 0, 1) * 255).astype(np.uint8)
    return np.dstack([shot.picture.rgb, alpha])
