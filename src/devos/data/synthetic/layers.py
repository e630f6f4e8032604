"""A thing that moves in a made-up clip: its look, its path, when it is there, and whether it is followed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from devos.data.photos import Photo
from devos.data.synthetic.config import SyntheticConfig
from devos.data.synthetic.looks import Cutout, Look, shading, sweeping, unfolding
from devos.data.synthetic.paths import Path, bend_randomly, lay
from devos.data.synthetic.shapes import take_texture
from devos.data.synthetic.tracks import Camera, Track, away_and_back


@dataclass(frozen=True)
class Layer:
    """One thing."""

    look: Look
    path: Path
    seen: tuple[bool, ...]
    """For each frame, whether it is there at all."""
    followed: bool
    """Whether it is an object; otherwise it hides what it covers and is background."""


@dataclass(frozen=True)
class Setting:
    """What the things of a clip have in common."""

    config: SyntheticConfig
    photos: tuple[Photo, ...]
    """The ground's first."""
    camera: Camera


def add_thing(
    cutout: Cutout, track: Track, setting: Setting, rng: np.random.Generator, *, followed: bool, leaves: bool = True
) -> Layer:
    """A thing on that track, with what may happen to it by chance; it leaves the frame only if `leaves`."""
    config, shape = setting.config, cutout.alpha.shape
    if leaves and rng.random() < config.leave:
        reach = float(track.scales.max() * max(shape)) / 2
        track = away_and_back(track, reach, config.size, rng)
    waving = bool(rng.random() < config.wave)
    bends = bend_randomly(shape, config.length, float(rng.gamma(1.0, 0.02)), waving, rng)
    path = lay(track, setting.camera, shape, config.size, bends)
    seen = _with_a_gap(config.length, rng) if rng.random() < config.blink else (True,) * config.length
    return Layer(_change(cutout, setting, rng), path, seen, followed)


def _change(cutout: Cutout, setting: Setting, rng: np.random.Generator) -> Look:
    config = setting.config
    shades = shading(config.length, rng) if rng.random() < config.shade else None
    sweep = None
    if rng.random() < config.exchange:
        shape = cutout.alpha.shape
        # Not the ground's: nothing turns into what is behind it.
        sweep = sweeping(shape, take_texture(setting.photos[1:], max(shape), rng), config.length, rng)
    front = unfolding(cutout.alpha.shape, config.length, rng) if rng.random() < config.unfold else None
    return Look(cutout, shades, sweep, front)


def _with_a_gap(length: int, rng: np.random.Generator) -> tuple[bool, ...]:
    """There at first, not there for one frame or more, and, where the clip is long enough, there again."""
    if length < 3:
        return (True,) * length
    begin = int(rng.integers(1, length - 1))
    end = int(rng.integers(begin + 1, length))
    return tuple(not begin <= t < end for t in range(length))
