"""Outlines and textures that are drawn, not cut out: what photos have few of, such as wheels, rods, holes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from jaxtyping import Float64, UInt8

from devos.data.photos import Photo
from devos.data.synthetic.looks import Alpha, Cutout, Rgb, trim

_FINE = 2
"""Outlines are drawn so much larger and then made smaller, so that their edges are smooth."""
Outline = Float64[np.ndarray, "points 2"]
"""(x, y) from -1 to 1."""


def draw_shape(photos: Sequence[Photo], extent: float, rng: np.random.Generator) -> Cutout:
    """A thing of any of the shapes, of `extent` pixels, with a texture of one of the photos or a made-up one."""
    return _draw(_SHAPES, photos, extent, rng)


def draw_occluder(photos: Sequence[Photo], extent: float, rng: np.random.Generator) -> Cutout:
    """What passes in front of things: leaves, blobs."""
    return _draw(_OCCLUDERS, photos, extent, rng)


def draw_post(photos: Sequence[Photo], extent: float, rng: np.random.Generator) -> Cutout:
    """What stands in front of things: a post, a fence."""
    return _draw(_POSTS, photos, extent, rng)


def draw_blob(extent: float, rng: np.random.Generator) -> Cutout:
    """A rounded thing of no particular kind, of `extent` pixels, with a made-up texture."""
    return _draw((_blob,), (), extent, rng)


def take_texture(photos: Sequence[Photo], side: int, rng: np.random.Generator) -> UInt8[np.ndarray, "side side 3"]:
    """A piece of one of the photos, or stripes, checks or noise in a few colours."""
    if photos and rng.random() < 0.65:
        rgb = photos[int(rng.integers(len(photos)))].rgb
        part = min(rgb.shape[:2]) * rng.uniform(0.2, 0.6)
        top, left = (rng.uniform(0, n - part) for n in rgb.shape[:2])
        piece = rgb[int(top) : int(top + part) + 1, int(left) : int(left + part) + 1]
        enlarged: np.ndarray = cv2.resize(piece, (side, side), interpolation=cv2.INTER_LINEAR)
        return enlarged
    return take_pattern(side, rng)


def _draw(
    shapes: Sequence[Callable[[Alpha, np.random.Generator], None]], photos: Sequence[Photo], extent: float,
    rng: np.random.Generator,
) -> Cutout:  # fmt: skip
    side = max(8, round(extent))
    canvas = np.zeros((side * _FINE, side * _FINE), np.uint8)
    shapes[int(rng.integers(len(shapes)))](canvas, rng)
    alpha = cv2.resize(canvas, (side, side), interpolation=cv2.INTER_AREA)
    x, y, w, h = cv2.boundingRect((alpha > 127).astype(np.uint8))
    window = np.s_[y : y + h, x : x + w] if w and h else np.s_[:, :]
    texture = take_texture(photos, side, rng)
    return trim(texture[window], alpha[window], extent, 0.4)


def take_pattern(side: int, rng: np.random.Generator) -> Rgb:
    """A square of two or three colours, mixed by smooth noise, stripes or checks."""
    noise = np.zeros((side, side), np.float32)
    for cells in (3, 7, 15, 31):
        grain = rng.normal(0, 1, (cells, cells)).astype(np.float32)
        noise += cv2.resize(grain, (side, side), interpolation=cv2.INTER_CUBIC) / np.float32(cells**0.5)
    ys, xs = np.mgrid[:side, :side].astype(np.float32) / np.float32(side)
    angle, pitch = rng.uniform(0, 2 * np.pi), rng.uniform(15, 60)
    along, across = xs * np.cos(angle) + ys * np.sin(angle), ys * np.cos(angle) - xs * np.sin(angle)
    kind = rng.random()
    if kind < 0.25:
        noise = noise * 0.3 + np.sin(along * pitch) * 1.5
    elif kind < 0.4:
        noise = noise * 0.3 + np.sign(np.sin(along * pitch) * np.sin(across * pitch))
    # Colours are seldom pure: each is drawn towards its own grey.
    pure = rng.uniform(0, 255, (2, 3))
    dark, light = pure.mean(1, keepdims=True) + rng.beta(1.2, 2.5, (2, 1)) * (pure - pure.mean(1, keepdims=True))
    share = 1 / (1 + np.exp(-2.5 * noise))[..., None]
    speckle = rng.normal(0, rng.uniform(0, 10), (side, side, 1))
    pattern: np.ndarray = np.clip(dark + share * (light - dark) + speckle, 0, 255).astype(np.uint8)
    return pattern


def _fill(canvas: Alpha, outline: Outline, value: int = 255) -> None:
    points = (outline * 0.49 + 0.5) * canvas.shape[0]
    cv2.fillPoly(canvas, [np.round(points * 16).astype(np.int32)], value, cv2.LINE_AA, 4)


def _polar(radii: np.ndarray, start: float = 0.0) -> Outline:
    angles = start + np.linspace(0, 2 * np.pi, len(radii), endpoint=False)
    outline: np.ndarray = radii[:, None] * np.stack([np.cos(angles), np.sin(angles)], 1)
    return outline


def _superellipse(canvas: Alpha, rng: np.random.Generator) -> None:
    angles = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    power, flat = 2 / rng.uniform(0.8, 5), rng.uniform(0.4, 1)
    cos, sin = np.cos(angles), np.sin(angles)
    _fill(canvas, np.stack([np.sign(cos) * np.abs(cos) ** power, flat * np.sign(sin) * np.abs(sin) ** power], 1))


def _star(canvas: Alpha, rng: np.random.Generator) -> None:
    radii = np.tile([1.0, rng.uniform(0.3, 0.7)], int(rng.integers(3, 9)))
    _fill(canvas, _polar(radii, rng.uniform(0, 6.28)))


def _pierced(canvas: Alpha, rng: np.random.Generator) -> None:
    """A polygon with one to three holes."""
    _fill(canvas, _polar(rng.uniform(0.7, 1.0, int(rng.integers(4, 9))), rng.uniform(0, 6.28)))
    for _ in range(int(rng.integers(1, 4))):
        hole = _polar(rng.uniform(0.15, 0.3, 12)) + rng.uniform(-0.35, 0.35, 2)
        _fill(canvas, hole, 0)


def _blob(canvas: Alpha, rng: np.random.Generator) -> None:
    angles = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    radii = 0.7 + sum(rng.normal(0, 0.25 / k) * np.cos(k * angles + rng.uniform(0, 6.28)) for k in range(1, 6))
    _fill(canvas, _polar(np.clip(radii, 0.2, 1)))


def _leaf(canvas: Alpha, rng: np.random.Generator) -> None:
    ts, wide = np.linspace(0, np.pi, 32), rng.uniform(0.2, 0.5)
    side = np.stack([np.cos(ts), wide * np.sin(ts) ** rng.uniform(1, 1.8)], 1)
    turn = rng.uniform(0, np.pi)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    _fill(canvas, np.concatenate([side, (side * [1, -1])[::-1]]) @ rotation.T)


def _bar(canvas: Alpha, rng: np.random.Generator) -> None:
    wide = rng.uniform(0.04, 0.16)
    _fill(canvas, np.array([[-wide, -1], [wide, -1], [wide, 1], [-wide, 1]]))


def _fence(canvas: Alpha, rng: np.random.Generator) -> None:
    """Some thin bars side by side, and one or two across."""
    count, wide = int(rng.integers(3, 7)), rng.uniform(0.03, 0.08)
    for x in np.linspace(-0.9, 0.9, count):
        _fill(canvas, np.array([[x - wide, -1], [x + wide, -1], [x + wide, 1], [x - wide, 1]]))
    for y in rng.uniform(-0.8, 0.8, int(rng.integers(1, 3))):
        _fill(canvas, np.array([[-1, y - wide], [1, y - wide], [1, y + wide], [-1, y + wide]]))


def _wheel(canvas: Alpha, rng: np.random.Generator) -> None:
    """A rim, a hub and thin spokes, as of a bicycle."""
    side = canvas.shape[0]
    middle, radius = (side // 2, side // 2), side * 0.46
    thick = max(_FINE * 2, round(side * rng.uniform(0.03, 0.09)))
    cv2.circle(canvas, middle, round(radius - thick / 2), 255, thick, cv2.LINE_AA)
    cv2.circle(canvas, middle, round(side * rng.uniform(0.04, 0.1)), 255, -1, cv2.LINE_AA)
    thin = max(_FINE * 2, round(side * rng.uniform(0.008, 0.03)))
    for angle in rng.uniform(0, 6.28) + np.linspace(0, 2 * np.pi, int(rng.integers(4, 13)), endpoint=False):
        tip = round(side / 2 + radius * np.cos(angle)), round(side / 2 + radius * np.sin(angle))
        cv2.line(canvas, middle, tip, 255, thin, cv2.LINE_AA)


def _rods(canvas: Alpha, rng: np.random.Generator) -> None:
    """A frame of thin rods that share corners."""
    side = canvas.shape[0]
    corners = _polar(rng.uniform(0.6, 1.0, int(rng.integers(3, 6))), rng.uniform(0, 6.28))
    thick = max(_FINE * 2, round(side * rng.uniform(0.02, 0.06)))
    points = [(round(x), round(y)) for x, y in (corners * 0.46 + 0.5) * side]
    for one, other in zip(points, points[1:] + points[:1], strict=True):
        cv2.line(canvas, one, other, 255, thick, cv2.LINE_AA)
    cv2.line(canvas, points[0], points[2], 255, thick, cv2.LINE_AA)


_SHAPES = (_superellipse, _star, _pierced, _blob, _leaf, _wheel, _wheel, _rods, _bar)
_OCCLUDERS = (_leaf, _leaf, _blob, _superellipse)
_POSTS = (_bar, _bar, _fence)
