"""Temporal stability: does a mask move as the picture does, or does it flicker?

For one object and two frames t-1 and t that follow each other: the mask of t-1 is brought to t along the optical flow
of the *pictures*, and J of it and the mask of t is taken, over the pixels where the flow can be trusted. A pixel of t
can be trusted if its source lies on frame t-1 and the flow forth and back again ends where it began, within the bound
of Sundaram, Brox and Keutzer (2010): |a + b|^2 <= 0.01 (|a|^2 + |b|^2) + 0.5, in pixels. So what is occluded or
uncovered between the frames is left out of both masks.

A pair of frames counts for an object if, on the trusted pixels, the true object is on one of the two and the predicted
one is on one of the two: what is absent, or lost altogether, on both cannot flicker (J and F tell of it). An object
that comes or goes on trusted pixels has 0 for that pair.

Flow is never perfect, nor are masks still: limbs deform, thin parts blur. So the number says something only beside
that of the true masks, on the very same pairs; `difference` is what is left of the two. Far below 0 is flicker. Above
0 the prediction is stiller than the truth, often because it misses thin, fast parts. A mask that stays in the wrong
place is perfectly stable: read it beside J, never alone.

This is not the T of DAVIS 2016 (Perazzi et al.), which matches the shapes of two contours without any flow.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from devos.data.catalog import Labels, VideoInfo, read_picture
from devos.errors import VideoError
from devos.evaluation.measures.pairs import NO_MATCHES, LabelPair, Matches, label_pairs
from devos.evaluation.rules.protocols import Protocol
from devos.flow.estimator import DisFlow, FlowEstimator
from devos.flow.warp import resize_field, warp_to_current
from devos.frames import FrameSize

RELATIVE_ERROR, SQUARED_ERROR_PX2 = 0.01, 0.5
"""How far forth and back may miss: this share of the squared motions, and this many square pixels more."""

Picture = UInt8[np.ndarray, "h w 3"]


@dataclass(frozen=True)
class StabilityScore:
    """How steadily one object was followed, each a mean over the same pairs of frames."""

    predicted: float
    """Of the predicted masks, in [0, 1]."""
    truth: float
    """Of the true masks, in [0, 1]: what steady is on this clip, with this flow."""
    pairs: int
    """How many pairs of frames counted; at least one."""
    trusted: float
    """Share, in [0, 1], of the true object's pixels that could be judged: where the flow can be trusted."""

    @property
    def difference(self) -> float:
        """Predicted less true, in [-1, 1]; below 0 the prediction flickers."""
        return self.predicted - self.truth


class _Value(NamedTuple):
    """Of one object on one pair of frames."""

    predicted: float
    truth: float
    trusted: float


def temporal_stability(
    video: VideoInfo,
    predicted: Iterable[Labels],
    protocol: Protocol,
    *,
    matches: Matches = NO_MATCHES,
    flow: FlowEstimator | None = None,
) -> dict[int, StabilityScore]:
    """Stability of each true object, by rising id; one without a pair of frames that counts is left out.

    `predicted` has one label map for each frame of the video, at the frame's size. The first frame, which is given,
    and the last, which is not scored, take no part; of the others only neighbours that both have a true mask.
    `matches` are those of the sequence's score. `flow` is dense inverse search unless another is given. VideoError
    where the pictures are not known or do not fit.
    """
    if not video.frames:
        raise VideoError(
            f"the pictures of sequence {video.name} are not known, and stability needs the optical flow between them; "
            "give a folder with JPEGImages, or leave stability out"
        )
    flow = flow or DisFlow()
    values: dict[int, list[_Value]] = {}
    last: LabelPair | None = None
    last_picture: Picture | None = None
    for pair in label_pairs(video, predicted, protocol, matches):
        picture = _picture(video, pair)
        if last is not None and last_picture is not None and pair.frame == last.frame + 1:
            to_prev, trusted = trusted_flow(flow, last_picture, picture)
            for object_id, value in _pair_values(last, pair, to_prev, trusted).items():
                values.setdefault(object_id, []).append(value)
        last, last_picture = pair, picture
    return {object_id: _mean(values[object_id]) for object_id in sorted(values)}


