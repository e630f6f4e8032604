"""True and predicted label maps side by side, with the values that count under a protocol."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from devos.data.catalog import Labels, VideoInfo, read_labels
from devos.errors import MaskError
from devos.evaluation.scoring import VOID, Protocol, true_labels
from devos.frames import FrameSize


class LabelPair(NamedTuple):
    """What is true and what was predicted on one frame, both at the frame's size; 0 is background."""

    frame: int
    """Its index in the sequence, from 0."""
    truth: Labels
    predicted: Labels


def counted(labels: Labels, protocol: Protocol) -> Labels:
    """The ids that count under a protocol: one object of every value under davis2016, else all ids but 255 (void)."""
    if protocol is Protocol.DAVIS2016:
        return (labels > 0).astype(np.uint16)
    return np.where(labels == VOID, np.uint16(0), labels)


def label_pairs(video: VideoInfo, predicted: Iterable[Labels], protocol: Protocol) -> Iterator[LabelPair]:
    """The frames that have a true mask, in order, but for the first, which is given, and the last, as DAVIS has it.

    `predicted` has one label map for each frame of the video and is drawn on to its end. MaskError where a predicted
    map is of another size than the true one.
    """
    for index, labels in enumerate(predicted):
        if not 0 < index < video.num_frames - 1 or video.masks[index] is None:
            continue
        truth = counted(true_labels(video, index), protocol)
        if truth.shape != labels.shape:
            raise MaskError(
                f"the predicted mask for frame {video.stems[index]} of sequence {video.name} is "
                f"{FrameSize(*labels.shape)} pixels, but the true one is {FrameSize(*truth.shape)}; "
                "predict at the frame's own size"
            )
        yield LabelPair(index, truth, counted(labels, protocol))


def saved_pair(video: VideoInfo, folder: Path | None, frame: int, protocol: Protocol) -> tuple[Labels, Labels | None]:
    """The true labels of a frame, and those in FOLDER/SEQUENCE/FRAME.png or, of a lone sequence, FOLDER/FRAME.png.

    None for the latter where there is no such file, or no folder. MaskError if it is of another size.
    """
    truth = counted(true_labels(video, frame), protocol)
    name = f"{video.stems[frame]}.png"
    homes = (folder / video.name, folder) if folder is not None else ()
    path = next((home / name for home in homes if (home / name).is_file()), None)
    if path is None:
        return truth, None
    predicted = counted(read_labels(path), protocol)
    if predicted.shape != truth.shape:
        raise MaskError(
            f"{path} is {FrameSize(*predicted.shape)}, but the true mask is {FrameSize(*truth.shape)}; "
            "give masks of the frame's own size"
        )
    return truth, predicted
