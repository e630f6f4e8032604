"""What happens in a made-up clip: its ground, its layers from back to front, and which of them are followed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import UInt8

from devos.data.clips import VOID, choose_objects
from devos.data.photos import Photo
from devos.data.synthetic.config import SyntheticConfig
from devos.data.synthetic.crowds import crowd_of_copies, crowd_of_mates
from devos.data.synthetic.layers import Layer, Setting, add_thing
from devos.data.synthetic.looks import Cutout, cut, tinted
from devos.data.synthetic.parts import maybe_with_part
from devos.data.synthetic.paths import Path, lay
from devos.data.synthetic.shapes import draw_occluder, draw_post, draw_shape
from devos.data.synthetic.tracks import Track, bouncing, crossing, drifting, moving_camera, still_camera


@dataclass(frozen=True)
class Ground:
    """What is behind everything and fills the frame."""

    rgb: UInt8[np.ndarray, "hp wp 3"]
    labels: UInt8[np.ndarray, "hp wp"]
    """The clip's labels on this photo."""
    path: Path


@dataclass(frozen=True)
class Plan:
    """A clip before it is drawn."""

    ground: Ground
    layers: tuple[Layer, ...]
    """Back to front."""
    labels: tuple[int, ...]
    """Of each layer; 0 if it is not followed."""
    part_labels: tuple[int, ...]
    """Of each layer's part; that of the layer if it has none, or if it is not followed as its own."""
    count: int
    """Objects 1..count are followed."""
    shutter: float
    """The share of the time between two frames during which light comes in; 0 leaves nothing blurred by motion."""


def make_plan(photos: Sequence[Photo], config: SyntheticConfig, rng: np.random.Generator) -> Plan:
    """A plan for a clip with the first photo as ground and the others as what moves over it."""
    moves = rng.random() < config.camera
    camera = moving_camera(config.length, config.size, rng) if moves else still_camera(config.length)
    setting = Setting(config, tuple(photos), camera)
    kind = rng.random()
    crowd: list[Layer] = []
    if kind < config.crowd:
        crowd = crowd_of_copies(setting, rng)
    elif kind < config.crowd + config.mates:
        crowd = crowd_of_mates(setting, rng) or crowd_of_copies(setting, rng)
    ground, own = _ground(setting, rng, few=bool(crowd))
    layers = [*_passers(setting, rng), *crowd] if crowd else _free_things(setting, rng, first=own == 0)
    if rng.random() < config.occluder:
        layers += _occluders(setting, [layer for layer in layers if layer.followed], rng)
    shutter = float(rng.uniform(0.2, 1.0)) if rng.random() < config.motion_blur else 0.0
    labels, part_labels, count = _number(layers, own, config.max_objects, rng)
    return Plan(ground, tuple(layers), labels, part_labels, count, shutter)


def _number(
    layers: Sequence[Layer], own: int, most: int, rng: np.random.Generator
) -> tuple[tuple[int, ...], tuple[int, ...], int]:
    """The labels of layers and of their parts, after the ground's own; if there are too many, any are followed."""
    whole = [i for i, layer in enumerate(layers) if layer.followed]
    # A part has the number of its layer, after all layers.
    parts = [i + len(layers) for i in whole if layers[i].look.cutout.part is not None]
    kept = sorted(int(i) for i in rng.permutation([*whole, *parts])[: most - own])
    label_of = {index: label for label, index in enumerate(kept, start=own + 1)}
    labels = tuple(label_of.get(i, 0) for i in range(len(layers)))
    part_labels = tuple(label_of.get(i + len(layers), labels[i]) for i in range(len(layers)))
    return labels, part_labels, own + len(kept)


def _ground(setting: Setting, rng: np.random.Generator, *, few: bool) -> tuple[Ground, int]:
    """The first photo, and how many of its objects are followed: seldom any if they are to be `few`."""
    config, scene = setting.config, setting.photos[0]
    labels = np.where(scene.labels == VOID, VOID, 0).astype(np.uint8)
    count = 0
    if rng.random() < (0.1 if few else 0.6) or len(setting.photos) == 1:
        most = 1 if few else max(1, config.max_objects - 1)
        for count, chosen in enumerate(choose_objects(scene.labels, most, rng, least_area=0.01), start=1):
            labels[scene.labels == chosen] = count
    height, width = scene.rgb.shape[:2]
    zoom = config.size / min(height, width) * rng.uniform(1.05, 1.8)
    room = np.maximum(np.array([width, height]) * zoom - config.size, 0) / 2
    centre = config.size / 2 + rng.uniform(-0.7, 0.7, 2) * room
    # Where the camera moves, the ground need not.
    moves = not (setting.camera == setting.camera[0]).all()
    track = drifting(centre, zoom, config.length, config.shift * config.size * (0.2 if moves else 1.0), rng)
    rgb = scene.rgb
    if rng.random() < config.defocus:
        rgb = cv2.GaussianBlur(rgb, (0, 0), float(rng.uniform(0.8, 3)))
    return Ground(rgb, labels, lay(track, setting.camera, (height, width), config.size)), count


