"""Clips made from photos with masks: layers that move, turn, grow, bend and hide each other; masks and flow exact.

Every layer is a photo with a shape; a pixel of a frame is mapped back to the layer's photo by a smooth affine path plus
a smooth bending. The flow between two frames follows from the two maps of the layer that is seen.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from devos.data.clips import LEAST_AREA, VOID, Footage, choose_objects, keep_objects
from devos.data.photos import Photo

Grid = Float32[np.ndarray, "h w 2"]
Patch = Float32[np.ndarray, "h_part w_part 2"]
"""A window of a grid."""
Window = tuple[slice, slice]
"""Rows and columns of a grid."""


@dataclass(frozen=True, kw_only=True)
class SyntheticConfig:
    """How wild the clips are."""

    size: int = 256
    """Height and width, in pixels."""
    length: int = 4
    """Frames."""
    max_objects: int = 3
    """Most objects that are followed."""
    max_layers: int = 3
    """Most photos pasted over the first one."""
    shift: float = 0.035
    """Typical motion from frame to frame, as a share of the size."""
    flow_exact: float = 0.5
    """Share of clips whose flow is the exact one; the others' is estimated from their pictures, as in use."""


@dataclass(frozen=True)
class _Path:
    """For each frame, the affine map from the frame to the layer's photo, and the bending on top."""

    to_photo: Float32[np.ndarray, "t 2 3"]
    bending: Float32[np.ndarray, "t 2 5 5"]
    """Coarse grids of displacements over the frame, in pixels of the photo."""
    size: int

    known_bends: dict[tuple[int, int], Grid | None] = field(default_factory=dict, compare=False)
    """What `bend` gave before: every grid is asked for several times."""

    def bend(self, t: int, resolution: int) -> Grid | None:
        """The bending at every pixel of a grid of that resolution over the frame; None where nothing bends."""
        if (t, resolution) not in self.known_bends:
            coarse, size = self.bending[t], (resolution, resolution)
            fine = [cv2.resize(c, size, interpolation=cv2.INTER_CUBIC) for c in coarse] if coarse.any() else None
            self.known_bends[t, resolution] = None if fine is None else cv2.merge(fine)
        return self.known_bends[t, resolution]

    def locate(self, t: int, grid: Grid, window: Window) -> Patch:
        """Where the points (x, y) of a window of a regular grid over frame t lie on the photo."""
        located: Patch = cv2.transform(grid[window], self.to_photo[t])
        bend = self.bend(t, grid.shape[0])
        return located if bend is None else located + bend[window]

    def find(self, t: int, on_photo: Patch, guess: Patch, resolution: int) -> Patch:
        """Where points of the photo are seen on frame t: the inverse of `locate`, by fixed-point iteration."""
        inverse = cv2.invertAffineTransform(self.to_photo[t]).astype(np.float32)
        bend = self.bend(t, resolution)
        if bend is None:
            straight: Patch = cv2.transform(on_photo, inverse)
            return straight
        # The photo is photo = A points + c + bend(points), so points = A^-1 (photo - c - bend(points)).
        step = np.float32(self.size / resolution)
        points = guess
        for _ in range(3):
            cells = (points + np.float32(0.5)) / step - np.float32(0.5)
            here = cv2.remap(bend, cells, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            points = cv2.transform(on_photo - here, inverse)
        return points

    def window(self, t: int, height: int, width: int) -> Window:
        """Rows and columns of frame t outside of which a photo of that size is not seen; maybe none."""
        inverse = cv2.invertAffineTransform(self.to_photo[t])
        corners = np.array([[-1, -1], [width, -1], [-1, height], [width, height]])
        seen = corners @ inverse[:, :2].T + inverse[:, 2]
        # The cubic grid of the bending goes a little beyond its coarse values.
        margin = 1.5 * float(np.abs(self.bending[t]).max()) * float(np.abs(inverse[:, :2]).sum(1).max()) + 1
        first = np.clip(np.floor(seen.min(0) - margin), 0, self.size).astype(int)
        last = np.clip(np.ceil(seen.max(0) + margin) + 1, 0, self.size).astype(int)
        return slice(int(first[1]), int(last[1])), slice(int(first[0]), int(last[0]))


@dataclass(frozen=True)
class _Layer:
    rgb: UInt8[np.ndarray, "hp wp 3"]
    labels: UInt8[np.ndarray, "hp wp"]
    """The clip's labels on this photo."""
    shape: Float32[np.ndarray, "hp wp"] | None
    """Opacity; None for the first layer, which fills the frame."""
    path: _Path


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
    layers, count = _plan(photos, config, rng)
    if count == 0:
        return None
    size, half = config.size, config.size // 2
    points, coarse = _pixel_grid(size, 1.0), _pixel_grid(half, 2.0)
    images, labels, tops = [], [], []
    for t in range(config.length):
        image, label, top = _render(layers, t, points)
        images.append(image)
        labels.append(label)
        tops.append(cv2.resize(top, (half, half), interpolation=cv2.INTER_NEAREST))
    stack = np.stack(labels)
    present = [i for i in range(1, count + 1) if (stack[0] == i).sum() >= LEAST_AREA * size * size]
    if not present:
        return None
    footage = Footage(np.stack(images), keep_objects(stack, present), "synthetic")
    if not with_flow:
        return Scene(footage, None)
    pairs = range(1, config.length)
    to_prev = np.stack([_flow(layers, coarse, tops[t], t, t - 1) for t in pairs])
    to_curr = np.stack([_flow(layers, coarse, tops[t - 1], t - 1, t) for t in pairs])
    return Scene(footage, (to_prev, to_curr))


def _plan(photos: list[Photo], config: SyntheticConfig, rng: np.random.Generator) -> tuple[list[_Layer], int]:
    """The layers, back to front, and how many objects are followed."""
    count = 0
    scene = photos[0]
    labels = np.where(scene.labels == VOID, VOID, 0).astype(np.uint8)
    if rng.random() < 0.6 or len(photos) == 1:
        for chosen in choose_objects(scene.labels, max(1, config.max_objects - 1), rng, least_area=0.01):
            count += 1
            labels[scene.labels == chosen] = count
    layers = [_Layer(scene.rgb, labels, None, _path(scene.rgb.shape[:2], config, rng, fills=True))]
    for photo in photos[1:]:
        picked = choose_objects(photo.labels, 1, rng, least_area=0.01)
        if not picked:
            continue
        rgb, mask = _cut(photo, picked[0])
        followed = count < config.max_objects and (count == 0 or rng.random() < 0.7)
        copies = 2 if rng.random() < 0.25 else 1  # a look-alike that is not the object
        for copy in range(copies):
            own = followed and copy == copies - 1
            count += own
            soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), float(rng.uniform(0.4, 1.0)))
            # Not followed: it hides what it covers, and is background.
            layer_labels = (mask * (count if own else 0)).astype(np.uint8)
            layers.append(_Layer(rgb, layer_labels, soft, _path(mask.shape, config, rng, fills=False)))
    if rng.random() < 0.5 and len(layers) > 2:
        layers[1:] = [layers[i] for i in rng.permutation(np.arange(1, len(layers)))]
    return layers, count


