from __future__ import annotations

from collections import Counter

import pytest

from devos.data.catalog import find_masks
from devos.errors import MaskError
from devos.evaluation import benchmark
from devos.evaluation.benchmark import evaluate
from devos.evaluation.predictors import CopyFirst, SavedMasks
from devos.evaluation.scoring import Protocol


@pytest.fixture
def eager_sharing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Videos are shared however little there is to do."""
    monkeypatch.setattr(benchmark, "_FRAMES_WORTH_SHARING", 0)


@pytest.fixture(params=["threads", "processes"])
def shared_by(request: pytest.FixtureRequest, eager_sharing: None, monkeypatch: pytest.MonkeyPatch) -> str:
    """Who does it."""
    if request.param == "processes":
        monkeypatch.setattr(benchmark, "_MASKS_WORTH_PROCESSES", 0)
    return request.param


def test_several_workers_give_the_same_scores_in_the_same_order_as_one(golden_masks, shared_by):
    folder = golden_masks / "c01_blobs"
    videos = find_masks(folder / "gt")
    seen: list[str] = []
    counted: Counter[str] = Counter()
    shared = evaluate(
        videos,
        SavedMasks(folder / "pred"),
        Protocol.DAVIS2017,
        workers=2,
        on_sequence=lambda score: seen.append(score.name),
        on_frame=lambda name, count: counted.update({name: count}),
    )
    assert shared == evaluate(videos, SavedMasks(folder / "pred"), Protocol.DAVIS2017, workers=1)
    assert sorted(seen) == ["alpha", "beta"]
    assert counted == {"alpha": 10, "beta": 12}


def test_an_error_in_another_worker_arrives_as_it_was(golden_masks, tmp_path, eager_sharing):
    with pytest.raises(MaskError, match="is missing; expected the masks of sequence"):
        evaluate(find_masks(golden_masks / "c01_blobs" / "gt"), SavedMasks(tmp_path), Protocol.DAVIS2017, workers=2)


@pytest.mark.parametrize("saved", [True, False])
def test_one_worker_tells_of_each_frame_as_it_is_done(golden_masks, saved):
    folder = golden_masks / "c01_blobs"
    predictor = SavedMasks(folder / "pred") if saved else CopyFirst(Protocol.DAVIS2017)
    told: list[tuple[str, int]] = []
    videos = find_masks(folder / "gt")
    evaluate(videos, predictor, Protocol.DAVIS2017, workers=1, on_frame=lambda *news: told.append(news))
    assert sum(count for name, count in told if name == "alpha") == 10
    assert [name for name, _ in told] == sorted(name for name, _ in told)
    assert len(told) >= 8 + 10


def test_every_object_weighs_the_same_whatever_its_sequence(golden_masks):
    videos = find_masks(golden_masks / "c01_blobs" / "gt")
    scores = evaluate(videos, CopyFirst(Protocol.DAVIS2017), Protocol.DAVIS2017, workers=1)
    regions = [quality.region.mean for score in scores.sequences for quality in score.objects.values()]
    assert len(regions) == 5
    assert scores.means.j == pytest.approx(sum(regions) / 5)


def test_no_videos_are_our_own_mistake():
    with pytest.raises(ValueError, match="at least one video"):
        evaluate([], CopyFirst(Protocol.DAVIS2017), Protocol.DAVIS2017)
