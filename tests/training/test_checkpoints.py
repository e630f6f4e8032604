from __future__ import annotations

import random
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch

from devos.errors import OutputError, WeightsError
from devos.training.checkpoints import (
    check_same_run,
    load_checkpoint,
    random_states,
    restore_random_states,
    save_checkpoint,
    seed_everything,
)
from devos.training.trainer import Trainer


def test_a_checkpoint_of_another_run_is_refused_with_each_setting_that_differs_and_both_values(config):
    stored = asdict(config)
    stage = replace(config.clips.stages[0], length=4)
    other = replace(config, learning_rate=1e-3, clips=replace(config.clips, seed=7, stages=(stage,)))
    with pytest.raises(WeightsError) as told:
        check_same_run(stored, other)
    assert str(told.value).startswith(
        "the checkpoint is of another run: clips.stages[0].length is 3 there and 4 here; clips.seed is 0 there and 7 "
        "here; learning_rate is 0.0004 there and 0.001 here. Resume"
    )


def test_what_the_weights_do_not_depend_on_may_change_in_the_middle_of_a_run(config):
    check_same_run(asdict(config), replace(config, log_every=7, checkpoint_every=9, validate_every=3))


def test_a_setting_that_an_older_checkpoint_does_not_know_has_its_default(config):
    stored = asdict(config)
    del stored["frozen"], stored["model"]["matching"]
    check_same_run(stored, config)
    with pytest.raises(WeightsError, match=r"frozen is \(\) there and \('decoder',\) here"):
        check_same_run(stored, replace(config, frozen=("decoder",)))


def test_a_setting_that_is_gone_is_named(config):
    stored = asdict(config)
    stored["clips"]["colour"] = "red"
    with pytest.raises(WeightsError, match=r"clips\.colour is 'red' there and unknown here"):
        check_same_run(stored, config)


def test_a_damaged_checkpoint_is_told_as_such(config, make_model, tmp_path):
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(Trainer(config, make_model()).state(), path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(WeightsError, match=r"checkpoint\.pt cannot be read as a checkpoint"):
        load_checkpoint(path)


def test_a_checkpoint_that_cannot_be_written_leaves_the_one_before(tmp_path, monkeypatch):
    path = tmp_path / "checkpoint.pt"
    save_checkpoint({"step": 1}, path)

    def full(state, file):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OutputError, match="No space left on device"):
        save_checkpoint({"step": 2}, path)
    assert load_checkpoint(path) == {"step": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_every_random_state_goes_on_where_it_was(tmp_path):
    def draw():
        return (
            torch.rand(3).tolist(),
            np.random.rand(3).tolist(),
            random.random(),
            np.random.randn(),
            random.gauss(0, 1),
        )

    before = random_states()
    try:
        seed_everything(5)
        draw()
        save_checkpoint({"random": random_states()}, tmp_path / "states.pt")
        expected = draw()
        draw()
        restore_random_states(load_checkpoint(tmp_path / "states.pt")["random"])
        assert draw() == expected
        seed_everything(5)
        first = draw()
        seed_everything(6)
        assert draw() != first
    finally:
        restore_random_states(before)