def _cut(photo: Photo, label: int) -> tuple[UInt8[np.ndarray, "h w 3"], UInt8[np.ndarray, "h w"]]:
    """An object's neighbourhood of the photo, and its mask."""
    mask = (photo.labels == label).astype(np.uint8)
    x, y, w, h = cv2.boundingRect(mask)
    margin = 4
    rows = slice(max(0, y - margin), y + h + margin)
    columns = slice(max(0, x - margin), x + w + margin)
    return photo.rgb[rows, columns], mask[rows, columns]


def _path(shape: tuple[int, ...], config: SyntheticConfig, rng: np.random.Generator, fills: bool) -> _Path:
    """A smooth random motion of a photo of that shape (height, width) over the frame."""
    size, frames = config.size, np.arange(config.length, dtype=np.float64)
    height, width = shape[:2]
    wild = rng.gamma(1.5, 0.7)  # most clips move a little, some a lot
    if fills:
        zoom = size / min(height, width) * rng.uniform(1.05, 1.8)
        room = np.maximum(np.array([width, height]) * zoom - size, 0) / 2
        centre = size / 2 + rng.uniform(-0.7, 0.7, 2) * room
    else:
        zoom = size * rng.uniform(0.15, 0.7) / max(height, width)
        centre = rng.uniform(0.15, 0.85, 2) * size
    wave = np.sin(frames * rng.uniform(0.2, 0.9) + rng.uniform(0, 6.28))
    wave = wave - wave[0]
    speed, sway = rng.normal(0, config.shift * size * wild, (2, 2))
    centres = centre + frames[:, None] * speed + wave[:, None] * sway * 0.7
    turns = rng.normal(0, 0.3) + frames * rng.normal(0, 0.03 * wild) + wave * rng.normal(0, 0.04 * wild)
    scales = zoom * np.exp(frames * rng.normal(0, 0.025 * wild) + wave * rng.normal(0, 0.02 * wild))
    squeeze = np.exp(rng.normal(0, 0.1) + frames * rng.normal(0, 0.015 * wild))
    mirror = -1.0 if rng.random() < 0.5 else 1.0
    to_photo = np.empty((config.length, 2, 3), np.float32)
    for t in range(config.length):
        c, s = np.cos(turns[t]), np.sin(turns[t])
        forward = np.array([[c, -s], [s, c]]) @ np.diag([mirror * scales[t] * squeeze[t], scales[t] / squeeze[t]])
        inverse = np.linalg.inv(forward)
        to_photo[t, :, :2] = inverse
        to_photo[t, :, 2] = np.array([width, height]) / 2 - inverse @ centres[t]
    strength = 0.0 if fills else rng.gamma(1.0, 0.02) * max(height, width)
    first, change = rng.normal(0, strength, (2, 2, 5, 5))
    bending = first + change * np.sin(frames * rng.uniform(0.2, 0.8))[:, None, None, None]
    return _Path(to_photo, bending.astype(np.float32), size)


