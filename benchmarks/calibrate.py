"""Look at what the backbone's convolutions are given on some pictures: 8-bit numbers are fitted to it.

    python benchmarks/calibrate.py shared/data/video-train/JPEGImages src/devos/weights/efficientnet-lite0

Every folder below the first argument gives one picture from its middle. The table holds ranges and means, no pictures.
Run it again only for another backbone: networks that differ in what they have learnt after it share one table.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import cast

import numpy as np
import torch
from PIL import Image

import devos
from devos.frames import FrameSize
from devos.image import network_size, resize_rgb, to_tensor
from devos.model.encoder import EfficientNetLite0
from devos.runtimes.calibration import SUFFIX, calibrate, save_table


def main(pictures: Path, out: Path, model: str = "devos-t", short_side: int = 384) -> None:
    """Write `out` with the ending that tables have."""
    backbone = cast(EfficientNetLite0, devos.load(model, device="cpu", runtime="torch").model.image_encoder.backbone)
    folders = sorted(path for path in pictures.iterdir() if path.is_dir())
    paths = [files[len(files) // 2] for files in (sorted(folder.iterdir()) for folder in folders)]
    print(f"{len(paths)} pictures of {pictures}")
    table = calibrate(backbone, (see(path, short_side) for path in paths))
    save_table(out.with_name(out.name + SUFFIX), backbone, table, f"{len(paths)} frames of {pictures.parent.name}")


def see(path: Path, short_side: int) -> torch.Tensor:
    """A picture as the network sees it, `1 3 h w`."""
    rgb = np.asarray(Image.open(path).convert("RGB"))
    return to_tensor(resize_rgb(rgb, network_size(FrameSize(*rgb.shape[:2]), short_side)))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]))
