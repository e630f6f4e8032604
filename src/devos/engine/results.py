"""The network's answer as the user has it: ids at the frame's own size, and how sure it is of each object."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from jaxtyping import Float, UInt8, UInt16
from torch import Tensor
from torch.nn import functional as F

from devos.engine.confidence import signs
from devos.frames import Frame, MaskFrame, ObjectScore
from devos.masks import FullSize, to_full_size

Labels = UInt16[np.ndarray, "h w"] | UInt8[np.ndarray, "h w"]
"""The user's object id at each pixel, 0 for background."""


@dataclass(frozen=True)
class Kept:
    """Objects whose masks stand on a frame, though nobody marked them there, while others are followed anew."""

    labels: UInt16[np.ndarray, "h w"]
    """The user's ids; those that are not in `object_ids` are passed over."""
    object_ids: tuple[int, ...]
    """All of them, those without a pixel too."""

    def beside(self, labels: Labels | None, named: Sequence[int]) -> tuple[UInt16[np.ndarray, "h w"], list[int]]:
        """Together with what is given: labels and every object that is known. What is given has its pixels."""
        ids = [object_id for object_id in self.object_ids if object_id not in named]
        standing = np.where(np.isin(self.labels, ids), self.labels, 0).astype(np.uint16)
        if labels is not None:
            standing = np.where(labels > 0, labels, standing).astype(np.uint16)
        return standing, sorted({*named, *ids})


@dataclass(frozen=True)
class Answer:
    """What the network says of one frame; called, it makes the masks at the frame's own size."""

    frame: Frame
    maps: Float[Tensor, "rows h4 w4"] | None
    """Probabilities: row 0 is background, then a row for each of `object_ids`; None where nothing is followed."""
    object_ids: tuple[int, ...]
    labels: Labels | None
    """What was given for the frame."""
    named: tuple[int, ...]
    """The objects of which it was given."""
    cut: int | None = None
    """As MaskFrame's."""
    timings: dict[str, float] = field(default_factory=lambda: {"masks": 0.0})
    """Where the seconds that this takes are counted."""

    @torch.inference_mode()
    def __call__(self, probabilities: bool = False) -> MaskFrame:
        """The masks; with `probabilities` each object's at each pixel too."""
        frame, begun = self.frame, time.perf_counter()
        if self.maps is None:
            return MaskFrame(frame.index, frame.time_s, frame.name, np.zeros(frame.size, np.uint16), ())
        result = mask_frame(frame, self.maps, self.object_ids, self.labels, self.named, probabilities)
        self.timings["masks"] += time.perf_counter() - begun
        return result if self.cut is None else replace(result, cut=self.cut)


def mask_frame(frame: Frame, answer: Float[Tensor, "rows h4 w4"], ids: Sequence[int], labels: Labels | None,
               named: Sequence[int], keep_probabilities: bool) -> MaskFrame:  # fmt: skip
    """Probabilities as labels at the frame's size, what was given put back exactly.

    `answer`: row 0 background, then a row for each of `ids`; rows sum to 1. `labels`: what was given for this frame,
    None if nothing was; it says where each of `named` is.
    """
    full = to_full_size(answer, frame.size, keep_probabilities)
    marked = np.zeros(frame.size, np.uint16)
    marked.ravel()[full.pixels] = np.array([0, *ids], np.uint16)[full.winner]
    soft = None if full.probabilities is None else full.probabilities.half().numpy()
    if labels is not None:
        marked, soft = _restore_given(marked, soft, labels, named, ids)
        full = _with_given(full, marked, ids)
    scores = _scores(ids, named if labels is not None else (), answer, full)
    return MaskFrame(frame.index, frame.time_s, frame.name, marked, scores, soft)


def _with_given(full: FullSize, marked: UInt16[np.ndarray, "h w"], ids: Sequence[int]) -> FullSize:
    """The same on a frame where masks were given. How certain what was named is, is not asked: it is known."""
    certainty = np.zeros(marked.shape, np.float32)
    certainty.ravel()[full.pixels] = full.certainty
    place = np.zeros(max(ids) + 1, np.int64)
    place[list(ids)] = np.arange(1, len(ids) + 1)
    pixels = np.flatnonzero(marked)
    return FullSize(pixels, place[marked.ravel()[pixels]], certainty.ravel()[pixels], full.probabilities)


def _restore_given(
    answer: UInt16[np.ndarray, "h w"], soft: np.ndarray | None, labels: Labels, named: Sequence[int],
    ids: Sequence[int],
) -> tuple[UInt16[np.ndarray, "h w"], np.ndarray | None]:  # fmt: skip
    """What was given stands, pixel for pixel: a named object is where it was drawn and nowhere else."""
    restored = np.where(np.isin(answer, list(named)), 0, answer)
    restored = np.where(labels > 0, labels, restored).astype(np.uint16)
    if soft is not None:
        soft = np.where(labels > 0, np.float16(0), soft)
        for object_id in named:
            soft[ids.index(object_id)] = labels == object_id
    return restored, soft


def _scores(
    ids: Sequence[int], given: Sequence[int], answer: Float[Tensor, "rows h4 w4"], full: FullSize
) -> tuple[ObjectScore, ...]:
    """Presence: the highest mean probability of a 3 x 3 neighbourhood at stride 4; what was given is certain."""
    peaks = F.avg_pool2d(answer[1:, None], 3, stride=1, padding=1, count_include_pad=False).amax((1, 2, 3)).tolist()
    counts, means = full.counts_and_means(len(ids))
    scores = []
    for object_id, peak, count, sign in zip(ids, peaks, counts, signs(answer, means.tolist()), strict=True):
        presence, confidence = peak, sign.confidence if count else 0.0
        if object_id in given:
            presence = confidence = float(count > 0)
        scores.append(ObjectScore(object_id, round(presence, 4), round(confidence, 4)))
    return tuple(scores)
