from __future__ import annotations

import pytest

from devos.data.catalog import find_masks
from devos.errors import MaskError
from devos.evaluation import benchmark
from devos.evaluation.benchmark import evaluate
from devos.evaluation.predictors import CopyFirst, SavedMasks
from devos.evaluation.scoring import Protocol


@pytest.fixture
def eager_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes are started however little there is to do."""
    monkeypatch.setattr(benchmark, "_FRAMES_WORTH_A_POOL", 0)


def test_several_processes_give_the_same_scores_in_the_same_order_as_one(golden_masks, eager_pool):
    folder = golden_masks / "c01_blobs"
    videos = find_masks(folder / "gt")
    seen: list[str] = []
    shared = evaluate(
        videos,
        SavedMasks(folder / "pred"),
        Protocol.DAVIS2017,
        workers=2,
        on_sequence=lambda score: seen.append(score.name),
    )
    assert shared == evaluate(videos, SavedMasks(folder / "pred"), Protocol.DAVIS2017, workers=1)
    assert sorted(seen) == ["alpha", "beta"]


def test_an_error_in_another_process_arrives_as_it_was(golden_masks, tmp_path, eager_pool):
    with pytest.raises(MaskError, match="is missing; expected the masks of sequence"):
        evaluate(find_masks(golden_masks / "c01_blobs" / "gt"), SavedMasks(tmp_path), Protocol.DAVIS2017, workers=2)


def test_every_object_weighs_the_same_whatever_its_sequence(golden_masks):
    videos = find_masks(golden_masks / "c01_blobs" / "gt")
    scores = evaluate(videos, CopyFirst(Protocol.DAVIS2017), Protocol.DAVIS2017, workers=1)
    regions = [quality.region.mean for score in scores.sequences for quality in score.objects.values()]
    assert len(regions) == 5
    assert scores.means.j == pytest.approx(sum(regions) / 5)


def test_no_videos_are_our_own_mistake():
    with pytest.raises(ValueError, match="at least one video"):
        evaluate([], CopyFirst(Protocol.DAVIS2017), Protocol.DAVIS2017)