def trusted_flow(
    flow: FlowEstimator, previous: Picture, current: Picture
) -> tuple[Float32[np.ndarray, "2 h w"], Bool[np.ndarray, "h w"]]:
    """Motion (dx, dy) in pixels from each current pixel to where it was before, and where that can be trusted."""
    height, width = current.shape[:2]
    fields = flow.estimate(_even(previous), _even(current))
    rows, columns = height + height % 2, width + width % 2
    to_prev, to_curr = (
        resize_field(field, rows, columns)[:, :height, :width] for field in (fields.to_prev, fields.to_curr)
    )
    back = np.stack([warp_to_current(channel, to_prev) for channel in to_curr])
    missed = np.square(to_prev + back).sum(0)
    bound = RELATIVE_ERROR * (np.square(to_prev).sum(0) + np.square(back).sum(0)) + SQUARED_ERROR_PX2
    return to_prev, (missed <= bound) & _from_inside(to_prev)


def _pair_values(
    before: LabelPair, now: LabelPair, to_prev: Float32[np.ndarray, "2 h w"], trusted: Bool[np.ndarray, "h w"]
) -> dict[int, _Value]:
    """What each object has for which the pair counts."""
    maps = [
        (warp_to_current(old, to_prev, nearest=True)[trusted], new[trusted])
        for old, new in ((before.predicted, now.predicted), (before.truth, now.truth))
    ]
    seen = np.bincount(now.truth.ravel())
    values = {}
    for object_id in np.unique(np.concatenate(maps[1])).tolist():
        predicted, truth = (_overlap(moved == object_id, new == object_id) for moved, new in maps)
        if object_id > 0 and predicted is not None and truth is not None:
            judged = np.count_nonzero(maps[1][1] == object_id)
            # One that has just left has no pixel to be judged now: all there is of it is where it was before.
            share = judged / int(seen[object_id]) if object_id < len(seen) and seen[object_id] else 1.0
            values[object_id] = _Value(predicted, truth, share)
    return values


def _overlap(one: Bool[np.ndarray, " pixels"], other: Bool[np.ndarray, " pixels"]) -> float | None:
    """Intersection over union; None for two empty ones."""
    union = np.count_nonzero(one | other)
    return np.count_nonzero(one & other) / union if union else None


def _from_inside(to_prev: Float32[np.ndarray, "2 h w"]) -> Bool[np.ndarray, "h w"]:
    """Whether each pixel's source lies on the previous frame."""
    height, width = to_prev.shape[1:]
    x = to_prev[0] + np.arange(width, dtype=np.float32)
    y = to_prev[1] + np.arange(height, dtype=np.float32)[:, None]
    inside: np.ndarray = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    return inside


def _picture(video: VideoInfo, pair: LabelPair) -> Picture:
    picture = read_picture(video.frames[pair.frame])
    if picture.shape[:2] != pair.truth.shape:
        raise VideoError(
            f"{video.frames[pair.frame]} is {FrameSize(*picture.shape[:2])}, but its true mask is "
            f"{FrameSize(*pair.truth.shape)}; stability needs pictures of the masks' size"
        )
    return picture


def _mean(values: list[_Value]) -> StabilityScore:
    predicted, truth, trusted = (math.fsum(column) / len(values) for column in zip(*values, strict=True))
    return StabilityScore(predicted=predicted, truth=truth, pairs=len(values), trusted=trusted)


def _even(picture: Picture) -> UInt8[np.ndarray, "h_even w_even 3"]:
    """The picture with its last row and column repeated where their number is odd."""
    height, width = picture.shape[:2]
    return np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
