"""How things move over the frame: smooth tracks of their middle, turn and size, and the camera common to all."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64

Point = Float64[np.ndarray, " 2"]
"""(x, y) in pixels of the frame."""
Numbers = Float64[np.ndarray, " t"]
"""One for each frame."""
Camera = Float64[np.ndarray, "t 3 3"]
"""For each frame the map from where things are in the scene to where they are seen, both in pixels."""


@dataclass(frozen=True)
class Track:
    """Where a picture's middle is on each frame, and how it is turned and enlarged."""

    centres: Float64[np.ndarray, "t 2"]
    turns: Numbers
    """Radians."""
    scales: Numbers
    """Pixels of the frame for one of the picture."""
    squeezes: Numbers
    """Wider by that, and lower by as much."""
    mirrored: bool


def drifting(centre: Point, zoom: float, length: int, step: float, rng: np.random.Generator) -> Track:
    """A straight way and a swing on top; `step`: typical pixels a frame. Most move a little, some a lot."""
    times, wild = np.arange(length, dtype=np.float64), rng.gamma(1.5, 0.7)
    wave = _swing(times, rng)
    speed, sway = rng.normal(0, step * wild, (2, 2))
    centres = centre + times[:, None] * speed + wave[:, None] * sway * 0.7
    turns = rng.normal(0, 0.3) + times * rng.normal(0, 0.03 * wild) + wave * rng.normal(0, 0.04 * wild)
    scales = zoom * np.exp(times * rng.normal(0, 0.025 * wild) + wave * rng.normal(0, 0.02 * wild))
    squeezes = np.exp(rng.normal(0, 0.1) + times * rng.normal(0, 0.015 * wild))
    return Track(centres, turns, scales, squeezes, bool(rng.random() < 0.5))


def crossing(start: Point, target: Point, zoom: float, length: int, most: float, rng: np.random.Generator) -> Track:
    """Upright from `start` towards `target`, there or beyond at the end, by at most that many pixels a frame."""
    times = np.arange(length, dtype=np.float64)
    way = (target - start) * rng.uniform(0.6, 1.3)
    steps = max(1, length - 1)
    far = np.linalg.norm(way)
    way *= min(1.0, most * steps / max(float(far), 1e-9))
    progress = times / steps
    progress = progress + rng.normal(0, 0.08) * np.sin(np.pi * progress)
    bob = rng.uniform(0, 0.008) * far * np.sin(times * rng.uniform(1, 3) + rng.uniform(0, 6.28))
    centres = start + progress[:, None] * way
    centres[:, 1] += bob
    turns = rng.normal(0, 0.06) + _swing(times, rng) * rng.normal(0, 0.03)
    scales = zoom * np.exp(times * rng.normal(0, 0.015))
    squeezes = np.exp(rng.normal(0, 0.06) + _swing(times, rng) * rng.normal(0, 0.03))
    return Track(centres, turns, scales, squeezes, bool(rng.random() < 0.5))


def bouncing(start: Point, zoom: float, length: int, step: float, bounds: float, rng: np.random.Generator) -> Track:
    """A fast way, `step` pixels a frame, thrown back where it would leave the square of side `bounds`; turning."""
    times = np.arange(length, dtype=np.float64)
    angle, fall = rng.uniform(0, 2 * np.pi), rng.normal(0, 0.1)
    way = times[:, None] * np.array([np.cos(angle), np.sin(angle)]) * step
    way[:, 1] += fall * step * times**2
    centres = bounds - np.abs(np.mod(start + way, 2 * bounds) - bounds)
    turns = rng.normal(0, 0.5) + times * rng.normal(0, 0.25)
    ones = np.ones(length)
    return Track(centres, turns, zoom * ones, ones, bool(rng.random() < 0.5))


def away_and_back(track: Track, reach: float, size: int, rng: np.random.Generator) -> Track:
    """Leaves the frame after the first frame, over the nearest side, and is back at the end, somewhere near.

    `reach`: how far the picture goes beyond its middle, in pixels.
    """
    length = len(track.turns)
    if length < 3:
        return track
    here = track.centres[0]
    gaps = np.array([here[0], size - here[0], here[1], size - here[1]])
    side = int(np.argmin(gaps))
    outward = np.array([[-1.0, 0.0], [1.0, 0.0], [0.0, -1.0], [0.0, 1.0]])[side]
    far = max(0.0, float(gaps[side])) + reach * 1.05
    times = np.arange(length) / (length - 1)
    # Flat at the top, so that it stays away for a while.
    out = np.clip(1.3 * np.sin(np.pi * times), 0, 1.0)
    moved = rng.uniform(-0.15, 0.15) * size * outward[::-1]
    return replace(track, centres=here + out[:, None] * far * outward + times[:, None] * moved)


def still_camera(length: int) -> Camera:
    """Things are seen where they are."""
    return np.tile(np.eye(3), (length, 1, 1))


def moving_camera(length: int, size: int, rng: np.random.Generator) -> Camera:
    """Pans, zooms, turns a little and shakes; the first frame is as it is."""
    times = np.arange(length, dtype=np.float64)
    pan = times[:, None] * rng.normal(0, 0.02 * size * min(2.0, rng.gamma(1.5, 0.7)), 2)
    shake = rng.normal(0, rng.gamma(1.0, 0.006) * size, (length, 2)) if rng.random() < 0.5 else np.zeros((length, 2))
    zooms = np.exp(times * rng.normal(0, 0.02) + (rng.normal(0, 0.004, length) if rng.random() < 0.3 else 0.0))
    turns = times * rng.normal(0, 0.01) + (rng.normal(0, 0.008, length) if rng.random() < 0.3 else 0.0)
    camera = still_camera(length)
    cos, sin = np.cos(turns), np.sin(turns)
    camera[:, 0, 0], camera[:, 0, 1] = zooms * cos, -zooms * sin
    camera[:, 1, 0], camera[:, 1, 1] = zooms * sin, zooms * cos
    middle = np.array([size - 1, size - 1]) / 2
    camera[:, :2, 2] = middle - camera[:, :2, :2] @ middle + pan + shake
    first: Camera = camera @ np.linalg.inv(camera[0])
    return first


def _swing(times: Numbers, rng: np.random.Generator) -> Numbers:
    """A slow wave from 0 on."""
    wave = np.sin(times * rng.uniform(0.2, 0.9) + rng.uniform(0, 2 * np.pi))
    swing: Numbers = wave - wave[0]
    return swing
