"""Clips from videos with masks: which frames, which part of them, which objects."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from devos.data.catalog import VideoInfo, read_clip_labels, read_picture
from devos.data.clips import Clip, choose_objects, keep_objects
from devos.flow.estimator import DisFlow


@dataclass(frozen=True, kw_only=True)
class SamplingConfig:
    """How clips are taken from videos."""

    size: int = 256
    """Height and width of the clip, in pixels."""
    length: int = 4
    """Frames."""
    max_gap: int = 3
    """Most frames of the video from one frame of the clip to the next."""
    max_objects: int = 3
    """Most objects that are followed."""
    zoom: tuple[float, float] = (1.0, 2.2)
    """How much the video is enlarged; 1 fits its short side to the clip."""


def sample_clip(video: VideoInfo, config: SamplingConfig, rng: np.random.Generator) -> Clip | None:
    """A clip of one video, its flow estimated; None if no object is seen in its first frame."""
    picked = _frames(video, config, rng)
    labels = [read_clip_labels(path) for i in picked if (path := video.masks[i]) is not None]
    if not np.isin(labels[0], (0, 255), invert=True).any():
        return None
    matrices = _crop(labels[0], config, rng)
    size = (config.size, config.size)
    crops = np.stack([
        cv2.warpAffine(y, m, size, flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_REFLECT_101)
        for y, m in zip(labels, matrices, strict=True)
    ])  # fmt: skip
    chosen = choose_objects(crops[0], config.max_objects, rng)
    if not chosen:
        return None
    images = np.stack([
        cv2.warpAffine(read_picture(video.frames[i]), m, size, flags=cv2.INTER_LINEAR,
                       borderMode=cv2.BORDER_REFLECT_101)
        for i, m in zip(picked, matrices, strict=True)
    ])  # fmt: skip
    to_prev, to_curr = estimate_flow(images)
    return Clip(images, keep_objects(crops, chosen), to_prev, to_curr, video.name)


def estimate_flow(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`to_prev` and `to_curr` of every pair of frames, as the estimator in use gives them."""
    dis = DisFlow()
    pairs = [dis.estimate(images[t - 1], images[t]) for t in range(1, len(images))]
    return np.stack([p.to_prev for p in pairs]), np.stack([p.to_curr for p in pairs])


def _frames(video: VideoInfo, config: SamplingConfig, rng: np.random.Generator) -> list[int]:
    """Indices with masks, forwards or backwards; a gap for the whole clip. A short video goes there and back."""
    masked = [i for i, mask in enumerate(video.masks) if mask is not None]
    gap = int(rng.integers(1, config.max_gap + 1))
    gap = max(1, min(gap, (len(masked) - 1) // max(config.length - 1, 1)))
    span = gap * (config.length - 1) + 1
    if span > len(masked):
        masked = (masked + masked[-2:0:-1]) * (span // max(len(masked), 1) + 1)
    start = int(rng.integers(0, len(masked) - span + 1))
    picked = masked[start : start + span : gap]
    return picked[::-1] if rng.random() < 0.5 else picked


def _crop(first: np.ndarray, config: SamplingConfig, rng: np.random.Generator) -> list[np.ndarray]:
    """For each frame the affine map from video to clip, around a pixel of an object, drifting a little."""
    height, width = first.shape
    scale = config.size / min(height, width) * rng.uniform(*config.zoom)
    ys, xs = np.nonzero((first != 0) & (first != 255))
    at = int(rng.integers(len(ys)))
    reach = config.size / scale / 2
    # The crop stays on the picture where it can; the object need not be in its middle.
    centre = np.array([xs[at], ys[at]]) + rng.uniform(-0.6, 0.6, 2) * reach
    centre = np.clip(centre, np.minimum(reach, [width / 2, height / 2]),
                     np.maximum([width - reach, height - reach], [width / 2, height / 2]))  # fmt: skip
    turn, mirror = rng.normal(0, 0.08), -1.0 if rng.random() < 0.5 else 1.0
    squeeze = np.exp(rng.normal(0, 0.08))
    drift = rng.normal(0, 0.01 * config.size / scale, 2) if rng.random() < 0.5 else np.zeros(2)
    zooming = rng.normal(0, 0.01) if rng.random() < 0.5 else 0.0
    c, s = np.cos(turn), np.sin(turn)
    linear = np.array([[c, -s], [s, c]]) @ np.diag([mirror * scale * squeeze, scale / squeeze])
    matrices = []
    for t in range(config.length):
        a = linear * np.exp(zooming * t)
        b = config.size / 2 - a @ (centre + drift * t)
        matrices.append(np.concatenate([a, b[:, None]], 1).astype(np.float32))
    return matrices
