"""Clips made from photos with masks and from drawn shapes: layers that move, turn, bend and hide each other."""

from devos.data.synthetic.clip import Scene, make_clip
from devos.data.synthetic.config import SyntheticConfig, crowded, wild

__all__ = ["Scene", "SyntheticConfig", "crowded", "make_clip", "wild"]