def _pixel_grid(resolution: int, step: float) -> Grid:
    """Centres (x, y), in pixels of the frame, of the cells of a grid whose cells are `step` pixels."""
    axis = (np.arange(resolution, dtype=np.float32) + 0.5) * np.float32(step) - np.float32(0.5)
    return np.dstack(np.meshgrid(axis, axis))


def _render(layers: list[_Layer], t: int, points: Grid) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The picture, its labels, and which layer is seen at each pixel."""
    size = points.shape[0]
    image = np.zeros((size, size, 3), np.uint8)
    labels, top = np.zeros((size, size), np.uint8), np.zeros((size, size), np.uint8)
    for index, layer in enumerate(layers):
        whole = layer.shape is None
        window = np.s_[:size, :size] if whole else layer.path.window(t, *layer.labels.shape)
        where = layer.path.locate(t, points, window)
        if not where.size:
            continue
        border = cv2.BORDER_REFLECT_101 if whole else cv2.BORDER_CONSTANT
        rgb = cv2.remap(layer.rgb, where, None, cv2.INTER_LINEAR, borderMode=border)
        label = cv2.remap(layer.labels, where, None, cv2.INTER_NEAREST, borderMode=border)
        if layer.shape is None:
            image, labels = rgb, label
            continue
        alpha = cv2.remap(layer.shape, where, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
        behind = image[window]
        image[window] = (behind + alpha[..., None] * (rgb.astype(np.float32) - behind)).astype(np.uint8)
        covered = alpha > 0.5
        labels[window][covered] = label[covered]
        top[window][covered] = index
    return image, labels, top


def _flow(layers: list[_Layer], grid: Grid, top: np.ndarray, at: int, other: int) -> Float32[np.ndarray, "2 h w"]:
    """On frame `at`'s grid: where what is seen there lies on frame `other`, relative to where it is."""
    flow = np.zeros_like(grid)
    for index, layer in enumerate(layers):
        seen = top == index
        x, y, width, height = cv2.boundingRect(seen.view(np.uint8))
        if not width:
            continue
        window = np.s_[y : y + height, x : x + width]
        here = grid[window]
        moved = layer.path.find(other, layer.path.locate(at, grid, window), here, grid.shape[0])
        flow[window][seen[window]] = (moved - here)[seen[window]]
    return np.ascontiguousarray(flow.transpose(2, 0, 1))
