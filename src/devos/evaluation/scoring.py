"""The score of one sequence: its predicted label maps against its true ones, frame by frame.

Frames come in order and are let go again, so that a long video needs no more memory than a short one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from devos.data.catalog import Labels, VideoInfo, read_labels
from devos.errors import MaskError
from devos.evaluation.metrics import MaskScores, Statistics, score_mask
from devos.frames import FrameSize

VOID = 255
"""The value that DAVIS 2017 gives to pixels of no known object; it is counted as background."""

FEWEST_FRAMES = 3
"""The first frame is given and the last is not scored, so that fewer leave nothing."""


class Protocol(StrEnum):
    """Which official program the numbers follow."""

    DAVIS2016 = "davis2016"
    """One object: every value but 0."""
    DAVIS2017 = "davis2017"
    """The objects 1 to the highest id of the first true mask; 255 is background."""


@dataclass(frozen=True)
class ObjectQuality:
    """How well one object was followed through one sequence."""

    frames: tuple[int, ...]
    """Indices of the evaluated frames; value i of both measures belongs to frame `frames[i]` of the sequence."""
    region: Statistics
    """J."""
    boundary: Statistics
    """F."""


@dataclass(frozen=True)
class SequenceScore:
    """How well the objects of one sequence were followed."""

    name: str
    objects: dict[int, ObjectQuality]
    """By object id, in rising order."""
    notes: tuple[str, ...] = ()
    """What a reader of the numbers has to know, a sentence each."""


def choose_protocol(videos: Iterable[VideoInfo]) -> Protocol:
    """DAVIS 2016 if every first mask has just 0 and 255, as that data set's have; else DAVIS 2017."""
    values: set[int] = set()
    for video in videos:
        values.update(np.unique(true_labels(video, 0)).tolist())
        if values - {0, VOID}:
            return Protocol.DAVIS2017
    return Protocol.DAVIS2016 if VOID in values else Protocol.DAVIS2017


def true_labels(video: VideoInfo, index: int) -> Labels:
    """The true label map of a frame as it is in its file; MaskError if the frame has none."""
    path = video.masks[index]
    if path is None:
        raise MaskError(
            f"frame {video.stems[index]} of sequence {video.name} has no true mask; "
            "a sequence can be scored only with one for every frame"
        )
    return read_labels(path)


def first_labels(video: VideoInfo, protocol: Protocol) -> Labels:
    """The mask that a method is given: that of the first frame, with the ids that count."""
    return _under(protocol, true_labels(video, 0))


def score_sequence(video: VideoInfo, predicted: Iterable[Labels], protocol: Protocol) -> SequenceScore:
    """Score predicted label maps, one for each frame in order, against the sequence's true ones.

    The first frame, which is given, and the last are not scored, as in the official programs. All of `predicted` is
    drawn on, even what is not scored.
    """
    if video.num_frames < FEWEST_FRAMES:
        raise MaskError(
            f"sequence {video.name} has {video.num_frames} frames; at least {FEWEST_FRAMES} are needed, "
            "because the first and the last are not scored"
        )
    scorer = _SequenceScorer(video, protocol)
    count = 0
    for index, labels in enumerate(predicted):
        if 0 < index < video.num_frames - 1:
            scorer.add(index, labels)
        count += 1
    if count != video.num_frames:
        raise ValueError(f"expected {video.num_frames} predicted label maps for {video.name}, got {count}")
    return scorer.result()


class _SequenceScorer:
    """Gathers the values of the frames, and which ids were seen."""

    def __init__(self, video: VideoInfo, protocol: Protocol) -> None:
        self._video = video
        self._protocol = protocol
        given = first_labels(video, protocol)
        self._given_ids = _ids(given)
        # The official program takes every number up to the highest for an object, also those that no pixel has.
        highest = 1 if protocol is Protocol.DAVIS2016 else int(given.max())
        if highest == 0:
            raise MaskError(
                f"the first true mask of sequence {video.name} has no object under {protocol} (255 is background "
                "there); give a first mask with ids from 1, or use --protocol davis2016 for masks of 0 and 255"
            )
        self._scores: dict[int, list[MaskScores]] = {object_id: [] for object_id in range(1, highest + 1)}
        self._late_ids: set[int] = set()
        self._extra_ids: set[int] = set()

    def add(self, index: int, labels: Labels) -> None:
        truth = _under(self._protocol, true_labels(self._video, index))
        if labels.shape != truth.shape:
            raise MaskError(
                f"the predicted mask for frame {self._video.stems[index]} of sequence {self._video.name} is "
                f"{FrameSize(*labels.shape)} pixels, but the true one is {FrameSize(*truth.shape)}; "
                "predict at the frame's own size"
            )
        if self._protocol is Protocol.DAVIS2016:
            labels = _under(self._protocol, labels)
        self._late_ids |= _ids(truth) - self._given_ids
        self._extra_ids |= _ids(labels) - self._scores.keys()
        for object_id, scores in self._scores.items():
            scores.append(score_mask(labels == object_id, truth == object_id))

    def result(self) -> SequenceScore:
        objects = {
            object_id: ObjectQuality(
                frames=tuple(range(1, self._video.num_frames - 1)),
                region=Statistics.of([score.region for score in scores]),
                boundary=Statistics.of([score.boundary for score in scores]),
            )
            for object_id, scores in self._scores.items()
        }
        return SequenceScore(self._video.name, objects, self._notes())

    def _notes(self) -> tuple[str, ...]:
        scored = self._scores.keys()
        gaps = scored - self._given_ids - self._late_ids
        late, unscored = self._late_ids & scored, self._late_ids - scored
        notes = {
            "object ids {} are on no true mask but are scored, as the official program does": gaps,
            "object ids {} come after the first frame and count on every frame, as the official program does": late,
            "object ids {} come after the first frame and are not scored": unscored,
            "predicted ids {} are not among the scored objects and were ignored": self._extra_ids - unscored,
        }
        named = (note.format(", ".join(map(str, sorted(ids)))) for note, ids in notes.items() if ids)
        return tuple(f"{self._video.name}: {note}" for note in named)


def _under(protocol: Protocol, labels: Labels) -> Labels:
    """The ids that count under a protocol, at each pixel of a true mask."""
    if protocol is Protocol.DAVIS2016:
        return (labels > 0).astype(np.uint16)
    return np.where(labels == VOID, np.uint16(0), labels)


def _ids(labels: Labels) -> set[int]:
    counts = np.bincount(labels.ravel())
    return set(np.flatnonzero(counts).tolist()) - {0}
