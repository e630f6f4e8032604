"""One evaluation from its description to its figures; the description alone is enough to do it again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from devos.data.catalog import VideoInfo, find_masks, find_videos
from devos.engine.sizes import AUTO
from devos.errors import InputError, OptionError
from devos.evaluation.benchmark import Scores, evaluate
from devos.evaluation.cache import ScoreCache
from devos.evaluation.measures.stability import StabilityScore, temporal_stability
from devos.evaluation.measures.swaps import SwapScore, sequence_swaps
from devos.evaluation.predictors import CopyFirst, FlowWarp, ModelPredictor, Predictor, SavedMasks, saving
from devos.evaluation.reports.outputs import write_outputs
from devos.evaluation.rules.meta import Meta, categories, read_meta, read_names
from devos.evaluation.rules.protocols import Protocol, rules_of
from devos.evaluation.scoring import choose_protocol
from devos.io.files import MASKS_FOLDER, RUN_FILE
from devos.pipeline.versions import versions

if TYPE_CHECKING:
    from devos.engine.segmenter import Segmenter

META_FILES = ("meta.json", "valid_meta.json")
UNSEEN_FILE = "unseen_videos.txt"
FORMAT = 1
"""Of run.json. Raise it when its entries change their meaning."""


class Method(StrEnum):
    """What is scored."""

    MODEL = "model"
    """A network, run from the masks that the benchmark gives."""
    RESULTS = "results"
    """Masks that some program wrote."""
    BASELINE = "baseline"
    """A method without learning."""


class Baseline(StrEnum):
    """Methods without learning: what must be beaten."""

    COPY_FIRST = "copy-first"
    FLOW_WARP = "flow-warp"


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is evaluated, on what, and how: all that the figures depend on. Paths are absolute."""

    method: Method
    name: str
    """The model's name or file, the baseline's name, or the folder of masks."""
    root: str
    """Folder in DAVIS's layout, or of true masks alone."""
    masks_only: bool = False
    """Whether `root` is a folder of true masks, without pictures."""
    protocol: Protocol | None = None
    """None: chosen by what the first masks hold."""
    split: str | None = None
    resolution: str | None = None
    year: str | None = None
    meta: str | None = None
    """The benchmark's meta.json."""
    unseen: str | None = None
    """A list of the sequences whose classes are unseen, or the training set's meta.json, which names the seen ones."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Of a model, as `devos.load` takes them."""

    def videos(self) -> tuple[VideoInfo, ...]:
        """What is scored on, in order."""
        if self.masks_only:
            return find_masks(Path(self.root))
        return find_videos(Path(self.root), split=self.split, resolution=self.resolution, year=self.year)


@dataclass(frozen=True)
class Outcome:
    """What came of a job."""

    scores: Scores
    run: dict[str, Any]
    """What run.json says."""


@dataclass(frozen=True)
class Watch:
    """Who is told what, while a job runs."""

    begin: Callable[[Mapping[str, int]], None] = lambda frames: None
    """The sequences and how many frames each has."""
    frame: Callable[[str, int], None] = lambda name, count: None
    """A sequence and how many more of its frames are done."""


def run_job(
    job: Job,
    *,
    out: Path | None = None,
    save: Path | None = None,
    stability: bool = False,
    workers: int | None = None,
    cache: ScoreCache | None = None,
    watch: Watch | None = None,
) -> Outcome:
    """Evaluate. `out`: a folder for figures, tables, the page and run.json, and for the masks of a model or baseline;
    `save`: a folder for those masks elsewhere. `stability` is measured too if asked for; identity swaps are where there
    are several objects and the masks are kept. Other arguments as `evaluate` takes them.
    """
    videos = job.videos()
    protocol = job.protocol or choose_protocol(videos)
    meta = _meta(job)
    segmenter = _segmenter(job)
    predictor = _predictor(job, protocol, segmenter)
    kept = save or (out / MASKS_FOLDER if out is not None else None)
    saved = Path(job.name) if job.method is Method.RESULTS else kept
    if kept is not None and job.method is not Method.RESULTS:
        predictor = saving(predictor, kept)
    watch = watch or Watch()
    watch.begin({video.name: video.num_frames for video in videos})
    if segmenter is not None:
        workers = 1  # the network stays in this process, with its device
    scores = evaluate(videos, predictor, protocol, meta=meta, workers=workers, cache=cache, on_frame=watch.frame)
    run = _record(job, protocol, segmenter, videos, scores)
    if out is not None:
        steady = _stability(videos, saved, scores) if stability and saved is not None else None
        swaps = _swaps(videos, saved, scores) if saved is not None else None
        write_outputs(out, scores, videos, saved, run, stability=steady, swaps=swaps or None)
    return Outcome(scores, run)


def read_job(path: Path) -> tuple[Job, dict[str, Any]]:
    """The job that a run.json describes, and all that it says; InputError if it is none of an evaluation."""
    path = path / RUN_FILE if path.is_dir() else path
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
        fields = dict(run["job"])
        if run["format"] != FORMAT:
            raise InputError(
                f"{path} has format {str(run['format'])[:40]}, this devos reads {FORMAT}; use the devos that wrote it"
            )
        fields["method"] = Method(fields["method"])
        fields["protocol"] = None if fields["protocol"] is None else Protocol(fields["protocol"])
        return Job(**fields), run
    except (OSError, ValueError, RecursionError, KeyError, TypeError) as error:
        raise InputError(
            f"{path} is no description of an evaluation ({str(error)[:80]}); give the run.json that "
            "`devos evaluate --out` wrote"
        ) from error


