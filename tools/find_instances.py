"""A folder in DAVIS's layout whose masks tell what moves, as one whose masks tell which thing is which.

    python tools/find_instances.py ROOT OUT

Connected parts, followed by overlap (`devos.data.instances`); where that says nothing, 255. Pictures are linked.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from devos.data.instances import follow_instances


def main(root: Path, out: Path) -> None:
    """Every sequence of `root`; says how many things each has."""
    for home in sorted(path for path in (root / "Annotations").iterdir() if path.is_dir()):
        files = sorted(home.glob("*.png"))
        target, pictures = out / "Annotations" / home.name, out / "JPEGImages" / home.name
        target.mkdir(parents=True, exist_ok=True)
        pictures.parent.mkdir(parents=True, exist_ok=True)
        if not pictures.exists():
            pictures.symlink_to((root / "JPEGImages" / home.name).resolve())
        seen: set[int] = set()
        for file, labels in zip(files, follow_instances(np.asarray(Image.open(f)) for f in files), strict=True):
            Image.fromarray(labels).save(target / file.name)
            seen |= set(np.unique(labels)) - {0, 255}
        print(f"{home.name}: {len(files)} frames, {len(seen)} things")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
