"""The score of a method on a whole data set, its sequences shared out among processes."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path

import cv2

from devos.data.catalog import Labels, VideoInfo
from devos.evaluation.cache import Digests, Question, ScoreCache
from devos.evaluation.measures.label_files import read_label_file
from devos.evaluation.predictors import Predictor, SavedMasks
from devos.evaluation.rules.meta import Meta
from devos.evaluation.rules.protocols import Protocol, rules_of
from devos.evaluation.rules.quality import Means, ObjectQuality, SequenceScore
from devos.evaluation.scoring import NO_META, SequenceScorer, score_sequence

__all__ = ["Means", "Scores", "evaluate"]

_FRAMES_WORTH_SHARING = 200
"""To share out fewer frames than this takes longer than to score them."""
_MASKS_WORTH_PROCESSES = 4000
"""Fewer frames of saved masks than this are shared among threads: they are done before processes have started."""


@dataclass(frozen=True)
class Scores:
    """How well a method did on a data set."""

    protocol: Protocol
    sequences: tuple[SequenceScore, ...]
    """In the order in which they were given."""

    @property
    def objects(self) -> list[ObjectQuality]:
        """Every object of every sequence."""
        return [quality for score in self.sequences for quality in score.objects.values()]

    @property
    def means(self) -> Means:
        """The headline, as the protocol has it; by most, a sequence of five objects weighs five times one of one."""
        return rules_of(self.protocol).means(self.objects)

    @property
    def extras(self) -> dict[str, float]:
        """The protocol's further figures over all objects, by their names: G, J seen, J&F_dot, V, ..."""
        return rules_of(self.protocol).extras(self.objects)

    @property
    def measures(self) -> tuple[str, ...]:
        """The names of what is measured: those of an object's `region`, of its `boundary`, and of its `others`."""
        return rules_of(self.protocol).measures


OnSequence = Callable[[SequenceScore], None]
OnFrame = Callable[[str, int], None]
"""Told the name of a sequence and how many more of its frames are done."""


def evaluate(
    videos: Sequence[VideoInfo],
    predictor: Predictor,
    protocol: Protocol,
    *,
    meta: Meta = NO_META,
    workers: int | None = None,
    cache: ScoreCache | None = None,
    on_sequence: OnSequence = lambda score: None,
    on_frame: OnFrame = lambda name, count: None,
) -> Scores:
    """Predict and score every video.

    `workers` processes share the videos, by default one for each CPU core; 1 stays in this process, as a predictor must
    that cannot be pickled. The processes are spawned: call this from under `if __name__ == "__main__"`. A few saved
    masks are shared among threads instead. `on_sequence` is called from the caller's thread as each video is done, in
    any order; `on_frame` as its frames are, one by one where one worker does them, else all at once. `cache` keeps the
    scores of saved masks, of nothing else.
    """
    workers = min(workers or os.cpu_count() or 1, len(videos))
    if workers < 1:
        raise ValueError("expected at least one video and one worker")
    job = _Job(predictor, protocol, meta, cache)
    if workers == 1 or sum(video.num_frames for video in videos) < _FRAMES_WORTH_SHARING:
        scores = {}
        for video in videos:
            scores[video.name] = job.score(video, on_frame)
            on_sequence(scores[video.name])
    else:
        scores = _evaluate_shared(videos, job, workers, on_sequence, on_frame)
    return Scores(protocol, tuple(scores[video.name] for video in videos))


@dataclass(frozen=True)
class _Job:
    """What is to be done with each video; it can be sent to another process."""

    predictor: Predictor
    protocol: Protocol
    meta: Meta
    cache: ScoreCache | None

    def pool(self, workers: int, num_frames: int) -> Executor:
        """What shares the videos: processes, or for a few saved masks threads, which start at once."""
        if isinstance(self.predictor, SavedMasks) and num_frames < _MASKS_WORTH_PROCESSES:
            return ThreadPoolExecutor(workers)
        spawn = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(workers, mp_context=spawn, initializer=cv2.setNumThreads, initargs=(1,))

    def score(self, video: VideoInfo, on_frame: OnFrame) -> SequenceScore:
        """Score one video."""
        if isinstance(self.predictor, SavedMasks):
            return self._score_saved(video, self.predictor, on_frame)
        predicted = _counted(self.predictor(video), lambda: on_frame(video.name, 1))
        return score_sequence(video, predicted, self.protocol, self.meta)

    def _score_saved(self, video: VideoInfo, saved: SavedMasks, on_frame: OnFrame) -> SequenceScore:
        """Read just the masks that are scored; not even measure them if the cache knows their score."""
        read = Digests()
        scorer = SequenceScorer(video, self.protocol, self.meta, read_label_file if self.cache is None else read.read)
        files = saved.files(video, scorer.frames)
        question = Question(video, self.protocol, self.meta, scorer.truth_files, files)
        if self.cache is not None and (known := self.cache.find(question.key(_digests_of(question)))):
            on_frame(video.name, video.num_frames)
            return _with_remarks(known, saved.remarks(video))
        on_frame(video.name, video.num_frames - len(files))
        for index, path in zip(scorer.frames, files, strict=True):
            scorer.add(index, read_label_file(path) if self.cache is None else read.read(path))
            on_frame(video.name, 1)
        score = scorer.result()
        if self.cache is not None and read.steady:
            # By what was read while scoring: a file may have changed since the cache was asked.
            self.cache.keep(question.key(read.of), score)
        return _with_remarks(score, saved.remarks(video))


def _with_remarks(score: SequenceScore, remarks: tuple[str, ...]) -> SequenceScore:
    return replace(score, notes=(*score.notes, *remarks))


def _digests_of(question: Question) -> dict[Path, str]:
    digests = Digests()
    for path in (*question.truth, *question.predicted):
        digests.note(path)
    return digests.of


def _counted(maps: Iterator[Labels], on_each: Callable[[], None]) -> Iterator[Labels]:
    for labels in maps:
        yield labels
        on_each()


def _evaluate_shared(
    videos: Sequence[VideoInfo], job: _Job, workers: int, on_sequence: OnSequence, on_frame: OnFrame
) -> dict[str, SequenceScore]:
    scores = {}
    frames = {video.name: video.num_frames for video in videos}
    with job.pool(workers, sum(frames.values())) as pool:
        # The longest first, so that none is left to run alone at the end.
        ordered = sorted(videos, key=lambda video: -video.num_frames)
        futures = [pool.submit(_score_quietly, job, video) for video in ordered]
        try:
            for future in as_completed(futures):
                score = future.result()
                scores[score.name] = score
                on_frame(score.name, frames[score.name])
                on_sequence(score)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return scores


def _score_quietly(job: _Job, video: VideoInfo) -> SequenceScore:
    return job.score(video, lambda name, count: None)
