"""The score of a method on a whole data set, its sequences shared out among processes."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass

import cv2

from devos.data.catalog import VideoInfo
from devos.evaluation.predictors import Predictor
from devos.evaluation.scoring import ObjectQuality, Protocol, SequenceScore, score_sequence

_FRAMES_WORTH_A_POOL = 200
"""Starting processes takes longer than scoring fewer frames than this."""


@dataclass(frozen=True)
class Means:
    """J, F and their mean, each a mean over objects that all weigh the same; in [0, 1]."""

    jf: float
    j: float
    f: float

    @classmethod
    def of(cls, objects: Iterable[ObjectQuality]) -> Means:
        """The means over these objects, of which there is at least one."""
        pairs = [(quality.region.mean, quality.boundary.mean) for quality in objects]
        j, f = (sum(values) / len(values) for values in zip(*pairs, strict=True))
        return cls(jf=(j + f) / 2, j=j, f=f)


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
        """The headline: a sequence of five objects weighs five times one of a single object."""
        return Means.of(self.objects)


def evaluate(
    videos: Sequence[VideoInfo],
    predictor: Predictor,
    protocol: Protocol,
    *,
    workers: int | None = None,
    on_sequence: Callable[[SequenceScore], None] = lambda score: None,
) -> Scores:
    """Predict and score every video.

    `workers` processes share the videos, by default one for each CPU core; 1 stays in this process, as a predictor must
    that cannot be pickled. The processes are spawned: call this from under `if __name__ == "__main__"`. `on_sequence`
    is called in this process as each video is done, in any order.
    """
    workers = min(workers or os.cpu_count() or 1, len(videos))
    if workers < 1:
        raise ValueError("expected at least one video and one worker")
    if workers == 1 or sum(video.num_frames for video in videos) < _FRAMES_WORTH_A_POOL:
        scores = {}
        for video in videos:
            scores[video.name] = score_sequence(video, predictor(video), protocol)
            on_sequence(scores[video.name])
    else:
        scores = _evaluate_in_pool(videos, predictor, protocol, workers, on_sequence)
    return Scores(protocol, tuple(scores[video.name] for video in videos))


def _evaluate_in_pool(
    videos: Sequence[VideoInfo],
    predictor: Predictor,
    protocol: Protocol,
    workers: int,
    on_sequence: Callable[[SequenceScore], None],
) -> dict[str, SequenceScore]:
    scores = {}
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=spawn, initializer=cv2.setNumThreads, initargs=(1,)) as pool:
        # The longest first, so that none is left to run alone at the end.
        ordered = sorted(videos, key=lambda video: -video.num_frames)
        futures = [pool.submit(_predict_and_score, video, predictor, protocol) for video in ordered]
        try:
            for future in as_completed(futures):
                score = future.result()
                scores[score.name] = score
                on_sequence(score)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return scores


def _predict_and_score(video: VideoInfo, predictor: Predictor, protocol: Protocol) -> SequenceScore:
    return score_sequence(video, predictor(video), protocol)