def _free_things(setting: Setting, rng: np.random.Generator, *, first: bool) -> list[Layer]:
    """One thing of each photo but the first, each on its own way; `first`: the first of them is surely followed."""
    config = setting.config
    layers: list[Layer] = []
    for photo in setting.photos[1:]:
        small = bool(rng.random() < config.small)
        extent = config.size * float(rng.uniform(0.05, 0.13) if small else rng.uniform(0.15, 0.7))
        cutout = _thing(photo, extent, setting, rng)
        if cutout is None:
            continue
        followed = bool(first or rng.random() < 0.7)
        first = False
        if rng.random() < config.look_alike:
            layers.append(add_thing(tinted(cutout, rng), _way(cutout, extent, small, setting, rng), setting, rng,
                                    followed=False))  # fmt: skip
        track = _way(cutout, extent, small, setting, rng)
        layers.append(add_thing(cutout, track, setting, rng, followed=followed))
    if rng.random() < 0.5 and len(layers) > 1:
        layers = [layers[i] for i in rng.permutation(len(layers))]
    return layers


def _passers(setting: Setting, rng: np.random.Generator) -> list[Layer]:
    """At most one thing that has nothing to do with the crowd before it."""
    if rng.random() < 0.7:
        return []
    some = Setting(setting.config, (setting.photos[0], setting.photos[-1]), setting.camera)
    return _free_things(some, rng, first=False)


def _thing(photo: Photo, extent: float, setting: Setting, rng: np.random.Generator) -> Cutout | None:
    """An object of the photo, or a shape; None if the photo has no object that is large enough."""
    if rng.random() < setting.config.shapes:
        return draw_shape(setting.photos, extent, rng)
    picked = choose_objects(photo.labels, 1, rng, least_area=0.01)
    if not picked:
        return None
    return maybe_with_part(cut(photo, picked[0], extent, float(rng.uniform(0.4, 1.0))), setting, rng)


def _way(cutout: Cutout, extent: float, small: bool, setting: Setting, rng: np.random.Generator) -> Track:
    config = setting.config
    zoom, start = extent / max(cutout.alpha.shape), rng.uniform(0.15, 0.85, 2) * config.size
    if small:
        step = extent * float(rng.uniform(0.5, 2.5))
        return bouncing(start, zoom, config.length, step, float(config.size), rng)
    return drifting(start, zoom, config.length, config.shift * config.size, rng)


def _occluders(setting: Setting, followed: Sequence[Layer], rng: np.random.Generator) -> list[Layer]:
    """One to three things that nobody follows pass in front of everything, over a followed one if there is any."""
    config = setting.config
    size, length = config.size, config.length
    found = []
    for _ in range(int(rng.integers(1, 4))):
        cutout, extent, tall = _occluder(setting, rng)
        if rng.random() < config.defocus:
            cutout = Cutout(cutout.rgb, cv2.GaussianBlur(cutout.alpha, (0, 0), float(rng.uniform(0.8, 2.5))))
        meeting = rng.uniform(0.2, 0.8, 2) * size
        if followed:
            target = followed[int(rng.integers(len(followed)))]
            meeting = target.path.centre(int(rng.integers(length))).astype(np.float64)
        angle, step = rng.uniform(0, 2 * np.pi), size * rng.uniform(0.0, 0.12)
        way = np.array([np.cos(angle), 0.0 if tall else 0.5 * np.sin(angle)]) * step * (length - 1)
        if tall:
            meeting[1] = size / 2
        start = meeting - way * rng.uniform(0.3, 1.0)
        track = crossing(start, start + way, extent / max(cutout.alpha.shape), length, float(size), rng)
        found.append(add_thing(cutout, track, setting, rng, followed=False, leaves=False))
    return found


def _occluder(setting: Setting, rng: np.random.Generator) -> tuple[Cutout, float, bool]:
    """Something of one of the photos, a shape, or a post; its longer side, and whether it is taller than the frame."""
    size, kind = setting.config.size, rng.random()
    if kind < 0.35:
        extent = size * float(rng.uniform(1.2, 1.7))
        # Close to the camera nothing is sharp, so half of the pixels do.
        return draw_post(setting.photos, extent / 2, rng), extent, True
    extent = size * float(rng.uniform(0.15, 0.65))
    if kind < 0.7:
        photo = setting.photos[int(rng.integers(len(setting.photos)))]
        picked = choose_objects(photo.labels, 1, rng, least_area=0.02)
        if picked:
            return cut(photo, picked[0], extent, 0.6), extent, False
    return draw_occluder(setting.photos, extent, rng), extent, False
