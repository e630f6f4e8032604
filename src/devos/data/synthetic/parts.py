"""Parts of things that are objects of their own and move with the whole: a bag on a back, a coat, a dark patch."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

from devos.data.clips import choose_objects
from devos.data.synthetic.layers import Setting
from devos.data.synthetic.looks import Cutout, cut
from devos.data.synthetic.shapes import draw_shape

_LEAST, _MOST = 0.05, 0.5
"""What share of the whole a part covers, at least and at most."""


def maybe_with_part(cutout: Cutout, setting: Setting, rng: np.random.Generator) -> Cutout:
    """The thing, in a share of the cases with a part, if one of a fair size is found."""
    if rng.random() >= setting.config.parts:
        return cutout
    return carrying(cutout, setting, rng) if rng.random() < 0.55 else with_own_part(cutout, rng)


def carrying(cutout: Cutout, setting: Setting, rng: np.random.Generator) -> Cutout:
    """The thing with another in front of it, smaller, that may stick out."""
    extent = max(cutout.alpha.shape) * float(rng.uniform(0.2, 0.5))
    load = _load(setting, extent, rng)
    within = np.argwhere(cutout.alpha > 127)
    if load is None or not len(within):
        return cutout
    height, width = load.alpha.shape
    margin = max(height, width) // 2 + 1
    rgb = np.pad(cutout.rgb, ((margin, margin), (margin, margin), (0, 0)), mode="edge")
    alpha = np.pad(cutout.alpha, margin)
    row, column = within[rng.integers(len(within))] + margin
    window = np.s_[row - height // 2 : row - height // 2 + height, column - width // 2 : column - width // 2 + width]
    opacity = load.alpha.astype(np.float32) / 255
    behind = np.ascontiguousarray(rgb[window])
    # Where nothing was, the load's own colours go on beyond its outline, so that no rim shows.
    over = np.where(alpha[window] > 0, opacity, np.float32(1)).astype(np.float32)
    rgb[window] = cv2.blendLinear(load.rgb, behind, over, 1 - over)
    part = np.zeros_like(alpha)
    part[window] = load.alpha
    alpha[window] = np.maximum(alpha[window], load.alpha)
    # As little air around it as before.
    x, y, w, h = cv2.boundingRect((alpha > 0).astype(np.uint8))
    kept = np.s_[y : y + h, x : x + w]
    return _if_fair(Cutout(rgb[kept], alpha[kept], part[kept])) or cutout


def with_own_part(cutout: Cutout, rng: np.random.Generator) -> Cutout:
    """The thing with a connected region of it, of its own colours, as a part."""
    opaque = cutout.alpha > 127
    if np.count_nonzero(opaque) < 64:
        return cutout
    for region in _regions(cutout.rgb, opaque, rng):
        found = _if_fair(Cutout(cutout.rgb, cutout.alpha, region))
        if found is not None:
            return found
    return cutout


def _load(setting: Setting, extent: float, rng: np.random.Generator) -> Cutout | None:
    """An object of one of the photos, or a shape."""
    if rng.random() < 0.3:
        return draw_shape(setting.photos, extent, rng)
    photo = setting.photos[int(rng.integers(len(setting.photos)))]
    picked = choose_objects(photo.labels, 1, rng, least_area=0.01)
    return cut(photo, picked[0], extent, 0.6) if picked else None


def _regions(
    rgb: UInt8[np.ndarray, "h w 3"], opaque: Bool[np.ndarray, "h w"], rng: np.random.Generator
) -> list[UInt8[np.ndarray, "h w"]]:
    """Regions of like colour and place, 255 inside, in any order."""
    height, width = opaque.shape
    lab = cv2.cvtColor(cv2.GaussianBlur(rgb, (0, 0), max(height, width) / 60), cv2.COLOR_RGB2LAB)
    ys, xs = np.mgrid[:height, :width].astype(np.float32) / max(height, width) * 60
    points = np.dstack([lab.astype(np.float32), ys, xs])[opaque]
    count = int(rng.integers(2, 5))
    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 8, 1.0)
    cv2.setRNGSeed(int(rng.integers(2**31)))
    sample = points if len(points) < 2000 else points[rng.choice(len(points), 2000, replace=False)]
    _, _, centres = cv2.kmeans(sample, count, None, criteria, 1, cv2.KMEANS_PP_CENTERS)
    nearest = ((points[:, None] - centres) ** 2).sum(-1).argmin(1)
    found = []
    for one in rng.permutation(count):
        mask = np.zeros(opaque.shape, np.uint8)
        mask[opaque] = (nearest == one) * np.uint8(255)
        mask = cv2.medianBlur(mask, 5)
        _, pieces, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
        if len(stats) > 1:
            largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
            found.append((pieces == largest) * np.uint8(255))
    return found


def _if_fair(cutout: Cutout) -> Cutout | None:
    """The same if its part is neither nearly nothing nor nearly all of it."""
    assert cutout.part is not None
    opaque = cutout.alpha > 127
    share = float(np.count_nonzero((cutout.part > 127) & opaque)) / max(1.0, float(np.count_nonzero(opaque)))
    return cutout if _LEAST <= share <= _MOST else None
