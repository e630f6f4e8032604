"""Where a layer is: for each frame the map from its pixels to the layer's picture, and the way back.

The map is affine, with a smooth bending that belongs to the picture on top: u = A p, q = u + bend(u), for the point p
of the frame and q of the picture, (x, y) in pixels, whole numbers at the pixels' centres.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float32

from devos.data.synthetic.tracks import Camera, Track

Grid = Float32[np.ndarray, "h w 2"]
Patch = Float32[np.ndarray, "h_part w_part 2"]
"""A window of a grid."""
Bends = Float32[np.ndarray, "t cells cells 2"]
Window = tuple[slice, slice]
"""Rows and columns of a frame or a grid."""

CELLS = 24
"""A bending is given on so many cells in height and width of a picture, linear between."""
_STEEPEST = 0.35
"""Most that a bending changes from a point to another, as a share of their distance: it never folds."""
_STEPS = 6
"""Fixed-point steps that undo a bending; each leaves less than half of the error."""


@dataclass(frozen=True)
class Path:
    """How a picture of that shape moves over a square frame."""

    to_photo: Float32[np.ndarray, "t 2 3"]
    """A."""
    bends: Bends | None
    """In pixels of the picture; None where nothing bends."""
    shape: tuple[int, int]
    """Height and width of the picture."""
    size: int
    """Of the frame."""

    def locate(self, t: int, points: Patch) -> Patch:
        """Where points of frame t lie on the picture."""
        straight: Patch = cv2.transform(points, self.to_photo[t])
        return straight if self.bends is None else cv2.add(straight, self._bend(t, straight))

    def find(self, t: int, on_photo: Patch) -> Patch:
        """Where points of the picture lie on frame t: the inverse of `locate`."""
        straight = on_photo
        if self.bends is not None:
            for _ in range(_STEPS):
                straight = on_photo - self._bend(t, straight)
        found: Patch = cv2.transform(straight, cv2.invertAffineTransform(self.to_photo[t]).astype(np.float32))
        return found

    def window(self, t: int, margin: int = 1) -> Window:
        """Rows and columns of frame t outside of which, but for the margin, the picture is not seen; maybe none."""
        height, width = self.shape
        reach = 0.0 if self.bends is None else float(np.abs(self.bends[t]).max())
        low, right, bottom = -1 - reach, width + reach, height + reach
        corners = np.array([[low, low], [right, low], [low, bottom], [right, bottom]])
        inverse = cv2.invertAffineTransform(self.to_photo[t])
        seen = corners @ inverse[:, :2].T + inverse[:, 2]
        first = np.clip(np.floor(seen.min(0)) - margin, 0, self.size).astype(int)
        last = np.clip(np.ceil(seen.max(0)) + margin + 1, 0, self.size).astype(int)
        return slice(int(first[1]), int(last[1])), slice(int(first[0]), int(last[0]))

    def centre(self, t: int) -> Float32[np.ndarray, " 2"]:
        """Where the middle of the picture is on frame t, bending aside."""
        height, width = self.shape
        inverse = cv2.invertAffineTransform(self.to_photo[t])
        middle: np.ndarray = inverse[:, :2] @ np.array([width - 1, height - 1]) / 2 + inverse[:, 2]
        return middle.astype(np.float32)

    def _bend(self, t: int, points: Patch) -> Patch:
        assert self.bends is not None, "asked for only where it bends"
        height, width = self.shape
        across, down = CELLS / width, CELLS / height
        to_cells = np.array([[across, 0, across / 2 - 0.5], [0, down, down / 2 - 0.5]], np.float32)
        cells = cv2.transform(points, to_cells)
        bent: Patch = cv2.remap(self.bends[t], cells, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return bent


def lay(track: Track, camera: Camera, shape: tuple[int, int], size: int, bends: Bends | None = None) -> Path:
    """The path of a picture of that shape on that track, seen by that camera."""
    height, width = shape
    cos, sin = np.cos(track.turns), np.sin(track.turns)
    wide, tall = track.scales * track.squeezes * (-1 if track.mirrored else 1), track.scales / track.squeezes
    placed = np.zeros((len(track.turns), 3, 3))
    placed[:, 0, 0], placed[:, 0, 1] = cos * wide, -sin * tall
    placed[:, 1, 0], placed[:, 1, 1] = sin * wide, cos * tall
    middle = np.array([width - 1, height - 1]) / 2
    placed[:, :2, 2] = track.centres - placed[:, :2, :2] @ middle
    placed[:, 2, 2] = 1
    to_photo = np.linalg.inv(camera @ placed)[:, :2].astype(np.float32)
    return Path(to_photo, bends, shape, size)


def bend_randomly(
    shape: tuple[int, int], length: int, strength: float, waving: bool, rng: np.random.Generator
) -> Bends | None:
    """A bending that changes smoothly, of `strength` as a share of the picture's longer side; with `waving` also waves
    that run through the picture and limbs that swing. None if it would not be seen.
    """
    if not waving and strength * max(shape) < 0.3:
        return None
    times = np.arange(length)
    first, change = rng.normal(0, strength * max(shape), (2, 5, 5, 2))
    coarse = first + change * np.sin(times * rng.uniform(0.2, 0.8))[:, None, None, None]
    bends = np.stack([cv2.resize(c, (CELLS, CELLS), interpolation=cv2.INTER_CUBIC) for c in coarse])
    if waving:
        bends += _waves(shape, times, rng) + _limbs(shape, times, rng)
    return _never_folding(bends, shape).astype(np.float32)


def _waves(shape: tuple[int, int], times: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A wave across, stronger towards one end, as of a fish or a flag."""
    ys, xs = (np.mgrid[:CELLS, :CELLS] + 0.5) / CELLS
    angle = rng.uniform(0, 2 * np.pi)
    along = xs * np.cos(angle) + ys * np.sin(angle)
    across = np.array([-np.sin(angle), np.cos(angle)]) * max(shape) * rng.uniform(0.01, 0.05)
    phase = along * rng.uniform(3, 9) - times[:, None, None] * rng.normal(0, 0.8) + rng.uniform(0, 2 * np.pi)
    growing = np.clip(along - along.min(), 0.2, 1.0)
    waves: np.ndarray = (np.sin(phase) * growing)[..., None] * across
    return waves


def _limbs(shape: tuple[int, int], times: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One end swings to and fro, its two sides against each other or together, as legs do."""
    ys, xs = (np.mgrid[:CELLS, :CELLS] + 0.5) / CELLS
    far = np.clip(ys - rng.uniform(0.3, 0.7), 0, None) ** 1.5
    sides = np.tanh((xs - 0.5) * 4) if rng.random() < 0.6 else np.ones_like(xs)
    swing = np.sin(times * rng.uniform(0.3, 1.2) + rng.uniform(0, 2 * np.pi)) * rng.uniform(0, 0.5) * shape[1]
    limbs = np.zeros((len(times), CELLS, CELLS, 2))
    limbs[..., 0] = swing[:, None, None] * far * sides
    return limbs


def _never_folding(bends: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Made weaker where it is too steep."""
    height, width = shape
    steep = max(np.abs(np.diff(bends, axis=2)).max() * CELLS / width,
                np.abs(np.diff(bends, axis=1)).max() * CELLS / height)  # fmt: skip
    never: np.ndarray = bends * min(1.0, _STEEPEST / max(float(steep), 1e-9))
    return never
