"""Tensorboard, where it is installed: the log's figures as curves, validations, and clips as pictures."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor
from torch.nn import functional as F

from devos.data.batching import Batch
from devos.data.clips import VOID
from devos.io.drawing import COLOURS

BOARD_FOLDER = "board"
"""In a run's folder: what `tensorboard --logdir` reads."""
_SIDE_PX = 160
"""Frames are drawn with at most this side."""
_CLIPS = 2
"""How many of a batch's clips are drawn."""
_PARTITION_PX = 2


def available() -> bool:
    """Whether tensorboard is installed."""
    return importlib.util.find_spec("tensorboard") is not None


class Board:
    """Curves and pictures of a run; what an earlier part of it wrote behind step `done` is hidden."""

    def __init__(self, folder: Path, done: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder), purge_step=done + 1)

    def add(self, group: str, figures: Mapping[str, float], step: int) -> None:
        """A point on each curve GROUP/NAME."""
        for name, value in figures.items():
            self._writer.add_scalar(f"{group}/{name}", value, step)

    def add_clips(self, batch: Batch, predicted: UInt8[Tensor, "clips pairs h4 w4"], step: int) -> None:
        """Some clips of a batch with the truth and the prediction; `predicted`: of the batch's last clips."""
        first = len(batch.images) - len(predicted)
        for place in range(first, min(first + _CLIPS, len(batch.images))):
            picture = draw_clip(batch, place, predicted[place - first])
            self._writer.add_image(f"clips/{place}", picture, step, dataformats="HWC")

    def close(self) -> None:
        """Write what is left."""
        self._writer.close()


def draw_clip(batch: Batch, place: int, predicted: UInt8[Tensor, "pairs h4 w4"]) -> UInt8[np.ndarray, "rows columns 3"]:
    """One clip as a sheet: a column for each frame; the picture, the truth, the prediction below each other.

    The first frame's mask is given, so no prediction is drawn there. Void is white.
    """
    size = batch.images.shape[-2:]
    step = -(-max(size) // _SIDE_PX)
    answers = F.interpolate(predicted[:, None].cpu(), tuple(size), mode="nearest")[:, 0]
    columns = []
    for t, image in enumerate(batch.images[place].cpu()):
        rgb = (image.permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)[::step, ::step]
        truth = _painted(rgb, batch.slots[place, t].cpu().to(torch.uint8).numpy()[::step, ::step])
        answer = _painted(rgb, answers[t - 1].numpy()[::step, ::step]) if t else rgb // 3
        columns.append(_stacked([rgb, truth, answer], axis=0))
    return _stacked(columns, axis=1)


def _painted(rgb: np.ndarray, slots: np.ndarray) -> np.ndarray:
    """Objects half in their slot's colour over a darkened frame."""
    painted = rgb // 2
    for slot in np.unique(slots[slots > 0]):
        colour = np.array([255, 255, 255], np.uint8) if slot == VOID else COLOURS[(slot - 1) % len(COLOURS)]
        painted[slots == slot] += colour // 2
    return painted


def _stacked(pictures: list[np.ndarray], axis: int) -> np.ndarray:
    """Side by side or below each other, with a white line between."""
    widths = [(0, 0)] * 3
    widths[axis] = (0, _PARTITION_PX)
    parts = [np.pad(picture, widths, constant_values=255) for picture in pictures[:-1]]
    return np.concatenate([*parts, pictures[-1]], axis)
