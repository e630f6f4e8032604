"""What can be scored: a folder of masks, two baselines without any learning, and a segmenter.

Each is called with a video and yields one label map for each of its frames, in order, at the frame's own size. All but
the segmenter can be sent to another process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32, UInt8

from devos.data.catalog import (
    MASK_SUFFIXES,
    Labels,
    VideoInfo,
    is_one_off,
    list_files,
    masks_by_stem,
    read_labels,
    read_picture,
)
from devos.engine.sizes import choose_size, largest_areas
from devos.errors import MaskError, OutputError, VideoError
from devos.evaluation.scoring import Protocol, given_labels
from devos.flow.estimator import DisFlow
from devos.flow.warp import resize_field, warp_to_current
from devos.frames import FrameSize
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
        """The saved masks. Those that no protocol scores may be missing: the first, the last, where no truth is."""
        home = self._home(video)
        masks = masks_by_stem(home)
        for index, stem in enumerate(video.stems):
            if stem in masks or not (index in (0, video.num_frames - 1) or video.masks[index] is None):
                yield read_labels(_found(home, masks, stem, video))
            else:
                yield np.zeros((1, 1), np.uint16)

    def files(self, video: VideoInfo, indices: Iterable[int]) -> tuple[Path, ...]:
        """The files of some frames' masks; MaskError if one is missing, or if they are counted from another number."""
        home, stems = self._home(video), video.stems
        masks = masks_by_stem(home)
        if is_one_off(stems, masks):
            raise MaskError(
                f"{home}: the masks are named {min(masks)} to {max(masks)}, but the frames of sequence {video.name} "
                f"{min(stems)} to {max(stems)}: are they counted from another number? Name each as its frame"
            )
        return tuple(_found(home, masks, stems[index], video) for index in indices)

    def remarks(self, video: VideoInfo) -> tuple[str, ...]:
        """Masks that belong to no frame, and frames without a mask, in a sentence each."""
        masks = masks_by_stem(self._home(video))
        surplus = [path.name for stem, path in masks.items() if stem not in set(video.stems)]
        missing = [stem for stem, true in zip(video.stems, video.masks, strict=True)
                   if stem not in masks and true is not None]  # fmt: skip
        told = {"{} masks belong to no frame and were ignored: {}": surplus,
                "{} frames that are not scored have no mask: {}": missing}  # fmt: skip
        return tuple(
            f"{video.name}: {text.format(len(names), _first_of(names))}" for text, names in told.items() if names
        )

    def _home(self, video: VideoInfo) -> Path:
        home = self.folder / video.name
        if home.is_dir():
            return home
        if self.folder.is_dir() and list_files(self.folder, MASK_SUFFIXES):
            return self.folder
        raise MaskError(f"{home} is missing; expected the masks of sequence {video.name} in it, as 00000.png")


def _found(home: Path, masks: Mapping[str, Path], stem: str, video: VideoInfo) -> Path:
    if stem not in masks:
        raise MaskError(
            f"{home / stem}.png is missing; every frame of sequence {video.name} needs a mask, named as the true one "
            "(only those that are not scored may be left out, as the first and the last of DAVIS)"
        )
    return masks[stem]


def _first_of(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


@dataclass(frozen=True)
class CopyFirst:
    """The given mask on every frame: what a score is worth if nothing is done at all."""

    protocol: Protocol

    def __call__(self, video: VideoInfo) -> Iterator[Labels]:
        """The same labels for every frame, but for objects that are given later."""
        given = given_labels(video, self.protocol)
        labels = _nothing(video, given)
        for index in range(video.num_frames):
            labels = _with_given(labels, given.get(index))
            yield labels


@dataclass(frozen=True)
class FlowWarp:
    """The given mask moved from frame to frame along optical flow, and nothing else."""

    protocol: Protocol

    def __call__(self, video: VideoInfo) -> Iterator[Labels]:
        """The first mask, then what the flow makes of it."""
        flow = DisFlow()
        given = given_labels(video, self.protocol)
        labels = _with_given(_nothing(video, given), given.get(0))
        yield labels
        pictures = _pictures(video)
        previous = next(pictures)
        for index, current in enumerate(pictures, start=1):
            labels = _with_given(_move(labels, flow, previous, current), given.get(index))
            yield labels
            previous = current


class ModelPredictor:
    """A trained segmenter, given each object once, where it is first: by most protocols, on the first frame."""

    def __init__(self, segmenter: Segmenter, protocol: Protocol, *, auto_size: bool = False) -> None:
        """`auto_size`: the network's size is chosen for each video by what is given (`devos.engine.sizes`)."""
        self._segmenter = segmenter
        self._protocol = protocol
        self._auto_size = auto_size

    def __call__(self, video: VideoInfo) -> Iterator[Labels]:
        """What a fresh session says of each frame."""
        given = given_labels(video, self._protocol)
        session = self._sized(given).session()
        for index, picture in enumerate(_pictures(video)):
            yield session.step(picture, given.get(index)).labels

    def _sized(self, given: Mapping[int, Labels]) -> Segmenter:
        if not (self._auto_size and given):
            return self._segmenter
        areas = largest_areas(_areas(labels) for labels in given.values())
        frame = FrameSize(*next(iter(given.values())).shape)
        return self._segmenter.with_settings(size=choose_size(areas, frame))


def _areas(labels: Labels) -> dict[int, int]:
    """Pixels of each object."""
    ids, counts = np.unique(labels[labels > 0], return_counts=True)
    return {int(object_id): int(count) for object_id, count in zip(ids, counts, strict=True)}


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


def _nothing(video: VideoInfo, given: Mapping[int, Labels]) -> Labels:
    """No object anywhere, at the size of the masks."""
    if not given:
        raise MaskError(f"sequence {video.name} has no true mask with an object; nothing can be given to a method")
    return np.zeros_like(next(iter(given.values())))


def _with_given(labels: Labels, given: Labels | None) -> Labels:
    """The labels with what is given laid over them."""
    return labels if given is None else np.where(given > 0, given, labels)


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
