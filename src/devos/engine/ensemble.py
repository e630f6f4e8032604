"""Several views of one video: each frame at several sizes, as it is and mirrored; the views' answers averaged.

Each view is a recurrence of its own: it has its own memory, in which it remembers its own masks, and its own optical
flow; only the answers meet. The field does it in three ways: the answers averaged after whole independent runs (XMem's
`merge_multi_scale.py`); averaged at each frame, each view remembering its own masks (AOT's evaluator as it is now);
or each view remembering the average (AOT's evaluator at first; Cutie's flip). The first two come to the same. Ours
is the second: a view is followed exactly as if it were alone, by the same `DeVOS.step`. Remembering the average was
tried with devos-t at 192 pixels on sequences of the training set, J&F: flip on seven, 82.1 with own masks and 82.2 with
the average (one view: 81.7); scales 0.75, 1 and 1.25 on five of them, 78.9 and 78.1 (one view: 79.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product

import numpy as np
import torch
from jaxtyping import Float, Shaped, UInt8
from torch import Tensor
from torch.nn import functional as F

from devos.engine.settings import Settings
from devos.frames import FrameSize
from devos.image import network_size
from devos.model.memory import Memory

_LEAST = 1e-4
"""Probability below which nothing is told apart when maps are enlarged, as in `masks.to_full_size`."""


@dataclass(frozen=True)
class View:
    """One way of seeing a video."""

    scale: float = 1.0
    """Multiple of the settings' size."""
    mirrored: bool = False
    """Left and right exchanged."""

    def size(self, frame: FrameSize, settings: Settings) -> FrameSize:
        """The size at which the network sees a frame in this view."""
        return network_size(frame, round(settings.size * self.scale))

    def see(self, picture: Shaped[np.ndarray, "h w *channels"]) -> Shaped[np.ndarray, "h w *channels"]:
        """A frame or its labels as the view has them, at their own size. Not a copy."""
        return picture[:, ::-1] if self.mirrored else picture

    def put_back(self, maps: Float[Tensor, "rows h4 w4"]) -> Float[Tensor, "rows h4 w4"]:
        """The view's answer, left and right as in the video."""
        return maps.flip(-1) if self.mirrored else maps


@dataclass(frozen=True)
class Past:
    """What one view carries from frame to frame."""

    memory: Memory = field(default_factory=Memory)
    previous: UInt8[np.ndarray, "h w 3"] | None = None
    """The frame before, as the view saw it."""

    @property
    def num_bytes(self) -> int:
        """What it holds, in bytes."""
        image = 0 if self.previous is None else self.previous.nbytes
        return image + sum(t.numel() * t.element_size() for t in self.memory.tensors())


def views_of(settings: Settings) -> tuple[View, ...]:
    """Every scale in the order given, each as it is and then, with `flip`, mirrored.

    >>> views_of(Settings(flip=True))
    (View(scale=1.0, mirrored=False), View(scale=1.0, mirrored=True))
    """
    return tuple(View(*pair) for pair in product(settings.scales, (False, True) if settings.flip else (False,)))


def average(answers: Sequence[Float[Tensor, "rows _ _"]]) -> Float[Tensor, "rows h4 w4"]:
    """The mean of the views' probabilities, on the grid of the finest; a single view's answer as it is.

    Row 0 is background, the others are objects; rows sum to 1. Coarser grids are enlarged as log-probabilities, never
    as labels (AOT enlarges logits), then the probabilities are averaged.
    """
    if len(answers) == 1:
        return answers[0]
    height, width = (max(answer.shape[axis] for answer in answers) for axis in (-2, -1))
    total = torch.zeros_like(answers[0][:, :1, :1]).repeat(1, height, width)
    for answer in answers:
        if answer.shape[-2:] != (height, width):
            logs = answer.clamp(min=_LEAST).log()[None]
            answer = F.interpolate(logs, (height, width), mode="bilinear", align_corners=False)[0].softmax(0)
        total = total + answer
    return total / len(answers)
