"""The main job with nothing to prepare: the clip and the mask that come with the package."""

from __future__ import annotations

import importlib.resources
from pathlib import Path

CLIP = "bunny.mp4"
MASK = "bunny.png"


def demo_clip() -> tuple[Path, Path]:
    """A short clip, and the mask of its first frame."""
    folder = Path(str(importlib.resources.files("devos"))) / "assets"
    return folder / CLIP, folder / MASK
