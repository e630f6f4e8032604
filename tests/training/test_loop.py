from __future__ import annotations

import csv
import os
import signal
from dataclasses import replace

import pytest
import torch

from devos.data.batching import Batches
from devos.data.catalog import find_videos
from devos.data.photo_sets import list_photos
from devos.errors import InputError
from devos.model.checkpoint import load_weights, read_weights
from devos.training.checkpoints import load_checkpoint
from devos.training.loop import Stopped, train
from devos.training.trainer import DivergedError, Trainer

pytestmark = pytest.mark.usefixtures("small_backbone")


def without_chance(state):
    """The two runs began in this process with different random states."""
    return {name: value for name, value in state.items() if name != "random"}


class StoppedError(Exception):
    """Somebody pulled the plug."""


def stop_after(steps):
    def watch(progress):
        if progress.step == steps:
            raise StoppedError

    return watch


def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(
    config, make_model, make_batches, tmp_path, states_equal
):
    whole = Trainer(config, make_model())
    weights = train(whole, make_batches(config), tmp_path / "whole", workers=0)

    with pytest.raises(StoppedError):
        train(Trainer(config, make_model()), make_batches(config), tmp_path / "parts", workers=0, watch=stop_after(3))
    kept = tmp_path / "parts" / "checkpoint.pt"
    assert load_checkpoint(kept)["step"] == 3
    assert not (tmp_path / "parts" / weights.name).exists()
    resumed = Trainer(config, make_model(seed=99))
    resumed.restore(load_checkpoint(kept))
    again = train(resumed, make_batches(config), tmp_path / "parts", workers=0)

    ends = [load_checkpoint(path) for path in (tmp_path / "whole" / "checkpoint.pt", kept)]
    assert states_equal(*(without_chance(state) for state in ends))
    one, other = read_weights(weights), read_weights(again)
    assert states_equal(one.tensors, other.tensors)
    assert one.info == other.info
    assert one.info["step"] == 5
    assert not list(tmp_path.glob("*/*partial*"))


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_the_run_is_the_same_with_a_worker_and_without(config, make_model, make_batches, tmp_path, states_equal):
    results = []
    for workers in (0, 1):
        trainer = Trainer(config, make_model())
        steps = []
        train(trainer, make_batches(config), tmp_path / str(workers), workers=workers, watch=steps.append)
        assert [p.step for p in steps] == [1, 2, 3, 4, 5]
        assert [p.num_steps - p.step for p in steps][-1] == 0
        assert steps[-1].seconds_left == 0
        results.append(without_chance(trainer.state()))
    assert states_equal(*results)


def test_the_weights_of_a_run_are_its_average_and_say_how_they_were_made(config, make_model, make_batches, tmp_path):
    trainer = Trainer(config, make_model())
    path = train(trainer, make_batches(config), tmp_path, workers=0)
    assert path.name == "devos-tiny.safetensors"
    model, weights = load_weights(path, "devos-tiny")
    assert weights.info["train"]["clips"]["seed"] == 0
    for name, value in trainer.average.items():
        assert torch.equal(model.state_dict()[name], value.half().float())


@pytest.fixture
def start(config, make_model, make_batches, tmp_path):
    """Train for the steps that are left in `tmp_path`, with the settings changed as told."""

    def run(batches=None, *, seed=0, **settings):
        changes = {name: settings.pop(name) for name in [*settings] if hasattr(config, name)}
        changed = replace(config, **changes)
        trainer = Trainer(changed, make_model(seed))
        if (tmp_path / "checkpoint.pt").is_file():
            trainer.restore(load_checkpoint(tmp_path / "checkpoint.pt"))
        train(trainer, batches or make_batches(changed), tmp_path, workers=0, **settings)
        return trainer

    return run


