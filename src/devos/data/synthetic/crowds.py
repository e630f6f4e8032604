"""Things that look alike, or belong together, and pass before each other."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Bool, Float64

from devos.data.clips import choose_objects
from devos.data.photos import Photo
from devos.data.synthetic.layers import Layer, Setting, add_thing
from devos.data.synthetic.looks import Cutout, cut, tinted
from devos.data.synthetic.parts import maybe_with_part
from devos.data.synthetic.tracks import crossing

_FOLLOWED = 0.85
"""Share of a crowd's members that are objects; the others distract."""
_LARGEST = 0.02
"""A crowd is made of objects that cover this share of their photo."""
Places = Float64[np.ndarray, "members 2"]


def crowd_of_copies(setting: Setting, rng: np.random.Generator) -> list[Layer]:
    """Copies of an object of one of the photos but the first, back to front; maybe none.

    The object is the one that its photo's border cuts the least.
    """
    least, most = setting.config.crowd_size
    count = int(rng.integers(least, most + 1))
    found = [(photo, one) for photo in setting.photos[1:] for one in choose_objects(photo.labels, 4, rng, _LARGEST)]
    if not found:
        return []
    photo, one = min(found, key=lambda pair: _cut_share(pair[0].labels == pair[1]))
    extent = _height(count, setting, rng) * _room(photo, one, count)
    member = maybe_with_part(cut(photo, one, extent, float(rng.uniform(0.4, 0.9))), setting, rng)
    return _let_them_pass([tinted(member, rng) for _ in range(count)], [extent] * count, setting, rng)


def crowd_of_mates(setting: Setting, rng: np.random.Generator) -> list[Layer]:
    """The objects of all photos but the first, up to two of each, back to front; none if there are not two."""
    chosen = [(photo, one) for photo in setting.photos[1:] for one in choose_objects(photo.labels, 2, rng, _LARGEST)]
    count = len(chosen)
    if count < 2:
        return []
    height = _height(count, setting, rng)
    extents = [height * _room(photo, one, count) for photo, one in chosen]
    cutouts = [cut(photo, one, extent, 0.6) for (photo, one), extent in zip(chosen, extents, strict=True)]
    members = [maybe_with_part(one, setting, rng) for one in cutouts]
    return _let_them_pass(members, extents, setting, rng)


def _height(count: int, setting: Setting, rng: np.random.Generator) -> float:
    """The typical longer side of a member, in pixels, if it is slender."""
    share = rng.uniform(0.4, 0.9) if count < 5 else rng.uniform(0.3, 0.75)
    # Asked only where some are: so the clips of a seed stay what they were where none is.
    far = bool(setting.config.far) and rng.random() < setting.config.far
    return float(share * setting.config.size) * (0.5 if far else 1.0)


def _room(photo: Photo, label: int, count: int) -> float:
    """What to multiply a member's longer side by, in (0, 1], so that the crowd is not broader than twice the frame."""
    _, _, width, height = cv2.boundingRect((photo.labels == label).astype(np.uint8))
    return min(1.0, 3.0 / count * float(max(width, height)) / float(width))


def _cut_share(mask: Bool[np.ndarray, "h w"]) -> float:
    """How much of the mask's outline, about, lies on its photo's border; 0.02 and less is as good as nothing."""
    edges = sum(int(edge.sum()) for edge in (mask[0], mask[-1], mask[:, 0], mask[:, -1]))
    return max(0.02, edges / float(np.sqrt(mask.sum())))


def _let_them_pass(
    members: Sequence[Cutout], extents: Sequence[float], setting: Setting, rng: np.random.Generator
) -> list[Layer]:
    """Each goes from its place to another's, so that ways cross; who stands lower is in front."""
    size, length = setting.config.size, setting.config.length
    places = _places(len(members), max(extents), size, rng)
    targets = places[rng.permutation(len(members))] if rng.random() < 0.7 else places[::-1]
    fastest = size * float(rng.uniform(0.02, 0.09))
    layers = []
    for i in np.argsort(places[:, 1] + rng.normal(0, 0.02 * size, len(members))):
        cutout, place, extent = members[i], places[i], extents[i]
        # Nearer is larger.
        nearness = float(np.exp((place[1] - size / 2) / size * 0.6 + rng.normal(0, 0.06)))
        zoom = extent / max(cutout.alpha.shape) * nearness
        track = crossing(place, targets[i], zoom, length, fastest, rng)
        layers.append(add_thing(cutout, track, setting, rng, followed=bool(rng.random() < _FOLLOWED)))
    return layers


def _places(count: int, extent: float, size: int, rng: np.random.Generator) -> Places:
    """Where the members start: in a row, or all over the frame."""
    spread = (np.arange(count) + 0.5) / max(count, 1)
    across = (0.05 + 0.9 * spread) * size + rng.normal(0, 0.03 * size, count)
    if rng.random() < 0.6:
        down = rng.uniform(0.35, 0.65) * size + rng.normal(0, 0.12 * extent, count)
    else:
        down = rng.uniform(0.15, 0.85, count) * size
    return np.stack([across, down], 1)
