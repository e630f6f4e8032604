"""From what was picked of a video to pictures and labels of the clip's size, and their motion."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32, UInt8

from devos.data.clips import LEAST_AREA, Footage, keep_objects
from devos.data.index import TrainingVideo
from devos.data.sampler import Pick
from devos.data.transforms import Affine, random_crops, warp_labels, warp_picture
from devos.errors import MaskError
from devos.flow.estimator import DisFlow

_TRIES = 8
"""Crops that are tried for one that shows an object well; then the best of them is taken."""


def shoot(video: TrainingVideo, pick: Pick, size: int, zoom: tuple[float, float], rng: np.random.Generator) -> Footage:
    """The picked frames, cut alike around one of the picked objects; objects not followed are background.

    `zoom`: as `random_crops` takes it. InputError, naming the file, if one cannot be read, if sizes differ, or if the
    first frame shows nothing of the object.
    """
    labels = {frame: video.labels(frame) for frame in dict.fromkeys(pick.frames)}
    shapes = {y.shape for y in labels.values()}
    if len(shapes) > 1:
        raise MaskError(f"{video.name}: masks have the sizes {shapes}; give masks of one size, or take the video out")
    matrices, chosen = _cut(video, pick, labels[pick.frames[0]], size, zoom, rng)
    cut = np.stack([warp_labels(labels[i], m, size) for i, m in zip(pick.frames, matrices, strict=True)])
    pictures = {frame: _picture(video, frame, labels[frame].shape) for frame in labels}
    images = np.stack([warp_picture(pictures[i], m, size) for i, m in zip(pick.frames, matrices, strict=True)])
    return Footage(images, keep_objects(cut, chosen), video.name)


def estimate_flow(
    images: UInt8[np.ndarray, "t h w 3"],
) -> tuple[Float32[np.ndarray, "pairs 2 h_half w_half"], Float32[np.ndarray, "pairs 2 h_half w_half"]]:
    """`to_prev` and `to_curr` of every pair of frames, as the estimator in use gives them."""
    dis = DisFlow()
    pairs = [dis.estimate(images[t - 1], images[t]) for t in range(1, len(images))]
    return np.stack([p.to_prev for p in pairs]), np.stack([p.to_curr for p in pairs])


def _cut(
    video: TrainingVideo, pick: Pick, first: UInt8[np.ndarray, "h w"], size: int, zoom: tuple[float, float],
    rng: np.random.Generator,
) -> tuple[list[Affine], list[int]]:  # fmt: skip
    """A crop for each frame, and the objects that it shows well at first; one at least."""
    best: tuple[int, list[Affine], int] | None = None
    around = first == pick.objects[0]
    if not around.any():
        raise MaskError(f"{_mask_name(video, pick)} has changed since it was looked at; start again")
    for _ in range(_TRIES):
        matrices = random_crops(around, size, len(pick.frames), zoom, rng)
        seen = np.bincount(warp_labels(first, matrices[0], size).ravel(), minlength=256)
        chosen = [i for i in pick.objects if seen[i] >= LEAST_AREA * size * size][: pick.most_objects]
        if chosen:
            return matrices, chosen
        largest = max(pick.objects, key=lambda i: int(seen[i]))
        if best is None or seen[largest] > best[0]:
            best = int(seen[largest]), matrices, largest
    assert best is not None, "something was tried"
    if best[0] == 0:
        raise MaskError(f"{_mask_name(video, pick)}: object {pick.objects[0]} is too small to be seen in a clip of "
                        f"{size} pixels; take the mask out, or make larger clips")  # fmt: skip
    return best[1], [best[2]]


def _picture(video: TrainingVideo, frame: int, shape: tuple[int, ...]) -> UInt8[np.ndarray, "h w 3"]:
    rgb = video.picture(frame)
    if rgb.shape[:2] != shape:
        sizes = [f"{s[1]}x{s[0]}" for s in (rgb.shape, shape)]
        raise MaskError(f"{video.info.frames[frame]} is {sizes[0]}, but its mask is {sizes[1]}; give the mask of that "
                        "picture, or take the video out")  # fmt: skip
    return rgb


def _mask_name(video: TrainingVideo, pick: Pick) -> str:
    return str(video.info.masks[pick.frames[0]])