def test_a_run_writes_its_last_checkpoint_once_and_no_snapshot_of_its_last_step(start, tmp_path, monkeypatch):
    from devos.training import loop

    written, save = [], loop.save_checkpoint
    monkeypatch.setattr(loop, "save_checkpoint", lambda state, path: (written.append(state["step"]), save(state, path)))
    start(checkpoint_every=5, snapshot_every=1)
    assert written == [5]
    names = sorted(path.name for path in tmp_path.glob("*.safetensors"))
    assert names == [*(f"devos-tiny-{step:06d}.safetensors" for step in (1, 2, 3, 4)), "devos-tiny.safetensors"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_asked_to_stop_a_run_ends_its_step_and_leaves_a_checkpoint_from_which_it_ends_as_if_unbroken(
    start, make_model, make_batches, config, tmp_path, states_equal, number
):
    before = signal.getsignal(number)

    def ask(progress):
        if progress.step == 2:
            os.kill(os.getpid(), number)

    with pytest.raises(Stopped) as stopped:
        start(watch=ask, checkpoint_every=100)
    assert stopped.value.number == number
    assert signal.getsignal(number) == before
    assert load_checkpoint(tmp_path / "checkpoint.pt")["step"] == 2
    whole = Trainer(config, make_model())
    for index in range(5):
        whole.run_step(make_batches(config)[index])
    assert states_equal(start(seed=9).model.state_dict(), whole.model.state_dict())


def test_the_log_has_a_row_for_each_report_and_none_twice_after_a_resumption(start, tmp_path):
    with pytest.raises(StoppedError):
        start(watch=stop_after(3), checkpoint_every=2)
    log = tmp_path / "log.csv"
    log.write_text(log.read_text() + "4,0.1,0.2")  # killed in the middle of a row
    start()
    with (tmp_path / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["1", "2", "3", "4", "5"]
    assert all(float(row["gradient_norm"]) > 0 and 0 <= float(row["j"]) <= 1 for row in rows)
    assert all(float(row["clips_per_s"]) * float(row["seconds_per_step"]) == pytest.approx(2, rel=1e-3) for row in rows)


def test_a_validation_gets_the_averaged_network_every_few_steps_and_after_the_last(start, tmp_path):
    seen = []

    def validate(model, step):
        seen.append((step, model))
        return {"J&F": step / 10, "F": 0.25}

    trainer = start(validate=validate, validate_every=2)
    assert [step for step, _ in seen] == [2, 4, 5]
    assert all(torch.equal(value, trainer.average[name]) for name, value in seen[-1][1].state_dict().items())
    assert not torch.equal(*(model.decoder.state_dict()[next(iter(model.decoder.state_dict()))]
                             for _, model in (seen[0], seen[-1])))  # fmt: skip
    assert (tmp_path / "validation.csv").read_text().splitlines() == [
        "step,figure,value", "2,J&F,0.2", "2,F,0.25", "4,J&F,0.4", "4,F,0.25", "5,J&F,0.5", "5,F,0.25",
    ]  # fmt: skip


def test_a_validation_changes_nothing_of_the_run(start, tmp_path, make_model, make_batches, config, states_equal):
    validated = start(validate=lambda model, step: {"J": 0.5}, validate_every=1, snapshot_every=1)
    alone = Trainer(config, make_model())
    for index in range(5):
        alone.run_step(make_batches(config)[index])
    assert states_equal(validated.model.state_dict(), alone.model.state_dict())


class Poisoned(Batches):
    """Batches of which number 2 has a value that is no number."""

    def __getitem__(self, index):
        batch = super().__getitem__(index)
        if index == 2:
            batch.to_prev[1, 0, 0, 3, 3] = float("nan")
        return batch


def test_a_loss_that_is_no_number_stops_the_run_with_the_batch_saved_and_its_clips_named(
    start, make_batches, config, tmp_path, video_root, photo_root
):
    batches = make_batches(config)
    with pytest.raises(DivergedError, match=r"the (loss|gradient) of step 2 .* not finite in it: to_prev of clip 1"):
        start(
            Poisoned(config.clips, find_videos(video_root), list_photos("own", photo_root).photos), checkpoint_every=100
        )
    assert load_checkpoint(tmp_path / "checkpoint.pt")["step"] == 2
    kept = torch.load(tmp_path / "bad-batch.pt", weights_only=True)
    assert kept["step"] == 2
    assert kept["clips"] == [batches.clip(2, place).source for place in (0, 1)]
    assert torch.equal(kept["batch"]["images"], batches[2].images)
    assert kept["batch"]["to_prev"].isnan().sum() == 1


class Unreadable(Batches):
    def __getitem__(self, index):
        raise InputError("ant/00003.jpg cannot be read; fetch it again")


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_clip_that_cannot_be_made_in_another_process_is_told_in_its_own_words(
    start, config, make_model, tmp_path, video_root
):
    config = replace(config, clips=replace(config.clips, num_batches=2))
    with pytest.raises(InputError) as told:
        train(Trainer(config, make_model()), Unreadable(config.clips, find_videos(video_root), ()), tmp_path, workers=1)
    assert str(told.value) == "ant/00003.jpg cannot be read; fetch it again"
    assert not (tmp_path / "checkpoint.pt").exists()
