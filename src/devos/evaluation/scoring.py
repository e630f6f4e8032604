"""The score of one sequence: its predicted label maps against its true ones, frame by frame.

Frames come in order and are let go again, so that a long video needs no more memory than a short one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from devos.data.catalog import Labels, VideoInfo, read_labels
from devos.errors import MaskError
from devos.evaluation.measures.label_files import LabelMap, read_label_file
from devos.evaluation.measures.metrics import Statistics, window_of
from devos.evaluation.rules.collecting import Collector, EveryPair, FramePair, SameIds
from devos.evaluation.rules.meta import Meta
from devos.evaluation.rules.protocols import VOID, Protocol, Rules, Values, Void, rules_of
from devos.evaluation.rules.quality import ObjectQuality, SequenceScore
from devos.evaluation.rules.remarks import remarks
from devos.evaluation.rules.sightings import Ids, Sightings, numbers_of_first_mask
from devos.frames import FrameSize

__all__ = [
    "VOID",
    "ObjectQuality",
    "Protocol",
    "SequenceScore",
    "SequenceScorer",
    "choose_protocol",
    "first_labels",
    "given_labels",
    "score_sequence",
    "true_labels",
]

NO_META = Meta()


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
    return read_labels(_true_file(video, index))


def first_labels(video: VideoInfo, protocol: Protocol) -> Labels:
    """The mask that a method is given at first, with the ids that count: that of the first frame."""
    return _counted(rules_of(protocol), true_labels(video, 0))


def given_labels(video: VideoInfo, protocol: Protocol) -> dict[int, Labels]:
    """Every mask that a method is given, by frame index: objects that no earlier true mask has, and nothing else.

    That is the first mask alone, but for benchmarks whose objects may come later, as those of YouTube-VOS and LVOS.
    """
    rules = rules_of(protocol)
    given = {0: first_labels(video, protocol)} if video.masks[0] is not None or not rules.sparse else {}
    known = set(np.unique(given[0]).tolist()) if given else {0}
    for index in range(1, video.num_frames) if rules.shows_late else ():
        if video.masks[index] is None:
            continue
        labels = _counted(rules, true_labels(video, index))
        new = set(np.unique(labels).tolist()) - known
        if new:
            given[index] = np.where(np.isin(labels, sorted(new)), labels, 0).astype(np.uint16)
            known |= new
    return given


def score_sequence(
    video: VideoInfo, predicted: Iterable[LabelMap], protocol: Protocol, meta: Meta = NO_META
) -> SequenceScore:
    """Score predicted label maps, one for each frame in order, against the sequence's true ones.

    Which of them count is up to the protocol; all of `predicted` is drawn on. MaskError for what cannot be scored.
    """
    scorer = SequenceScorer(video, protocol, meta)
    wanted = set(scorer.frames)
    count = 0
    for index, labels in enumerate(predicted):
        if index in wanted:
            scorer.add(index, labels)
        count += 1
    if count != video.num_frames:
        raise ValueError(f"expected {video.num_frames} predicted label maps for {video.name}, got {count}")
    return scorer.result()


class SequenceScorer:
    """Measures one sequence; give it the label maps of `frames` in order, then ask for the result.

    `read` gives the content of a true mask's file.
    """

    def __init__(
        self,
        video: VideoInfo,
        protocol: Protocol,
        meta: Meta = NO_META,
        read: Callable[[Path], LabelMap] = read_label_file,
    ) -> None:
        self._video = video
        self._protocol = protocol
        self._meta = meta
        self._read = read
        self._rules = rules_of(protocol)
        with_truth = _frames_with_truth(video, self._rules)
        self._first = with_truth[0]
        self.frames: tuple[int, ...] = tuple(self._rules.frames(with_truth))
        """The frames that may be scored, rising: those whose predicted label maps are needed."""
        if not self.frames:
            raise MaskError(
                f"sequence {video.name} has {len(with_truth)} frames with a true mask; none is left to score, as "
                f"{self._rules.why_not}; give one with more frames"
            )
        self._collector = self._create_collector()
        self._truth: dict[int, Ids] = {self._first: self._true_ids(self._fold(read(_true_file(video, self._first))))}
        self._predicted: dict[int, Ids] = {}
        self._refuse_without_objects()

    @property
    def truth_files(self) -> tuple[Path, ...]:
        """The true masks that are read, in the order of the frames."""
        return tuple(_true_file(self._video, index) for index in sorted({self._first, *self.frames}))

    def add(self, index: int, labels: LabelMap) -> None:
        """Measure the predicted label map of one of `frames`; MaskError if it has not the size of the true one."""
        truth = self._read(_true_file(self._video, index))
        if labels.shape != truth.shape:
            raise MaskError(
                f"the predicted mask for frame {self._video.stems[index]} of sequence {self._video.name} is "
                f"{FrameSize(*labels.shape)} pixels, but the true one is {FrameSize(*truth.shape)}; "
                "predict at the frame's own size"
            )
        # What is outside of all objects is the same in both; to leave it out at once saves most of the work.
        window = window_of(*(each if each.dtype == np.uint8 else each != 0 for each in (labels, truth)))
        pair = self._pair(index, labels[window], truth[window], FrameSize(*truth.shape))
        self._truth[index], self._predicted[index] = pair.true_ids, pair.predicted_ids
        self._collector.add(pair)

    def result(self) -> SequenceScore:
        """The score, once every one of `frames` was measured."""
        video, rules = self._video, self._rules
        seen = Sightings(video.name, video.stems, self._first, self.frames, self._truth, self._predicted)
        frames_of = rules.objects(seen, self._meta)
        scored = {object_id: frames for object_id, frames in frames_of.items() if frames}
        if not scored:
            raise MaskError(
                f"sequence {video.name} has no object that is scored under {self._protocol}; check that its true masks "
                "have object ids, and that they are of this benchmark"
            )
        matches = self._collector.match(scored, self.frames, video.name)
        objects = {object_id: self._quality(object_id, frames) for object_id, frames in scored.items()}
        return SequenceScore(
            video.name, objects, remarks(seen, frames_of, matching=rules.matching), self._skipped(), matches
        )

    def _pair(self, index: int, labels: LabelMap, truth: LabelMap, size: FrameSize) -> FramePair:
        labels, truth = self._fold(np.ascontiguousarray(labels)), self._fold(np.ascontiguousarray(truth))
        if self._rules.void is Void.IGNORED:
            labels = np.where(truth == VOID, labels.dtype.type(0), labels)
        return FramePair(index, size, labels, truth, _ids(labels), self._true_ids(truth))

    def _quality(self, object_id: int, frames: tuple[int, ...]) -> ObjectQuality:
        values: list[Values] = [self._collector.values(object_id, frame) for frame in frames]
        region, boundary, *others = (Statistics.of(column) for column in zip(*values, strict=True))
        present = [object_id in self._truth[frame] for frame in frames]
        return ObjectQuality(
            frames=frames,
            region=region,
            boundary=boundary,
            others=dict(zip(self._rules.measures[2:], others, strict=True)),
            extras=self._rules.summary(values, frames, present),
            seen=self._meta.seen(self._video.name, object_id),
        )

    def _skipped(self) -> dict[str, tuple[int, ...]]:
        without = tuple(index for index, path in enumerate(self._video.masks) if path is None)
        measured = set(self.frames) | set(without)
        rest = tuple(index for index in range(self._video.num_frames) if index not in measured)
        reasons = {self._rules.why_not: rest, "frames without a true mask are not scored": without}
        return {reason: frames for reason, frames in reasons.items() if frames}

    def _refuse_without_objects(self) -> None:
        if self._rules.objects is numbers_of_first_mask and not self._truth[self._first]:
            raise MaskError(
                f"the first true mask of sequence {self._video.name} has no object under {self._protocol} (255 is none "
                "there); give a first mask with ids from 1, or use --protocol davis2016 for masks of 0 and 255"
            )

    def _create_collector(self) -> Collector:
        rules = self._rules
        return EveryPair() if rules.matching else SameIds(rules.measure, len(rules.measures))

    def _fold(self, labels: LabelMap) -> LabelMap:
        return (labels != 0).view(np.uint8) if self._rules.fold else labels

    def _true_ids(self, labels: LabelMap) -> Ids:
        ids = _ids(labels)
        listed = VOID in self._meta.objects(self._video.name)
        return ids if self._rules.void is Void.OBJECT or listed else ids - {VOID}


def _frames_with_truth(video: VideoInfo, rules: Rules) -> list[int]:
    """The frames with a true mask; MaskError if one has none where the benchmark needs all, or if there is no frame."""
    frames = [index for index, path in enumerate(video.masks) if path is not None]
    if not rules.sparse and len(frames) < video.num_frames:
        missing = next(index for index, path in enumerate(video.masks) if path is None)
        raise _no_mask(video, missing)
    if not frames:
        raise MaskError(f"sequence {video.name} has no true mask at all; nothing can be scored")
    return frames


def _true_file(video: VideoInfo, index: int) -> Path:
    path = video.masks[index]
    if path is None:
        raise _no_mask(video, index)
    return path


def _no_mask(video: VideoInfo, index: int) -> MaskError:
    return MaskError(
        f"frame {video.stems[index]} of sequence {video.name} has no true mask; "
        "a sequence can be scored only with one for every frame"
    )


def _counted(rules: Rules, labels: Labels) -> Labels:
    """The ids that count under a benchmark's rules, at each pixel of a true mask."""
    if rules.fold:
        return (labels > 0).astype(np.uint16)
    return labels if rules.void is Void.OBJECT else np.where(labels == VOID, np.uint16(0), labels)


def _ids(labels: LabelMap) -> Ids:
    """Every value but 0. Each is the last of a run of equal pixels, and runs are few: far faster than counting all."""
    flat = labels.ravel()
    highest = int(flat.max())
    if highest <= 1:
        return frozenset({highest} - {0})
    ends = np.flatnonzero(flat[1:] != flat[:-1])
    return frozenset([*np.unique(flat[ends]).tolist(), int(flat[-1])]) - {0}
