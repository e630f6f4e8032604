from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from devos.model.checkpoint import read_weights


@pytest.fixture
def data(tmp_path: Path, pictures, square) -> Path:
    """One video in DAVIS's layout, below a folder as `devos train --data` takes it."""
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
def train(devos, data, weights, tmp_path):
    def run(*options: object, out: str = "run"):
        return devos(
            "train", "debug", "-o", tmp_path / out, "--data", data, "--init", weights,
            "--workers", 0, "--device", "cpu", *options,
        )  # fmt: skip

    return run


def test_training_writes_weights_that_can_be_used_and_reports_on_stderr(train, tmp_path):
    from devos.engine.segmenter import load

    result = train("--steps", 2)
    assert result.exit_code == 0, result.output
    summary = json.loads(result.stdout)
    assert summary["steps"] == 2 and load(summary["weights"]).model.config.name == "devos-t"
    assert "step 2/2" in result.stderr and "left 0:00:00" in result.stderr


def test_the_same_command_goes_on_from_the_checkpoint_and_ends_as_if_unbroken(train, tmp_path, monkeypatch):
    from devos.training import loop

    def tensors(result):
        return read_weights(Path(json.loads(result.stdout)["weights"])).tensors

    whole = tensors(train("--steps", 3))
    step, count = loop.Trainer.run_step, iter(range(9))

    def stop_at_the_second(self, batch):
        if next(count) == 1:
            raise KeyboardInterrupt
        return step(self, batch)

    monkeypatch.setattr(loop.Trainer, "run_step", stop_at_the_second)
    stopped = train("--steps", 3, out="broken")
    assert stopped.exit_code == 130 and "stopped at step 1" in stopped.stderr
    resumed = train("--steps", 3, out="broken")
    assert resumed.exit_code == 0 and "going on from step 1" in resumed.stderr
    assert all(torch.equal(tensor, whole[name]) for name, tensor in tensors(resumed).items())


def test_help_names_every_recipe(devos):
    from devos.training.config import RECIPES

    text = devos("train", "--help").stdout
    assert all(recipe in text for recipe in RECIPES)


def test_a_checkpoint_of_other_settings_is_refused(train):
    assert train("--steps", 1).exit_code == 0
    result = train("--steps", 2)
    assert result.exit_code == 2 and result.stderr.splitlines()[-1].startswith(
        "error: the checkpoint is of another run"
    )


def test_what_cannot_be_trained_is_refused_in_one_line(devos, tmp_path, weights, data):
    out = tmp_path / "run"
    for arguments, fragment in (
        (("train", "nonsense", "-o", out, "--data", data), "laptop, long-clips, debug"),
        (("train", "debug", "-o", out), "nothing to train on"),
        (("train", "debug", "-o", out, "--data", tmp_path), "video-train"),
        (("train", "debug", "-o", out, "--data", data, "--size", 50), "--size"),
        (("train", "debug", "-o", out, "--data", data, "--steps", 0), "--steps"),
        (("train", "debug", "-o", out, "--data", data, "--init", tmp_path / "no.safetensors"), "no.safetensors"),
    ):
        result = devos(*arguments)
        assert result.exit_code == 2 and fragment in result.stderr and result.stderr.count("\n") == 1, result.output
    assert not out.exists()
