from __future__ import annotations

import csv

import pytest
import torch

import devos.training.recipes.paper as paper
from devos.data.catalog import find_videos
from devos.data.index import TrainingVideo
from devos.data.sources import Videos
from devos.experiments.mose import VARIANTS, Means, phases_of, run_variant
from devos.experiments.results import Budget
from devos.model.checkpoint import save_weights
from devos.model.config import PRESETS
from devos.model.devos import DeVOS
from devos.training.recipes.main_1 import main_1, main_1_mose
from devos.training.recipes.main_2 import main_2_mose

FULL = Budget(num_steps=150_000, train_size=448)


def test_with_the_papers_budget_the_runs_are_the_papers_recipes():
    without, _ = phases_of("without-mose", 0, FULL)
    assert without.config == main_1(seed=0)
    first, second = phases_of("with-mose-sampled", 0, FULL)
    assert (first.config, second.config) == (main_1_mose(seed=0), main_2_mose(seed=1))


@pytest.mark.parametrize(("name", "expected"), [("with-mose", [0.5, 0.5]), ("with-mose-sampled", [0.25, 0.75])])
def test_only_importance_sampling_takes_a_video_with_three_objects_thrice_as_often(name, expected):
    videos = tuple(TrainingVideo.__new__(TrainingVideo) for _ in range(2))
    for video, count in zip(videos, (1, 3), strict=True):
        video.__dict__["object_ids"] = tuple(range(1, count + 1))
    (mose,) = [part for part in VARIANTS[name].mix.parts if part.source == "mose"]
    weights = mose.odds.weights(videos)
    assert list(weights / weights.sum()) == pytest.approx(expected)


def test_no_two_runs_share_a_seed():
    seeds = [phase.config.clips.seed for seed in range(3) for phase in phases_of("with-mose", seed, FULL)]
    assert len(set(seeds)) == 6


def test_a_run_trains_both_phases_from_the_given_weights_and_is_scored(video_root, tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(paper, "BATCH_SIZE", 1)
    monkeypatch.setitem(PRESETS, "devos-tiny", lambda: tiny)
    torch.manual_seed(0)
    save_weights(DeVOS(tiny), tmp_path / "pretrained.safetensors", {})
    clips = find_videos(video_root)
    videos = Videos(tuple(TrainingVideo(video) for video in clips))
    budget = Budget(num_steps=3, train_size=64, size=64, model="devos-tiny")
    sources = {"davis": videos, "youtube-vos": videos, "mose": videos}

    def run():
        return run_variant("with-mose", 0, budget, tmp_path / "runs", init=tmp_path / "pretrained.safetensors",
                           sources=sources, tests={"val": clips[:1]}, means=Means(workers=0))  # fmt: skip

    result = run()
    assert result.scores["val"].keys() == {"jf", "j", "f"}
    home = tmp_path / "runs" / "with-mose" / "seed0"
    steps = {}
    for phase in ("main-1", "main-2"):
        with (home / phase / "log.csv").open() as file:
            steps[phase] = [int(row["step"]) for row in csv.DictReader(file)][-1]
    assert steps == {"main-1": 1, "main-2": 2}
    assert run() == result  # what is done is not done again
