"""Clips made from photos with masks: layers that move, turn, grow, bend and hide each other; masks and flow exact.

Every layer is a photo with a shape; a pixel of a frame is mapped back to the layer's photo by a smooth affine path plus
a smooth bending. The flow between two frames follows from the two maps of the layer that is seen.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Float32

from devos.data.clips import Footage, keep_objects
from devos.data.photos import Photo
from devos.data.synthetic.config import SyntheticConfig
from devos.data.synthetic.plan import make_plan
from devos.data.synthetic.render import draw, motion, pixel_grid


class Scene(NamedTuple):
    """A made-up clip and, if it is wanted, its exact motion."""

    footage: Footage
    flow: tuple[Float32[np.ndarray, "pairs 2 h_half w_half"], Float32[np.ndarray, "pairs 2 h_half w_half"]] | None
    """`to_prev` and `to_curr`, as a `Clip` has them."""


def make_clip(
    photos: list[Photo], config: SyntheticConfig, rng: np.random.Generator, *, with_flow: bool
) -> Scene | None:
    """A clip from the first photo as scene and the others as what moves in it; None if no object can be followed.

    The exact motion takes half of the time, so it is made only `with_flow`; the pictures do not depend on that.
    """
    plan = make_plan(photos, config, rng)
    if plan.count == 0:
        return None
    size, half = config.size, config.size // 2
    points, coarse = pixel_grid(size, 1.0), pixel_grid(half, 2.0)
    frames = [draw(plan, t, points) for t in range(config.length)]
    labels = np.stack([frame.labels for frame in frames])
    least = config.least_area * size * size
    present = [i for i in range(1, plan.count + 1) if np.count_nonzero(labels[0] == i) >= least]
    if not present:
        return None
    footage = Footage(np.stack([frame.image for frame in frames]), keep_objects(labels, present), "synthetic")
    if not with_flow:
        return Scene(footage, None)
    tops = [cv2.resize(frame.top, (half, half), interpolation=cv2.INTER_NEAREST) for frame in frames]
    pairs = range(1, config.length)
    to_prev = np.stack([motion(plan, coarse, tops[t], t, t - 1) for t in pairs])
    to_curr = np.stack([motion(plan, coarse, tops[t - 1], t - 1, t) for t in pairs])
    return Scene(footage, (to_prev, to_curr))
