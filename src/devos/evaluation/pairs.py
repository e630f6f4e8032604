"""True and predicted label maps side by side, with the values that count under a protocol."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from devos.data.catalog import Labels, VideoInfo
from devos.errors import MaskError
from devos.evaluation.scoring import VOID, Protocol, true_labels
from devos.frames import FrameSize


class LabelPair(NamedTuple):
    """What is true and what was predicted on one frame, both at the frame's size; 0 is background."""

    index: int
    """Of the frame in its sequence, from 0."""
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
