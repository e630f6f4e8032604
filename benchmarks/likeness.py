"""How like copies of a picture are, and how like strangers: what the bound of `devos data build --not-in` rests on.

    python benchmarks/likeness.py --originals DEV --strangers DATA --every 3

Copies are made of every n-th picture below `--originals`, each in several ways; strangers are all pictures below
`--strangers`, which must hold none of them. Pictures in folders `Annotations` and `masks` are masks, and left out.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from devos.data.packing.likeness import ALIKE, list_held_back, look_at, look_of, nearest

Change = Callable[[np.ndarray], np.ndarray]


def recompressed(kind: str, quality: int, side: int | None = None) -> Change:
    """A copy in another file format, its shorter side `side` pixels."""

    def change(rgb: np.ndarray) -> np.ndarray:
        picture = Image.fromarray(rgb)
        if side is not None:
            scale = side / min(picture.size)
            size = round(picture.width * scale), round(picture.height * scale)
            picture = picture.resize(size, Image.Resampling.LANCZOS)
        file = io.BytesIO()
        picture.save(file, format=kind, quality=quality)
        return np.array(Image.open(file).convert("RGB"))

    return change


def cut(share: float) -> Change:
    """That share of the sides cut off on each side."""

    def change(rgb: np.ndarray) -> np.ndarray:
        rows, columns = (round(share * side) for side in rgb.shape[:2])
        return np.ascontiguousarray(rgb[rows : len(rgb) - rows, columns : rgb.shape[1] - columns])

    return change


CHANGES: dict[str, Change] = {
    "JPEG, quality 30": recompressed("JPEG", 30),
    "WebP, quality 75, short side 256": recompressed("WEBP", 75, 256),
    "WebP, quality 50, short side 128": recompressed("WEBP", 50, 128),
    "JPEG, quality 10, short side 240": recompressed("JPEG", 10, 240),
    "squeezed to 320 x 320": lambda rgb: cv2.resize(rgb, (320, 320), interpolation=cv2.INTER_AREA),
    "darker (gamma 1.4)": lambda rgb: (255 * (rgb / 255) ** 1.4).astype(np.uint8),
    "mirrored": lambda rgb: np.ascontiguousarray(rgb[:, ::-1]),
    "2 % cut off each side": cut(0.02),
    "5 % cut off each side": cut(0.05),
}


def main() -> None:
    """Measure and print Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--originals", type=Path, nargs="+", required=True)
    parser.add_argument("--strangers", type=Path, nargs="+", required=True)
    parser.add_argument("--every", type=int, default=1, help="of the originals, only every n-th is copied")
    options = parser.parse_args()
    originals = list_held_back(options.originals)
    held = [(path, look_at(path)) for path in originals]
    copied = [(*entry, np.array(Image.open(entry[0]).convert("RGB"))) for entry in held[:: options.every]]
    print(f"{len(copied)} originals\n\n| copies | least | median | found |\n| --- | ---: | ---: | ---: |")
    for name, change in CHANGES.items():
        found = [nearest([(path, look_of(change(rgb)))], [(path, look)])[0] for path, look, rgb in copied]
        values = np.array([twin.likeness for twin in found])
        print(f"| {name} | {values.min():.3f} | {np.median(values):.3f} | {(values >= ALIKE).mean():.0%} |", flush=True)
    paths = list_held_back(options.strangers)
    twins = nearest([(path, look_at(path)) for path in paths], held)
    values = np.array([twin.likeness for twin in twins])
    top = max(twins, key=lambda twin: twin.likeness)
    middle, most_of_all = np.quantile(values, [0.5, 0.99])
    print(f"\n{len(paths)} strangers, each with the likest of {len(held)}:")
    print(f"the most is {values.max():.3f} ({top.own}, {top.held})")
    print(f"half of them have at most {middle:.3f}, 99 % at most {most_of_all:.3f}")


if __name__ == "__main__":
    main()
