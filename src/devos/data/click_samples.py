"""Pictures with one object in each, cut from photos and videos, for training on clicks."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from devos.data.augment import degrade, jitter_light
from devos.data.catalog import VideoInfo, read_clip_labels, read_picture
from devos.data.clips import VOID
from devos.data.photo_sets import list_photos
from devos.data.photos import PhotoSource
from devos.data.transforms import Affine
from devos.data.video_sets import list_videos
from devos.errors import InputError
from devos.frames import FrameSize

SHAPES = tuple(FrameSize(*size) for size in ((256, 256), (224, 288), (192, 352), (288, 224)))
"""Of a batch, in pixels: about the same area, as frames and cut-outs of them are shaped."""
_LEAST_PIXELS, _TRIES = 80, 10
_HELD_OUT = 37
"""One photo and one video of so many is held out."""
_MOST_ENLARGED = 3.5


@dataclass(frozen=True)
class ClickSample:
    """A picture and its object."""

    rgb: UInt8[np.ndarray, "h w 3"]
    truth: UInt8[np.ndarray, "h w"]
    """1 the object, 0 the rest, 255 not known."""
    stale: UInt8[np.ndarray, "h w"] | None
    """The object as it was some frames before or after, where the picture is of a video."""


@dataclass(frozen=True)
class ClickData:
    """Where pictures are drawn from."""

    photos: tuple[PhotoSource, ...]
    videos: tuple[VideoInfo, ...]
    crowds: tuple[VideoInfo, ...]
    """Videos in which everything that moves has one id: each connected part is taken for an object."""
    shares: tuple[float, float, float]
    """How often each of them is drawn from; their sum is 1."""

    def sample(self, size: FrameSize, rng: np.random.Generator) -> ClickSample:
        """A random picture, object and cut of it."""
        for _ in range(_TRIES * _TRIES):
            rgb, labels, stale = self._read(rng)
            found = _cut(rgb, labels, stale, size, rng)
            if found is not None:
                return found
        raise InputError("no object of these photos and videos is large enough to click on; give others")

    def _read(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        kind = int(rng.choice(3, p=self.shares))
        if kind == 0:
            photo = self.photos[int(rng.integers(len(self.photos)))].read()
            return photo.rgb, photo.labels, None
        if kind == 1:
            return _read_frame(self.videos, rng)
        rgb, labels, _ = _read_frame(self.crowds, rng)
        _, parts = cv2.connectedComponents((labels == 1).astype(np.uint8))
        return rgb, np.where(labels == VOID, VOID, np.minimum(parts, VOID - 1)).astype(np.uint8), None


def click_data(data: Path, *, held_out: bool, shares: tuple[float, float, float] = (0.58, 0.34, 0.08)) -> ClickData:
    """What lies in a folder as `static` (photos), `video-train` and `video-sbi` (crowds; may be left out): those to
    train on, or those held out of it.
    """

    def wanted(name: str) -> bool:
        return (zlib.crc32(name.encode()) % _HELD_OUT == 0) is held_out

    photos = list_photos("own", data / "static").photos
    photos = tuple(p for p in photos if wanted(f"{p.image.parent.parent.name}/{p.image.stem}"))
    groups = []
    for root in (data / "video-train", data / "video-sbi"):
        found = list_videos("davis-like", root).videos if root.is_dir() else ()
        groups.append(tuple(video for video in found if wanted(video.name)))
    there = [share * bool(group) for share, group in zip(shares, (photos, *groups), strict=True)]
    if not any(there):
        raise InputError(f"{data}: holds no photos in static and no videos in video-train")
    first, second, third = (share / sum(there) for share in there)
    return ClickData(photos, groups[0], groups[1], (first, second, third))


def _read_frame(videos: Sequence[VideoInfo], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Any frame that has a mask of any video, long ones more often; and the mask of another frame nearby."""
    lengths = np.array([sum(mask is not None for mask in video.masks) for video in videos], float) ** 0.5
    video = videos[int(rng.choice(len(videos), p=lengths / lengths.sum()))]
    masked = [index for index, mask in enumerate(video.masks) if mask is not None]
    at = int(rng.integers(len(masked)))
    other = int(np.clip(at + rng.integers(1, 9) * rng.choice([-1, 1]), 0, len(masked) - 1))
    mask, stale = video.masks[masked[at]], video.masks[masked[other]]
    assert mask is not None and stale is not None, "those without were left out"
    return read_picture(video.frames[masked[at]]), read_clip_labels(mask), read_clip_labels(stale)


def _cut(rgb: np.ndarray, labels: np.ndarray, stale: np.ndarray | None, size: FrameSize,
         rng: np.random.Generator) -> ClickSample | None:  # fmt: skip
    """One object and a cut of the picture that shows some of it; None if none is large enough."""
    areas = np.bincount(labels.ravel(), minlength=256)
    ids = [i for i in range(1, VOID) if areas[i] >= _LEAST_PIXELS]
    if not ids:
        return None
    # A large object more often than a small one, a small one more often than its pixels say.
    odds = np.sqrt(areas[ids])
    chosen = int(rng.choice(ids, p=odds / odds.sum()))
    truth = np.where(labels == chosen, 1, np.where(labels == VOID, VOID, 0)).astype(np.uint8)
    for _ in range(_TRIES):
        matrix = _random_cut(truth == 1, size, rng)
        part = _warp(truth, matrix, size, cv2.INTER_NEAREST)
        if np.count_nonzero(part == 1) >= _LEAST_PIXELS:
            picture = degrade(jitter_light(_warp(rgb, matrix, size, cv2.INTER_LINEAR)[None], rng), rng)[0]
            before = None if stale is None else _warp((stale == chosen).astype(np.uint8), matrix, size, 0)
            return ClickSample(picture, part, before)
    return None


def _random_cut(region: np.ndarray, size: FrameSize, rng: np.random.Generator) -> Affine:
    """From the picture to a cut in which the object is small or large, in the middle or not; never beyond its edges."""
    height, width = region.shape
    ys, xs = np.nonzero(region)
    side = max(np.ptp(xs), np.ptp(ys)) + 1
    share = np.exp(rng.uniform(np.log(0.1), np.log(1.1)))
    least = max(size.height / height, size.width / width)
    scale = np.clip(share * min(size) / side, least, max(_MOST_ENLARGED, least))
    squeeze = np.exp(rng.normal(0, 0.08))
    across, down = max(scale * squeeze, size.width / width), max(scale / squeeze, size.height / height)
    reach = np.array([size.width / across, size.height / down]) / 2
    middle = np.array([xs.min() + xs.max(), ys.min() + ys.max()]) / 2
    at = int(rng.integers(len(xs)))
    centre = middle if rng.random() < 0.5 else np.array([xs[at], ys[at]], float)
    centre = np.clip(centre + rng.uniform(-0.4, 0.4, 2) * reach, reach, np.maximum([width, height] - reach, reach))
    mirror, turn = -1.0 if rng.random() < 0.5 else 1.0, rng.normal(0, 0.05)
    c, s = np.cos(turn), np.sin(turn)
    linear = np.array([[c, -s], [s, c]]) @ np.diag([mirror * across, down])
    offset = np.array([size.width, size.height]) / 2 - 0.5 - linear @ (centre - 0.5)
    return np.concatenate([linear, offset[:, None]], 1).astype(np.float32)


def _warp(picture: np.ndarray, matrix: Affine, size: FrameSize, how: int) -> np.ndarray:
    warped: np.ndarray = cv2.warpAffine(picture, matrix, (size.width, size.height), flags=how,
                                        borderMode=cv2.BORDER_REFLECT_101)  # fmt: skip
    return warped
