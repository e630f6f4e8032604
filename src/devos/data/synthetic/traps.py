"""Made-up clips, each with one trap that trackers fall into. Drawn from a seed alone: no data is needed.

One object, id 1, is followed; what looks like it has `LURE` in the true masks, so that it can be said who was taken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import cv2
import numpy as np
from jaxtyping import Float64, UInt8

from devos.data.synthetic.looks import Alpha, Rgb
from devos.data.synthetic.shapes import draw_blob, take_pattern

HEIGHT, WIDTH = 288, 384
LURE = 2
"""The id of everything that looks like the object."""
_EXTENT = 90
"""Longer side of the object, in pixels."""
Numbers = Float64[np.ndarray, " t"]


@dataclass(frozen=True)
class TrapClip:
    """A clip with its truth."""

    name: str
    images: UInt8[np.ndarray, "t h w 3"]
    """RGB."""
    labels: UInt8[np.ndarray, "t h w"]
    """1 the object, `LURE` its look-alikes, 0 all else."""


@dataclass(frozen=True)
class _Thing:
    """Something that moves. All in pixels of the frame."""

    rgb: Rgb
    alpha: Alpha
    label: int
    x: Numbers
    y: Numbers
    scale: Numbers


@dataclass(frozen=True)
class _Stage:
    """What traps are made of: times from 0 to 1, the object with a way of its own, and look-alikes of it."""

    rng: np.random.Generator
    length: int
    object: _Thing

    @property
    def time(self) -> Numbers:
        """From 0 on the first frame to 1 on the last."""
        return np.linspace(0, 1, self.length)

    def like(self, x: Numbers, y: Numbers, *, exact: bool = False) -> _Thing:
        """A look-alike on that way: the same outline, other shades unless `exact`."""
        gain = 1.0 if exact else self.rng.uniform(0.85, 1.15, 3)
        rgb = np.clip(self.object.rgb * gain, 0, 255).astype(np.uint8)
        mirrored = rgb[:, ::-1], self.object.alpha[:, ::-1]
        return replace(self.object, rgb=np.ascontiguousarray(mirrored[0]), alpha=np.ascontiguousarray(mirrored[1]),
                       label=LURE, x=x, y=y)  # fmt: skip


def _alone(stage: _Stage) -> list[_Thing]:
    return [stage.object]


def _late(stage: _Stage) -> list[_Thing]:
    """A look-alike comes in late, far from the object, and stays far."""
    side = 1 if stage.object.x[-1] < WIDTH / 2 else -1
    come = np.clip((stage.time - 0.3) / 0.4, 0, 1)
    x = (WIDTH / 2 + side * WIDTH * 0.75) - side * come * WIDTH * 0.42
    return [stage.like(x, np.full_like(x, HEIGHT * 0.55)), stage.object]


def _touch(stage: _Stage) -> list[_Thing]:
    """Comes up to the object, touches it, and goes again."""
    near = 1 - np.abs(stage.time * 2 - 1)
    return [stage.object, stage.like(stage.object.x + 190 - near * 130, stage.object.y + 4)]


def _behind(stage: _Stage) -> list[_Thing]:
    x = stage.object.x + 170 - 340 * stage.time
    return [stage.like(x, stage.object.y - 8), stage.object]


def _in_front(stage: _Stage) -> list[_Thing]:
    x = stage.object.x + 170 - 340 * stage.time
    return [stage.object, stage.like(x, stage.object.y + 8)]


def _steps_out(stage: _Stage) -> list[_Thing]:
    """Hidden by the object at first."""
    away = np.clip((stage.time - 0.25) / 0.5, 0, 1)
    return [stage.like(stage.object.x + 120 * away, stage.object.y), stage.object]


def _leaves(stage: _Stage) -> list[_Thing]:
    """The object leaves for good, a look-alike stays."""
    away = np.clip((stage.time - 0.2) / 0.35, 0, 1)
    x, stay = stage.object.x - away * WIDTH * 0.9, np.full(stage.length, WIDTH * 0.72)
    return [stage.like(stay, stage.object.y[:1] + 3 * np.sin(stage.time * 20)), replace(stage.object, x=x)]


def _returns(stage: _Stage) -> list[_Thing]:
    """Out of the frame for 60 frames."""
    index = np.arange(stage.length)
    out = np.clip(np.minimum(index - 8, stage.length - 8 - index) / 6, 0, 1)
    return [replace(stage.object, x=stage.object.x - out * WIDTH * 0.9)]


def _twins(stage: _Stage) -> list[_Thing]:
    """Exactly alike, side by side."""
    return [stage.like(stage.object.x + 105, stage.object.y + 4 * np.sin(stage.time * 12), exact=True), stage.object]


def _turns(stage: _Stage) -> list[_Thing]:
    """Another side comes round, of other colours: two halves of one thing, the first shown less and less."""
    other = take_pattern(max(stage.object.alpha.shape), stage.rng)
    height, width = stage.object.alpha.shape
    return [replace(stage.object, rgb=np.concatenate([stage.object.rgb, other[:height, :width]], 1),
                    alpha=np.concatenate([stage.object.alpha] * 2, 1))]  # fmt: skip


def _shrinks(stage: _Stage) -> list[_Thing]:
    return [replace(stage.object, scale=np.exp(np.log(20 / _EXTENT) * np.clip(stage.time * 1.4, 0, 1)))]


def _grows(stage: _Stage) -> list[_Thing]:
    """Fourfold, from half of its usual size."""
    return [replace(stage.object, scale=0.5 * 4 ** np.clip(stage.time * 1.2, 0, 1), y=stage.object.y - 20 * stage.time)]


_TRAPS: Mapping[str, tuple[Callable[[_Stage], list[_Thing]], int]] = {
    "no-trap": (_alone, 30), "late-and-far": (_late, 40), "touches-and-parts": (_touch, 40),
    "steps-out": (_steps_out, 36),
    "crosses-behind": (_behind, 36), "crosses-in-front": (_in_front, 36), "leaves-a-double": (_leaves, 40),
    "returns-after-60": (_returns, 88), "cut-and-back": (_alone, 40), "twins": (_twins, 36), "turns": (_turns, 36),
    "shrinks": (_shrinks, 36), "grows": (_grows, 36),
}  # fmt: skip
TRAPS = tuple(_TRAPS)
"""Every trap by its name; `no-trap` is what the others are to be compared with."""


def make_trap(name: str, seed: int = 0) -> TrapClip:
    """The clip of a trap; another seed gives other things on another ground. KeyError for an unknown name."""
    build, length = _TRAPS[name]
    rng = np.random.default_rng([seed, TRAPS.index(name)])
    ground = _ground(rng)
    stage = _Stage(rng, length, _object(length, rng))
    things = build(stage)
    pan = rng.normal(0, 0.6, 2)
    frames = [_draw(ground, things, t, pan, turning=name == "turns") for t in range(length)]
    images, labels = (np.stack(part) for part in zip(*frames, strict=True))
    if name == "cut-and-back":
        away = slice(length // 2 - 6, length // 2 + 6)
        other = _ground(rng)
        stranger = _object(length, rng)
        elsewhere = [_draw(other, [replace(stranger, label=0)], t, pan) for t in range(length)][away]
        images[away], labels[away] = np.stack([image for image, _ in elsewhere]), 0
    noise = np.random.default_rng([seed, 99]).normal(0, 3, images.shape[1:])
    return TrapClip(f"{name}-{seed}", np.clip(images + noise, 0, 255).astype(np.uint8), labels)


def _object(length: int, rng: np.random.Generator) -> _Thing:
    """A thing on a gentle way around a place left of the middle."""
    drawn = draw_blob(float(_EXTENT), rng)
    time, phase = np.linspace(0, 1, length), rng.uniform(0, 6.28, 2)
    x = WIDTH * 0.38 + 18 * np.sin(time * 5 + phase[0]) - 18 * np.sin(phase[0])
    y = HEIGHT * 0.5 + 10 * np.sin(time * 7 + phase[1])
    return _Thing(drawn.rgb, drawn.alpha, 1, x, y, np.ones(length))


def _ground(rng: np.random.Generator) -> UInt8[np.ndarray, "hg wg 3"]:
    """A scene larger than the frame, softer than what moves over it."""
    side = 2 * WIDTH
    pattern = cv2.GaussianBlur(take_pattern(side, rng), (0, 0), 3).astype(np.float32)
    ground: np.ndarray = np.clip(pattern * 0.7 + float(rng.uniform(20, 60)), 0, 255).astype(np.uint8)
    for _ in range(6):
        clutter = draw_blob(float(rng.uniform(30, 120)), rng)
        h, w = clutter.alpha.shape
        top, left = int(rng.integers(0, side - h)), int(rng.integers(0, side - w))
        there = clutter.alpha[..., None] > 127
        ground[top : top + h, left : left + w] = np.where(there, clutter.rgb, ground[top : top + h, left : left + w])
    return ground


def _draw(
    ground: UInt8[np.ndarray, "hg wg 3"], things: list[_Thing], t: int, pan: np.ndarray, turning: bool = False
) -> tuple[Rgb, Alpha]:
    """Frame t, its things back to front: picture and labels."""
    corner = np.array([[1, 0, -WIDTH / 2 + pan[0] * t], [0, 1, -HEIGHT / 2 + pan[1] * t]])
    image: Rgb = cv2.warpAffine(
        ground, corner, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )
    labels = np.zeros((HEIGHT, WIDTH), np.uint8)
    for thing in things:
        rgb, alpha = _side(thing, t) if turning else (thing.rgb, thing.alpha)
        scale = float(thing.scale[t])
        if scale < 0.6:  # made small before it is placed, so that nothing flickers
            rgb, alpha = (cv2.resize(x, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) for x in (rgb, alpha))
            scale = 1.0
        h, w = alpha.shape
        matrix = np.array([[scale, 0, thing.x[t] - scale * w / 2], [0, scale, thing.y[t] - scale * h / 2]])
        colour = cv2.warpAffine(rgb, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        opacity = cv2.warpAffine(alpha, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR)
        share = opacity[..., None].astype(np.float32) / 255
        image = (image * (1 - share) + colour * share).astype(np.uint8)
        labels[opacity > 127] = thing.label
    return image, labels


def _side(thing: _Thing, t: int) -> tuple[Rgb, Alpha]:
    """What is to be seen of a thing that turns: a window that slides from its first side to its second."""
    width = thing.alpha.shape[1] // 2
    at = int(np.clip(t / (len(thing.x) - 1) * 1.4 - 0.2, 0, 1) * width)
    return np.ascontiguousarray(thing.rgb[:, at : at + width]), np.ascontiguousarray(thing.alpha[:, :width])
