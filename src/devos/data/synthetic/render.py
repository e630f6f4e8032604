"""From a plan to pictures, labels and exact motion."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from devos.data.synthetic.layers import Layer
from devos.data.synthetic.paths import Grid, Path, Window
from devos.data.synthetic.plan import Plan

_SHORTEST, _LONGEST = 1.5, 24.0
"""Pixels over which motion blurs if it is to be seen, and at most."""
Way = Float32[np.ndarray, " 2"]
"""(x, y) in pixels."""


class Drawn(NamedTuple):
    """A frame of a plan."""

    image: UInt8[np.ndarray, "h w 3"]
    labels: UInt8[np.ndarray, "h w"]
    top: UInt8[np.ndarray, "h w"]
    """What is seen: 0 the ground, from 1 on the layers."""


def pixel_grid(resolution: int, step: float) -> Grid:
    """Centres (x, y), in pixels of the frame, of the cells of a grid whose cells are `step` pixels."""
    axis = (np.arange(resolution, dtype=np.float32) + 0.5) * np.float32(step) - np.float32(0.5)
    return np.dstack(np.meshgrid(axis, axis))


def draw(plan: Plan, t: int, points: Grid) -> Drawn:
    """Frame t. `points`: the pixel grid of the frame. Masks are sharp: motion blurs the picture only."""
    size = points.shape[0]
    ground = plan.ground
    whole, flags = (size, size), cv2.WARP_INVERSE_MAP
    matrix = ground.path.to_photo[t]
    image = cv2.warpAffine(ground.rgb, matrix, whole, flags=flags | cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    labels = cv2.warpAffine(
        ground.labels, matrix, whole, flags=flags | cv2.INTER_NEAREST, borderMode=cv2.BORDER_REFLECT_101
    )
    way = _way(ground.path, t, plan.shutter)
    if way is not None:
        image = _smear(image, way, cv2.BORDER_REFLECT_101)
    drawn = Drawn(np.ascontiguousarray(image), labels, np.zeros(whole, np.uint8))
    numbers = zip(plan.layers, plan.labels, plan.part_labels, strict=True)
    for index, (layer, label, part_label) in enumerate(numbers, start=1):
        if layer.seen[t]:
            _paste(drawn, layer, (index, label, part_label), t, points, plan.shutter)
    return drawn


def _paste(drawn: Drawn, layer: Layer, mark: tuple[int, int, int], t: int, points: Grid, shutter: float) -> None:
    """Over what is drawn so far. `mark`: the layer's number, its label and its part's."""
    way = _way(layer.path, t, shutter)
    window = layer.path.window(t, 1 if way is None else 2 + int(np.abs(way).max() / 2))
    if window[0].start >= window[0].stop or window[1].start >= window[1].stop:
        return
    rgba = _warp(layer.look.at(t), layer.path, t, window, points)
    covered = rgba[..., 3] > 127
    index, label, part_label = mark
    drawn.top[window][covered], drawn.labels[window][covered] = index, label
    if layer.look.cutout.part is not None and part_label != label:
        part = _warp(layer.look.cutout.part, layer.path, t, window, points) > 127
        drawn.labels[window][covered & part] = part_label
    if way is not None:
        rgba = _smear(rgba, way, cv2.BORDER_CONSTANT)
    opacity = cv2.extractChannel(rgba, 3) * np.float32(1 / 255)
    behind = np.ascontiguousarray(drawn.image[window])
    drawn.image[window] = cv2.blendLinear(cv2.cvtColor(rgba, cv2.COLOR_RGBA2RGB), behind, opacity, 1 - opacity)


def _warp(
    picture: UInt8[np.ndarray, "hp wp *channels"], path: Path, t: int, window: Window, points: Grid
) -> UInt8[np.ndarray, "h_part w_part *channels"]:
    if path.bends is not None:
        where = path.locate(t, np.ascontiguousarray(points[window]))
        bent: np.ndarray = cv2.remap(picture, where, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
        return bent
    matrix = path.to_photo[t].astype(np.float64)
    matrix[:, 2] += matrix[:, :2] @ np.array([window[1].start, window[0].start])
    width, height = window[1].stop - window[1].start, window[0].stop - window[0].start
    straight: np.ndarray = cv2.warpAffine(
        picture, matrix, (width, height), flags=cv2.WARP_INVERSE_MAP | cv2.INTER_LINEAR
    )
    return straight


def _way(path: Path, t: int, shutter: float) -> Way | None:
    """How far the picture's middle moves while the shutter is open; None where that is too little to be seen."""
    last = len(path.to_photo) - 1
    if shutter == 0 or last < 1:
        return None
    before, after = max(t - 1, 0), min(t + 1, last)
    way = (path.centre(after) - path.centre(before)) * np.float32(shutter / (after - before))
    length = float(np.linalg.norm(way))
    return None if length < _SHORTEST else way * np.float32(min(1.0, _LONGEST / length))


def _smear(picture: UInt8[np.ndarray, "h w c"], way: Way, border: int) -> UInt8[np.ndarray, "h w c"]:
    """The mean of the picture along that way, as when it moves while the shutter is open."""
    steps = np.linspace(-0.5, 0.5, int(np.ceil(np.abs(way).max())) + 1)
    shifts = np.unique(np.round(steps[:, None] * way).astype(int), axis=0)
    far = int(np.abs(shifts).max())
    height, width = picture.shape[:2]
    wide = cv2.copyMakeBorder(picture, far, far, far, far, border)
    total = np.zeros(picture.shape, np.float32)
    for dx, dy in shifts:
        cv2.accumulate(wide[far + dy : far + dy + height, far + dx : far + dx + width], total)
    smeared: np.ndarray = cv2.convertScaleAbs(total, alpha=1 / len(shifts))
    return smeared


def motion(plan: Plan, grid: Grid, top: UInt8[np.ndarray, "h w"], at: int, other: int) -> Float32[np.ndarray, "2 h w"]:
    """On frame `at`'s grid: where what is seen there lies on frame `other`, relative to where it is, in pixels."""
    flow = np.zeros_like(grid)
    paths = [plan.ground.path, *(layer.path for layer in plan.layers)]
    for index, path in enumerate(paths):
        seen = top == index
        x, y, width, height = cv2.boundingRect(seen.view(np.uint8))
        if not width:
            continue
        window = np.s_[y : y + height, x : x + width]
        here = np.ascontiguousarray(grid[window])
        moved = path.find(other, path.locate(at, here))
        flow[window][seen[window]] = (moved - here)[seen[window]]
    return np.ascontiguousarray(flow.transpose(2, 0, 1))
