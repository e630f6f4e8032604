"""What a layer looks like: a cut-out of a photo, its variants, and how it changes from frame to frame."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from devos.data.photos import Photo

Rgb = UInt8[np.ndarray, "h w 3"]
Alpha = UInt8[np.ndarray, "h w"]
"""Opacity, 255 opaque; the object is where it is above 127."""

_BORDER = 2
"""Pixels around a cut-out that are transparent."""
_NEUTRAL = 128
"""A gain of 1 in shades."""


@dataclass(frozen=True)
class Cutout:
    """A thing without its surroundings. Its colours go on a little beyond its outline, so that no rim shows."""

    rgb: Rgb
    alpha: Alpha
    part: Alpha | None = None
    """Where it is, 255, an object of its own that moves with the whole."""


@dataclass(frozen=True)
class Front:
    """A border that passes over a thing from one side."""

    place: Float32[np.ndarray, "h w"]
    """How far along each pixel lies, 0 to 1; beyond 1 where the border never comes."""
    reached: tuple[float, ...]
    """For each frame, how far along the border is."""

    def passed(self, t: int) -> Float32[np.ndarray, "h w"]:
        """1 where the border has passed at frame t, 0 where it has not."""
        behind: np.ndarray = np.clip((self.reached[t] - self.place) * 12 + 0.5, 0, 1)
        return behind


@dataclass(frozen=True)
class Sweep:
    """Another texture slides over the thing, or over a band of it."""

    texture: Rgb
    front: Front


@dataclass(frozen=True)
class Look:
    """A cut-out over time."""

    cutout: Cutout
    shades: UInt8[np.ndarray, "t 4 4"] | None = None
    """Coarse gains for each frame, in 1/128."""
    sweep: Sweep | None = None
    unfolding: Front | None = None
    """What of the thing is there: it comes to show more of itself, or less."""

    def at(self, t: int) -> UInt8[np.ndarray, "h w 4"]:
        """RGB and opacity at frame t."""
        if self.sweep is None and self.shades is None and self.unfolding is None:
            return self._unchanged
        rgb, alpha = self.cutout.rgb, self.cutout.alpha
        if self.sweep is not None:
            new = self.sweep.front.passed(t)
            rgb = cv2.blendLinear(self.sweep.texture, rgb, new, 1 - new)
        if self.shades is not None:
            gains = cv2.resize(self.shades[t], alpha.shape[::-1], interpolation=cv2.INTER_LINEAR)
            rgb = cv2.multiply(rgb, cv2.merge([gains] * 3), scale=1 / _NEUTRAL)
        if self.unfolding is not None:
            alpha = np.rint(alpha * self.unfolding.passed(t)).astype(np.uint8)
        return _with_opacity(rgb, alpha)

    @cached_property
    def _unchanged(self) -> UInt8[np.ndarray, "h w 4"]:
        return _with_opacity(self.cutout.rgb, self.cutout.alpha)


def _with_opacity(rgb: Rgb, alpha: Alpha) -> UInt8[np.ndarray, "h w 4"]:
    rgba: np.ndarray = cv2.cvtColor(rgb, cv2.COLOR_RGB2RGBA)
    cv2.insertChannel(alpha, rgba, 3)
    return rgba


def cut(photo: Photo, label: int, extent: float, softness: float) -> Cutout:
    """An object of a photo, its longer side made `extent` pixels if it is longer; `softness` of its edge in pixels."""
    mask = (photo.labels == label).astype(np.uint8)
    x, y, w, h = cv2.boundingRect(mask)
    window = np.s_[y : y + h, x : x + w]
    return trim(photo.rgb[window], mask[window] * np.uint8(255), extent, softness)


def trim(rgb: Rgb, alpha: Alpha, extent: float, softness: float) -> Cutout:
    """The same from a picture and an opacity that fills it."""
    shrink = min(1.0, max(4.0, extent) / max(alpha.shape))
    if shrink < 1:
        size = max(2, round(alpha.shape[1] * shrink)), max(2, round(alpha.shape[0] * shrink))
        rgb, alpha = (cv2.resize(x, size, interpolation=cv2.INTER_AREA) for x in (rgb, alpha))
    alpha = np.pad(alpha, _BORDER)
    rgb = _bleed(np.pad(rgb, ((_BORDER, _BORDER), (_BORDER, _BORDER), (0, 0)), mode="edge"), alpha)
    return Cutout(rgb, cv2.GaussianBlur(alpha, (0, 0), softness))


def _bleed(rgb: Rgb, alpha: Alpha) -> Rgb:
    """The thing's own colours beyond its outline, instead of its photo's background."""
    inside = cv2.erode((alpha > 127).astype(np.float32), np.ones((3, 3), np.uint8), borderValue=0)
    if not inside.any():
        return rgb
    weights = cv2.blur(inside, (9, 9)) + np.float32(1e-4)
    spread = cv2.blur(rgb * inside[..., None], (9, 9)) / weights[..., None]
    near = cv2.blur(inside, (9, 9)) > 0
    outside = (inside == 0) & near
    mended = rgb.copy()
    mended[outside] = np.clip(spread[outside], 0, 255).astype(np.uint8)
    return mended


def tinted(cutout: Cutout, rng: np.random.Generator) -> Cutout:
    """Another instance of the thing: often in exactly the same colours, otherwise lighter, darker or of another hue."""
    kind = rng.random()
    if kind < 0.35:
        return cutout
    gains = np.exp(rng.normal(0, 0.12) + rng.normal(0, 0.06, 3))
    levels = np.clip(np.arange(256)[:, None] * gains + rng.normal(0, 8), 0, 255).astype(np.uint8)
    rgb = cv2.LUT(cutout.rgb, np.ascontiguousarray(levels[:, None, :]))
    if kind > 0.85:
        hsv = cv2.cvtColor(rgb, cv2.COLOR_RGB2HSV)
        hsv[..., 0] = (hsv[..., 0].astype(int) + int(rng.integers(-18, 19))) % 180
        rgb = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
    if rng.random() < 0.4:
        # Above or below some height only, as another jacket over the same trousers.
        height = len(rgb)
        down = np.linspace(-1, 1, height, dtype=np.float32)[:, None] * rng.choice((-1, 1))
        share = np.broadcast_to(np.clip(0.5 + 10 * (down - rng.uniform(-0.4, 0.4)), 0, 1), rgb.shape[:2])
        share = np.ascontiguousarray(share, dtype=np.float32)
        rgb = cv2.blendLinear(rgb, cutout.rgb, share, 1 - share)
    return replace(cutout, rgb=rgb)


def shading(length: int, rng: np.random.Generator) -> UInt8[np.ndarray, "t 4 4"]:
    """Gains that change slowly from one smooth pattern to another."""
    first, last = rng.uniform(0.6, 1.35, (2, 4, 4))
    progress = np.linspace(0, rng.uniform(0.4, 1), length)[:, None, None]
    gains: np.ndarray = np.clip((first + progress * (last - first)) * _NEUTRAL, 0, 255).astype(np.uint8)
    return gains


def sweeping(shape: tuple[int, int], texture: Rgb, length: int, rng: np.random.Generator) -> Sweep:
    """A texture (any size) that comes in from one side, over all of the thing or a band of it, as clothes that turn."""
    height, width = shape
    place = _along(shape, rng)
    if rng.random() < 0.6:
        ys = np.linspace(0, 1, height, dtype=np.float32)[:, None] + _wobble(shape, rng)
        top = rng.uniform(0, 0.6)
        bottom = top + rng.uniform(0.25, 0.5)
        place = np.where((ys > top) & (ys < bottom), place, np.float32(9))
    reached = _progress(rng.uniform(-0.2, 0.3), rng.uniform(0.5, 1.2), length)
    return Sweep(cv2.resize(texture, (width, height), interpolation=cv2.INTER_AREA), Front(place, reached))


def unfolding(shape: tuple[int, int], length: int, rng: np.random.Generator) -> Front:
    """A thing that shows a part of itself at first and all of it at the end, as what turns its side to the camera; in
    one of four cases the other way round.
    """
    reached = _progress(rng.uniform(0.35, 0.65), rng.uniform(0.85, 1.3), length)
    return Front(_along(shape, rng), reached if rng.random() < 0.75 else reached[::-1])


def _along(shape: tuple[int, int], rng: np.random.Generator) -> Float32[np.ndarray, "h w"]:
    """How far each pixel lies from one of the sides, 0 to 1, roughly."""
    ys, xs = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    along = xs / shape[1] if rng.random() < 0.7 else ys / shape[0]
    place: np.ndarray = (along if rng.random() < 0.5 else 1 - along) + _wobble(shape, rng)
    return place


def _wobble(shape: tuple[int, int], rng: np.random.Generator) -> Float32[np.ndarray, "h w"]:
    coarse = rng.normal(0, 0.05, (4, 4)).astype(np.float32)
    smooth: np.ndarray = cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_CUBIC)
    return smooth


def _progress(start: float, end: float, length: int) -> tuple[float, ...]:
    return tuple(float(x) for x in np.linspace(start, end, length))