@dataclass(frozen=True)
class Comparison:
    """How an evaluation that was done again compares with what it gave at first."""

    changes: tuple[str, ...]
    """What is not as it was, a sentence each: data, weights, versions."""
    largest: float
    """The largest difference of a mean of J or F of an object, in [0, 1]; inf if the objects are not the same."""


def compare(before: Mapping[str, Any], after: Outcome) -> Comparison:
    """Hold what a job gives now against what its run.json says that it gave."""
    now = after.run
    changes = [
        f"{what} differ: {before.get(key)} then, {now.get(key)} now"
        for key, what in (("data", "the data"), ("weights", "the weights"), ("versions", "the versions"))
        if before.get(key) != now.get(key)
    ]
    old, new = before["objects"], now["objects"]
    if old.keys() != new.keys():
        return Comparison(tuple(changes), float("inf"))
    differences = (abs(a - b) for key in old for a, b in zip(old[key], new[key], strict=True))
    return Comparison(tuple(changes), max(differences, default=0.0))


def _segmenter(job: Job) -> Segmenter | None:
    if job.method is not Method.MODEL:
        return None
    from devos.engine.segmenter import load

    settings = {name: value for name, value in job.settings.items() if not (name == "size" and value == AUTO)}
    return load(job.name, **settings)


def _predictor(job: Job, protocol: Protocol, segmenter: Segmenter | None) -> Predictor:
    if segmenter is not None:
        if rules_of(protocol).matching:
            raise OptionError(f"a model is given masks, and {protocol} scores methods that are given none; "
                              "score saved masks, or choose another protocol")  # fmt: skip
        return ModelPredictor(segmenter, protocol, auto_size=job.settings.get("size") == AUTO)
    if job.method is Method.RESULTS:
        return SavedMasks(Path(job.name))
    return CopyFirst(protocol) if Baseline(job.name) is Baseline.COPY_FIRST else FlowWarp(protocol)


def _meta(job: Job) -> Meta:
    """What the benchmark's own files say, those that were named or that lie in its root."""
    root = Path(job.root)
    path = Path(job.meta) if job.meta else next((root / name for name in META_FILES if (root / name).is_file()), None)
    unseen = Path(job.unseen) if job.unseen else root / UNSEEN_FILE
    if not job.unseen and not unseen.is_file():
        return read_meta(path)
    if unseen.suffix == ".json":
        return read_meta(path, unseen_categories=categories(read_meta(path)) - categories(read_meta(unseen)))
    return read_meta(path, unseen_sequences=read_names(unseen))


def _stability(videos: Sequence[VideoInfo], masks: Path, scores: Scores) -> dict[str, dict[int, StabilityScore]]:
    if not all(video.frames for video in videos):
        raise OptionError("--stability needs the pictures; give a folder with JPEGImages, or leave it out")
    saved = SavedMasks(masks)
    return {
        video.name: temporal_stability(video, saved(video), scores.protocol, matches=score.matches)
        for video, score in zip(videos, scores.sequences, strict=True)
    }


def _swaps(videos: Sequence[VideoInfo], masks: Path, scores: Scores) -> dict[str, SwapScore]:
    """Of the sequences with several objects; of one alone nothing can be swapped."""
    saved = SavedMasks(masks)
    return {
        video.name: sequence_swaps(video, saved(video), scores.protocol, matches=score.matches)
        for video, score in zip(videos, scores.sequences, strict=True)
        if len(score.objects) > 1
    }


def _record(
    job: Job, protocol: Protocol, segmenter: Segmenter | None, videos: Sequence[VideoInfo], scores: Scores
) -> dict[str, Any]:
    chosen = replace(job, protocol=protocol)
    if segmenter is not None:
        settings = asdict(segmenter.settings) | {"device": str(segmenter.device)}
        auto = {"size": AUTO} if job.settings.get("size") == AUTO else {}
        chosen = replace(chosen, settings=settings | auto)
    run: dict[str, Any] = {
        "format": FORMAT,
        "method": Path(job.name).name,
        "protocol": str(protocol),
        "job": asdict(chosen),
        "data": {
            "sequences": len(videos),
            "frames": sum(video.num_frames for video in videos),
            "sha256": digest(videos),
        },
    }
    if segmenter is not None and segmenter.weights is not None:
        run["weights"] = segmenter.weights.sha256
    run["versions"] = versions()
    run["means"] = asdict(scores.means) | scores.extras
    run["objects"] = {
        f"{score.name} {object_id}": [quality.region.mean, quality.boundary.mean]
        for score in scores.sequences
        for object_id, quality in score.objects.items()
    }
    return run


def digest(videos: Sequence[VideoInfo]) -> str:
    """A hash of every picture and true mask, their names and order: the same data, the same text."""
    total = hashlib.sha256()
    for path in _files(videos):
        total.update(f"{path.parent.name}/{path.name}".encode())
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def _files(videos: Sequence[VideoInfo]) -> Iterator[Path]:
    for video in videos:
        yield from video.frames
        yield from (path for path in video.masks if path is not None)
