from __future__ import annotations

from dataclasses import replace

import pytest
import torch

import devos.experiments.crowds as crowds
from devos.data.index import TrainingVideo
from devos.data.photo_sets import list_photos
from devos.data.sources import Place, Videos, open_source
from devos.experiments.crowds import VARIANTS, Places, crowd_tests, make_crowds, run_variant, write_crowds
from devos.experiments.results import Budget, find_result
from devos.model.checkpoint import read_weights
from devos.model.devos import DeVOS


@pytest.fixture
def small(monkeypatch) -> None:
    """Few, small and short videos."""
    monkeypatch.setattr(crowds, "NUM_TRAIN", 3)
    monkeypatch.setattr(crowds, "NUM_TEST", 1)
    monkeypatch.setattr(crowds, "KEPT_BACK", 2)
    monkeypatch.setattr(crowds, "SIZE", 64)
    monkeypatch.setattr(crowds, "LENGTH", 4)


def contents(root):
    return {path.relative_to(root): path.read_bytes() for path in root.rglob("*.*") if path.is_file()}


def test_crowds_are_videos_in_which_nothing_is_wrong_and_the_same_every_time(small, photo_root, tmp_path):
    train, test = make_crowds(photo_root, tmp_path / "one")
    source, findings = open_source("crowds", [Place("davis-like", train)])
    assert isinstance(source, Videos) and len(source.items) == 3
    assert all(video.object_ids and video.info.num_frames == 4 for video in source.items)
    assert not any(line.strip().startswith("left out") for one in findings for line in one.lines())
    again, _ = make_crowds(photo_root, tmp_path / "two")
    assert contents(train) == contents(again) != contents(test)


def test_crowds_that_are_there_are_kept_and_unfinished_ones_made_anew(small, photo_root, tmp_path):
    photos = list_photos("own", photo_root).photos
    unfinished = tmp_path / "crowds.partial" / "JPEGImages" / "crowd-000"
    unfinished.mkdir(parents=True)
    write_crowds(photos, tmp_path / "crowds", 2, seed=0)
    assert not (tmp_path / "crowds.partial").exists()
    before = contents(tmp_path / "crowds")
    write_crowds(photos, tmp_path / "crowds", 5, seed=1)
    assert contents(tmp_path / "crowds") == before


@pytest.mark.parametrize(("name", "share"), [("crowds", 1 / 2), ("crowds-sampled", 3 / 4)])
def test_only_importance_sampling_takes_a_crowd_of_three_thrice_as_often(name, share, monkeypatch):
    videos = tuple(TrainingVideo.__new__(TrainingVideo) for _ in range(2))
    for video, count in zip(videos, (1, 3), strict=True):
        video.__dict__["object_ids"] = tuple(range(1, count + 1))
    (part,) = [part for part in VARIANTS[name].mix.parts if part.source == "crowds"]
    weights = part.odds.weights(videos)
    assert weights[1] / weights.sum() == pytest.approx(share)


def test_variants_differ_in_their_mix_alone_and_only_videos_are_merged():
    alone, alike, sampled = (VARIANTS[name].mix.parts for name in ("videos", "crowds", "crowds-sampled"))
    assert alike[:1] == sampled[:1] == alone and alone[0].merge.probability == 0.4
    assert replace(alike[1], odds=sampled[1].odds) == sampled[1] and alike[1].merge.probability == 0
    assert alike[1].odds != sampled[1].odds


def test_a_run_is_trained_and_scored_on_videos_and_on_crowds(
    small, photo_root, video_root, tiny, tmp_path, monkeypatch
):
    def starting(config, init, resumes=False):
        torch.manual_seed(config.clips.seed)
        return DeVOS(config.model).train()

    ablation = crowds.ablation
    monkeypatch.setattr("devos.training.run.starting_network", starting)
    monkeypatch.setattr(crowds, "ablation", lambda *a, **k: replace(ablation(*a, **k), model=tiny))
    train, test = make_crowds(photo_root, tmp_path / "runs")
    budget = Budget(num_steps=2, train_size=64, size=64)
    home = tmp_path / "runs" / "crowds-sampled" / "seed0"
    result = run_variant("crowds-sampled", 0, budget, tmp_path / "runs", places=Places(video_root, train),
                         tests=crowd_tests(test), workers=0)  # fmt: skip
    assert result.scores["crowds"].keys() == {"jf", "j", "f"} and result.loss is not None
    assert read_weights(home / "devos-tiny.safetensors").info["step"] == 2
    assert find_result(tmp_path / "runs", "crowds-sampled", 0, budget) == result
