"""What can be scored: a folder of masks, two baselines without any learning, and a segmenter.

Each is called with a video and yields one label map for each of its frames, in order, at the frame's own size. All but
the segmenter can be sent to another process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32, UInt8

from devos.data.catalog import Labels, VideoInfo, read_labels, read_picture
from devos.errors import MaskError, OutputError, VideoError
from devos.evaluation.scoring import Protocol, first_labels
from devos.flow.estimator import DisFlow
from devos.flow.warp import resize_field, warp_to_current
from devos.io.files import output_error
from devos.io.labels import write_label_png

if TYPE_CHECKING:
    from devos.engine.segmenter import Segmenter

Predictor = Callable[[VideoInfo], Iterator[Labels]]
"""A label map for each frame of a video, in order."""


@dataclass(frozen=True)
class SavedMasks:
    """Masks that some program wrote, named as the true ones: FOLDER/SEQUENCE/00000.png."""

    folder: Path
    """The folder of sequence folders, or one sequence's own folder."""

    def __call__(self, video: VideoInfo) -> Iterator[Labels]:
        """The saved masks; the first and the last, which are not scored, may be missing."""
        home = self._home(video)
        for index, stem in enumerate(video.stems):
            path = home / f"{stem}.png"
            if path.is_file():
                yield read_labels(path)
            elif index in (0, video.num_frames - 1):
                yield np.zeros((1, 1), np.uint16)
            else:
                raise MaskError(
                    f"{path} is missing; every frame of sequence {video.name} needs a mask, named as the true one "
                    "(only the first and the last may be left out)"
                )

    def _home(self, video: VideoInfo) -> Path:
        home = self.folder / video.name
        if home.is_dir():
            return home
        if self.folder.is_dir() and any(self.folder.glob("*.png")):
            return self.folder
        raise MaskError(f"{home} is missing; expected the masks of sequence {video.name} in it, as 00000.png")


@dataclass(frozen=True)
class CopyFirst:
    """The first mask on every frame: what a score is worth if nothing is done at all."""

    protocol: Protocol

    def __call__(self, video: VideoInfo) -> Iterator[Labels]:
        """The same labels for every frame."""
        labels = first_labels(video, self.protocol)
        for _ in range(video.num_frames):
            yield labels


@dataclass(frozen=True)
class FlowWarp:
    """The first mask moved from frame to frame along optical flow, and nothing else."""

    protocol: Protocol

    def __call__(self, video: VideoInfo) -> Iterator[Labels]:
        """The first mask, then what the flow makes of it."""
        flow = DisFlow()
        labels = first_labels(video, self.protocol)
        yield labels
        pictures = _pictures(video)
        previous = next(pictures)
        for current in pictures:
            labels = _move(labels, flow, previous, current)
            yield labels
            previous = current


class ModelPredictor:
    """A trained segmenter, given the mask of the first frame and nothing more."""

    def __init__(self, segmenter: Segmenter, protocol: Protocol) -> None:
        self._segmenter = segmenter
        self._protocol = protocol

    def __call__(self, video: VideoInfo) -> Iterator[Labels]:
        """What a fresh session says of each frame."""
        session = self._segmenter.session()
        given: Labels | None = first_labels(video, self._protocol)
        for picture in _pictures(video):
            yield session.step(picture, given).labels
            given = None


@dataclass(frozen=True)
class Saving:
    """Another predictor, whose label maps are also written, as FOLDER/SEQUENCE/00000.png."""

    predictor: Predictor
    folder: Path

    def __call__(self, video: VideoInfo) -> Iterator[Labels]:
        """The other predictor's label maps, once they are on disk."""
        home = self.folder / video.name
        try:
            home.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise output_error(home, error) from error
        for stem, labels in zip(video.stems, self.predictor(video), strict=True):
            write_label_png(home / f"{stem}.png", labels)
            yield labels


def saving(predictor: Predictor, folder: Path) -> Saving:
    """`predictor`, whose label maps are also written to `folder`; a folder with anything in it is refused."""
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise OutputError(f"{folder} is there already and is not an empty folder; name a new one for the masks")
    return Saving(predictor, folder)


def _pictures(video: VideoInfo) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
    if not video.frames:
        raise VideoError(f"the pictures of sequence {video.name} are not known; give a folder with JPEGImages")
    return (read_picture(path) for path in video.frames)


def _move(
    labels: Labels, flow: DisFlow, previous: UInt8[np.ndarray, "h w 3"], current: UInt8[np.ndarray, "h w 3"]
) -> Labels:
    """The labels of the previous frame, where the flow brings them on the current one."""
    height, width = labels.shape
    to_prev = flow.estimate(_even(previous), _even(current)).to_prev
    rows, columns = height + height % 2, width + width % 2
    to_prev = resize_field(to_prev, rows, columns)[:, :height, :width]
    moved = np.zeros_like(labels)
    best = np.full(labels.shape, 0.5, np.float32)
    for object_id in np.unique(labels[labels > 0]):
        share: Float32[np.ndarray, "h w"] = warp_to_current((labels == object_id).astype(np.float32), to_prev)
        moved[share > best] = object_id
        best = np.maximum(best, share)
    return moved


def _even(picture: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h_even w_even 3"]:
    """The picture with its last row and column repeated where their number is odd."""
    height, width = picture.shape[:2]
    return np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
