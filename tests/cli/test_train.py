from __future__ import annotations

import json
import os
import runpy
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from devos.model.checkpoint import read_weights, save_weights
from devos.model.config import PRESETS, ModelConfig
from devos.model.devos import DeVOS


@pytest.fixture
def data(tmp_path: Path, pictures, square, monkeypatch) -> Path:
    """One video in DAVIS's layout, below a folder as `devos train --data` takes it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    root = tmp_path / "data" / "video-train"
    for index, picture in enumerate(pictures(6)):
        for kind, suffix, content in (
            ("JPEGImages", "jpg", picture),
            ("Annotations", "png", np.roll(square, index, 1)),
        ):
            path = root / kind / "480p" / "slide" / f"{index:05d}.{suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(content).save(path)
    return tmp_path / "data"


@pytest.fixture
def weights(tmp_path: Path, monkeypatch) -> Path:
    """Weights of a small network that goes by the name of devos-t: what is tested is the command around it."""
    config = ModelConfig(
        name="devos-t", backbone="efficientnet-lite0", width=16, width_s8=16, width_s4=8, heads=(2, 4, 4),
        points=(3, 3, 4), coarse_points=(2, 2, 0),
    )  # fmt: skip
    monkeypatch.setitem(PRESETS, "devos-t", lambda: config)
    torch.manual_seed(0)
    save_weights(DeVOS(config), tmp_path / "start.safetensors", {})
    return tmp_path / "start.safetensors"


@pytest.fixture
def train(devos, data, weights, tmp_path):
    def run(*options: object, out: str = "run", recipe: str = "short-clips"):
        return devos(
            "train", recipe, "-o", tmp_path / out, "--data", data, "--init", weights, "--model", "devos-t",
            "--size", 64, "--workers", 0, "--device", "cpu", *options,
        )  # fmt: skip

    return run


def test_training_writes_weights_that_can_be_used_and_reports_on_stderr(train, tmp_path):
    from devos.engine.segmenter import load

    result = train("--steps", 2)
    assert result.exit_code == 0, result.output
    summary = json.loads(result.stdout)
    assert summary["steps"] == 2 and load(summary["weights"]).model.config.name == "devos-t"
    assert "step 2/2" in result.stderr and "left 0:00:00" in result.stderr


@pytest.fixture
def ask_to_stop(monkeypatch):
    """Send this process a signal in the middle of its next training step."""
    from devos.training.trainer import Trainer

    def ask(number):
        run_step = Trainer.run_step

        def interrupted(self, batch, **told):
            os.kill(os.getpid(), number)
            return run_step(self, batch, **told)

        monkeypatch.setattr(Trainer, "run_step", interrupted)
        return lambda: monkeypatch.setattr(Trainer, "run_step", run_step)

    return ask


def test_the_same_command_goes_on_from_the_checkpoint_and_ends_as_if_unbroken(train, ask_to_stop):
    def tensors(result):
        return read_weights(Path(json.loads(result.stdout)["weights"])).tensors

    no_more = ask_to_stop(signal.SIGINT)
    stopped = train("--steps", 2, out="broken")
    no_more()
    assert stopped.exit_code == 130
    assert stopped.stderr.splitlines()[-1] == "stopped at step 1; the same command goes on from there"
    resumed, whole = train("--steps", 2, out="broken"), train("--steps", 2)
    assert resumed.exit_code == 0 and "going on from step 1" in resumed.stderr
    assert all(torch.equal(tensor, tensors(whole)[name]) for name, tensor in tensors(resumed).items())


def test_help_names_every_recipe(devos):
    from devos.training.recipes.book import RECIPES

    text = devos("train", "--help").stdout
    assert all(recipe in text for recipe in RECIPES)


def test_debug_runs_all_three_phases_says_how_the_loss_went_and_runs_none_twice(train, tmp_path):
    first = train("--steps", 2, recipe="debug")
    assert first.exit_code == 0, first.output
    summary = json.loads(first.stdout)
    assert summary["weights"] == str(tmp_path / "run" / "devos-t.safetensors") and summary["steps"] == 6
    assert [phase["name"] for phase in summary["phases"]] == ["pretrain", "main-1", "main-2"]
    assert "main-1, phase 2 of 3: devos-t, 2 steps" in first.stderr
    assert "main-2, first steps to last, which are other clips: dice loss" in first.stderr
    for phase in summary["phases"]:
        assert (tmp_path / "run" / phase["name"] / "devos-t.safetensors").is_file()
        assert phase["fell"] == (phase["loss_after"] < phase["loss_before"])
        words = "it fell" if phase["fell"] else "it did not fall"
        assert f"to {phase['loss_after']:.3f}: {words}" in first.stderr
    again = train("--steps", 2, recipe="debug")
    assert again.stdout == first.stdout and "step 1/2" not in again.stderr
    assert "main-2, phase 3 of 3: devos-t, 2 steps, done: " in again.stderr


def test_fine_tuning_starts_from_the_weights_that_come_with_devos(devos, data, tmp_path, monkeypatch):
    import devos.training.run as running

    seen = []
    prepare = running.prepare
    monkeypatch.setattr(running, "prepare", lambda *a, **k: seen.append(k["init"]) or prepare(*a, **k))
    result = devos("train", "finetune", "--videos", data / "video-train", "-o", tmp_path / "run", "--steps", 1,
                   "--size", 64, "--workers", 0, "--device", "cpu")  # fmt: skip
    assert result.exit_code == 0, result.output
    assert [path.name for path in seen] == ["devos-t.safetensors"]
    assert "videos: 1 of 1 sequences are used" in result.stderr


def test_data_sets_are_named_by_source_layout_and_place(devos, data, weights, tmp_path):
    result = devos("train", "main-2", "-o", tmp_path / "run", "--init", weights, "--model", "devos-t", "--steps", 1,
                   "--size", 64,
                   "--source", f"davis=davis-like:{data / 'video-train'}", "--workers", 0, "--device", "cpu",
                   "--source", f"youtube-vos=davis-like:{data / 'video-train'}")  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "davis: 1 of 1 sequences are used" in result.stderr
    assert "youtube-vos: 1 of 1 sequences are used" in result.stderr


def test_a_checkpoint_of_other_settings_is_refused_with_both_values(train):
    assert train("--steps", 1).exit_code == 0
    result = train("--steps", 2)
    assert result.exit_code == 2 and result.stderr.splitlines()[-1].startswith(
        "error: the checkpoint is of another run: clips.num_batches is 1 there and 2 here. Resume"
    )


def test_ended_by_the_system_a_run_may_go_on_with_another_precision_and_in_parts(train, ask_to_stop):
    no_more = ask_to_stop(signal.SIGTERM)
    assert train("--steps", 2).exit_code == 143
    no_more()
    resumed = train("--steps", 2, "--precision", "bf16", "--accumulate", 2)
    assert resumed.exit_code == 0 and "going on from step 1" in resumed.stderr


def test_a_run_is_scored_as_it_goes_on_videos_of_ones_own(train, data, tmp_path):
    result = train("--steps", 1, "--validate", data / "video-train")
    assert result.exit_code == 0, result.output
    figures = dict(line.split(",")[1:] for line in (tmp_path / "run" / "validation.csv").read_text().splitlines()[1:])
    assert figures.keys() == {"J&F", "J", "F"}
    assert 2 * float(figures["J&F"]) == pytest.approx(float(figures["J"]) + float(figures["F"]), abs=1e-4)
    assert f"validation J&F {float(figures['J&F']):.3f}" in result.stderr


def test_without_tensorboard_a_run_says_so_and_keeps_its_log(train, tmp_path, monkeypatch):
    from devos.training import board

    monkeypatch.setattr(board, "available", lambda: False)
    result = train("--steps", 1)
    assert result.exit_code == 0 and "tensorboard is not installed (" in result.stderr
    assert len((tmp_path / "run" / "log.csv").read_text().splitlines()) == 2
    assert not (tmp_path / "run" / "board").exists()


def test_what_cannot_be_trained_is_refused_in_one_line(devos, tmp_path, weights, data):
    out = tmp_path / "run"
    small = ("train", "debug", "-o", out, "--data", data, "--init", weights, "--model", "devos-t")
    for arguments, fragment in (
        (("train", "nonsense", "-o", out, "--data", data), "many-objects, crowds, parts, turns, lures, debug"),
        (("train", "debug", "-o", out), "there is no videos and no photos; add --videos ROOT"),
        (("train", "debug", "-o", out, "--data", data, "--model", "devos-s"), "devos-t, devos-b, devos-l"),
        (("train", "main-1", "-o", out, "--data", data), "--source davis=davis2017:ROOT"),
        (("train", "main-1", "-o", out, "--source", "davis"), "NAME=LAYOUT:ROOT"),
        (("train", "main-2", "-o", out, "--source", "davis=davis2017:a", "--source", "youtube-vos=mose:b"), "--init"),
        (("train", "debug", "-o", out, "--data", data, "--init", weights, "--model", "devos-b"), "holds devos-t"),
        (("train", "debug", "-o", out, "--data", tmp_path), "video-train"),
        (("train", "debug", "-o", out, "--data", data, "--size", 50), "--size"),
        (("train", "debug", "-o", out, "--data", data, "--steps", 0), "--steps"),
        (("train", "debug", "-o", out, "--data", data, "--precision", "half"), "float32, bf16, fp16"),
        ((*small, "--accumulate", 3), "--accumulate 3"),
        ((*small, "--sharded"), "torchrun"),
        (("train", "debug", "-o", out, "--data", data, "--init", tmp_path / "no.safetensors"), "no.safetensors"),
    ):
        result = devos(*arguments)
        said = [line for line in result.stderr.splitlines() if line != "videos: 1 of 1 sequences are used"]
        assert result.exit_code == 2 and len(said) == 1 and fragment in said[0], result.output
    assert not out.exists()


def test_torchrun_can_start_the_command_as_a_module(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["devos", "--version"])
    with pytest.raises(SystemExit) as left:
        runpy.run_module("devos", run_name="__main__")
    assert left.value.code == 0 and capsys.readouterr().out.startswith("devos ")
