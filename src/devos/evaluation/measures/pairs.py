"""True and predicted label maps side by side, with the values that count under a protocol."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from devos.data.catalog import Labels, VideoInfo, read_labels
from devos.errors import MaskError
from devos.evaluation.rules.protocols import VOID, Protocol, Void, rules_of
from devos.evaluation.scoring import true_labels
from devos.frames import FrameSize

Matches = Mapping[int, int]
"""The predicted id that stands for each object, where ids are matched; empty where each stands for itself."""
NO_MATCHES: Matches = MappingProxyType({})


class LabelPair(NamedTuple):
    """What is true and what was predicted on one frame, both at the frame's size; 0 is background."""

    frame: int
    """Its index in the sequence, from 0."""
    truth: Labels
    predicted: Labels


def counted(
    truth: Labels, predicted: Labels, protocol: Protocol, matches: Matches = NO_MATCHES
) -> tuple[Labels, Labels]:
    """The ids that count under a protocol on a true and a predicted label map, under the objects' own ids.

    Where every value but 0 is one object, it is 1 on both. Void is background on the true map, and on the predicted
    one too where the protocol leaves it out of both. With `matches`, an id that stands for no object is background.
    """
    rules = rules_of(protocol)
    if rules.fold:
        return (truth > 0).astype(np.uint16), (predicted > 0).astype(np.uint16)
    if rules.void is not Void.OBJECT:
        is_void = truth == VOID
        truth = np.where(is_void, np.uint16(0), truth)
        if rules.void is Void.IGNORED:
            predicted = np.where(is_void, np.uint16(0), predicted)
    return truth, _renumbered(predicted, matches) if matches else predicted


def label_pairs(
    video: VideoInfo, predicted: Iterable[Labels], protocol: Protocol, matches: Matches = NO_MATCHES
) -> Iterator[LabelPair]:
    """The frames that have a true mask, in order, but for the first and the last of the video, as DAVIS has it.

    `predicted` has one label map for each frame of the video and is drawn on to its end. MaskError where a predicted
    map is of another size than the true one.
    """
    for frame, labels in enumerate(predicted):
        if not 0 < frame < video.num_frames - 1 or video.masks[frame] is None:
            continue
        truth = true_labels(video, frame)
        _check_size(truth, labels, f"the predicted mask for frame {video.stems[frame]} of sequence {video.name}")
        yield LabelPair(frame, *counted(truth, labels, protocol, matches))


def saved_pair(
    video: VideoInfo, folder: Path | None, frame: int, protocol: Protocol, matches: Matches = NO_MATCHES
) -> tuple[Labels, Labels | None]:
    """The true labels of a frame, and those in FOLDER/SEQUENCE/FRAME.png or, of a lone sequence, FOLDER/FRAME.png.

    None for the latter where there is no such file, or no folder. MaskError if it is of another size.
    """
    truth = true_labels(video, frame)
    name = f"{video.stems[frame]}.png"
    homes = (folder / video.name, folder) if folder is not None else ()
    path = next((home / name for home in homes if (home / name).is_file()), None)
    if path is None:
        return counted(truth, truth, protocol)[0], None
    predicted = read_labels(path)
    _check_size(truth, predicted, str(path))
    return counted(truth, predicted, protocol, matches)


def _check_size(truth: np.ndarray, predicted: np.ndarray, what: str) -> None:
    if predicted.shape != truth.shape:
        raise MaskError(
            f"{what} is {FrameSize(*predicted.shape)} pixels, but the true one is {FrameSize(*truth.shape)}; "
            "predict at the frame's own size"
        )


def _renumbered(predicted: Labels, matches: Matches) -> Labels:
    own_ids = np.zeros(int(predicted.max(initial=0)) + 1, np.uint16)
    for object_id, predicted_id in matches.items():
        if predicted_id < len(own_ids):
            own_ids[predicted_id] = object_id
    renumbered: np.ndarray = own_ids[predicted]
    return renumbered
