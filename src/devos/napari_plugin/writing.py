"""Write a layer of labels as the format `napari` has it: a TIFF and a table of tracks."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from devos.exchange.registry import FORMATS
from devos.exchange.writers import Shot, VideoInfo
from devos.frames import FrameSize, MaskFrame, frame_name


def write_labels(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """A layer (t y x, or y x) to the folder `path`, without its suffix if it has one; gives what was written."""
    folder = Path(path).with_suffix("")
    stack = data if np.ndim(data) == 3 else np.asarray(data)[None]
    height, width = stack.shape[1:]
    info = VideoInfo(str(meta.get("name", "labels")), FrameSize(height, width), len(stack), Fraction(1))
    with FORMATS["napari"].open(folder, info) as writer:
        for index in range(len(stack)):
            labels = np.asarray(stack[index]).astype(np.uint16)
            writer.write(Shot(MaskFrame(index, float(index), frame_name(index), labels, ())))
    return [str(folder / "labels.tif"), str(folder / "tracks.csv")]
