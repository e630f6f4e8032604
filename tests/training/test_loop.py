from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from devos.errors import WeightsError
from devos.model.checkpoint import load_weights, read_weights
from devos.training import loop
from devos.training.config import debug
from devos.training.loop import Trainer, load_checkpoint, save_checkpoint, train, unroll


@pytest.fixture
def config(tiny):
    return replace(debug(num_steps=5), model=tiny)


def states_equal(one, other) -> bool:
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(states_equal(one[k], other[k]) for k in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(states_equal(a, b) for a, b in zip(one, other, strict=True))
    return one == other


class StoppedError(Exception):
    """Somebody pulled the plug."""


def stop_after(steps):
    def watch(progress):
        if progress.step == steps:
            raise StoppedError

    return watch


def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(config, make_model, make_batches, tmp_path):
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

    assert states_equal(load_checkpoint(tmp_path / "whole" / "checkpoint.pt"), load_checkpoint(kept))
    one, other = read_weights(weights), read_weights(again)
    assert states_equal(one.tensors, other.tensors)
    assert one.info == other.info
    assert one.info["step"] == 5
    assert not list(tmp_path.glob("*/*.partial"))


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_the_run_is_the_same_with_a_worker_and_without(config, make_model, make_batches, tmp_path):
    results = []
    for workers in (0, 1):
        trainer = Trainer(config, make_model())
        steps = []
        train(trainer, make_batches(config), tmp_path / str(workers), workers=workers, watch=steps.append)
        assert [p.step for p in steps] == [1, 2, 3, 4, 5]
        assert [p.num_steps - p.step for p in steps][-1] == 0
        assert steps[-1].seconds_left == 0
        results.append(trainer.state())
    assert states_equal(*results)


def test_the_weights_of_a_run_are_its_average_and_say_how_they_were_made(config, make_model, make_batches, tmp_path):
    trainer = Trainer(config, make_model())
    path = train(trainer, make_batches(config), tmp_path, workers=0)
    assert path.name == "devos-tiny.safetensors"
    model, weights = load_weights(path, "devos-tiny")
    assert weights.info["train"]["clips"]["seed"] == 0
    for name, value in trainer.average.items():
        assert torch.equal(model.state_dict()[name], value.half().float())


def test_the_loss_falls_on_one_clip_within_a_few_steps(config, make_model, make_batches):
    config = replace(config, learning_rate=2e-3, clips=replace(config.clips, num_batches=16))
    trainer, batch = Trainer(config, make_model()), make_batches(config)[0]
    losses = [sum(trainer.run_step(batch)) for _ in range(16)]
    assert sum(losses[-3:]) / 3 < 0.75 * losses[0]


def backbone_of(trainer):
    return {k: v.clone() for k, v in trainer.model.image_encoder.backbone.state_dict().items()}


def test_a_frozen_backbone_does_not_change_and_everything_else_does(config, make_model, make_batches):
    trainer = Trainer(config, make_model())
    before = {name: p.detach().clone() for name, p in trainer.model.named_parameters()}
    for i in range(2):
        trainer.run_step(make_batches(config)[i])
    changed = {name for name, p in trainer.model.named_parameters() if not torch.equal(before[name], p)}
    assert not [name for name in changed if "backbone" in name]
    kept = [name for name in before if "backbone" not in name and name not in changed]
    assert not kept, kept


def test_the_backbone_learns_at_its_share_of_the_rate(config, make_model, make_batches):
    trainer = Trainer(replace(config, encoder_rate=0.1), make_model())
    before = backbone_of(trainer)
    trainer.run_step(make_batches(config)[0])
    rates = [group["lr"] for group in trainer.optimiser.param_groups]
    assert rates == pytest.approx([trainer.config.rate_at(0)] * 2 + [0.1 * trainer.config.rate_at(0)])
    after = backbone_of(trainer)
    assert any(not torch.equal(before[name], after[name]) for name in before)


def test_every_parameter_is_in_one_group_and_only_matrices_decay(config, make_model):
    trainer = Trainer(replace(config, encoder_rate=0.1), make_model())
    grouped = [id(p) for group in trainer.optimiser.param_groups for p in group["params"]]
    assert sorted(grouped) == sorted(id(p) for p in trainer.model.parameters())
    decaying, plain, backbone = trainer.optimiser.param_groups
    assert decaying["weight_decay"] == config.weight_decay
    assert plain["weight_decay"] == backbone["weight_decay"] == 0
    assert all(p.ndim <= 1 for p in plain["params"])


def test_the_average_follows_the_weights_slowly_and_forgets_its_random_start(config, make_model, make_batches):
    trainer = Trainer(config, make_model())
    expected = {name: value.clone() for name, value in trainer.average.items()}
    for step in range(3):
        trainer.run_step(make_batches(config)[step])
        decay = min(config.ema_decay, (1 + step) / (10 + step))
        for name, value in trainer.model.state_dict().items():
            expected[name] = decay * expected[name] + (1 - decay) * value
    for name, value in trainer.averaged().state_dict().items():
        torch.testing.assert_close(value, expected[name], atol=1e-6, rtol=1e-5)


def test_counters_in_a_networks_state_are_taken_over_and_not_averaged(config, make_model, make_batches):
    """A batch norm counts its batches in whole numbers, which have no mean."""
    model = make_model()
    model.image_encoder.backbone.register_buffer("num_batches_tracked", torch.tensor(3))
    trainer = Trainer(config, model)
    trainer.model.image_encoder.backbone.num_batches_tracked += 1
    trainer.run_step(make_batches(config)[0])
    assert trainer.average["image_encoder.backbone.num_batches_tracked"].item() == 4


def test_a_loss_that_is_no_number_stops_the_run_and_changes_nothing(config, make_model, make_batches, tmp_path):
    trainer = Trainer(config, make_model())
    batch = make_batches(config)[0]
    before = {name: value.clone() for name, value in trainer.model.state_dict().items()}
    with pytest.raises(FloatingPointError, match="loss of step 0 is nan"):
        trainer.run_step(replace(batch, images=batch.images * float("nan")))
    assert trainer.step == 0
    assert states_equal(before, trainer.model.state_dict())


def test_a_checkpoint_of_another_run_is_refused_with_what_differs(config, make_model):
    state = Trainer(config, make_model()).state()
    with pytest.raises(WeightsError, match=r"of another run: learning_rate differ"):
        Trainer(replace(config, learning_rate=1e-3), make_model()).restore(state)


def test_a_damaged_checkpoint_is_told_as_such(config, make_model, tmp_path):
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(Trainer(config, make_model()), path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(WeightsError, match=r"checkpoint\.pt cannot be read as a checkpoint"):
        load_checkpoint(path)


@pytest.mark.parametrize(("share", "told"), [(0.0, [True, False, False]), (1.0, [True, True, True])])
def test_a_phase_hands_on_true_masks_or_predicted_ones(config, make_model, make_batches, monkeypatch, share, told):
    """Main training's first phase uses the truth as the previous frame's prediction, its second the prediction."""
    model, given = make_model(), []
    step = model.step

    def listening(image, motion, memory, used, known, policy):
        given.append(known is not None)
        return step(image, motion, memory, used, known, policy)

    monkeypatch.setattr(model, "step", listening)
    unroll(model, make_batches(config)[0], replace(config, given_share=share), step=0)
    assert given == told


def test_the_truth_at_stride_4_is_the_share_of_each_slot_and_void_is_background(config, make_batches):
    batch = make_batches(config)[0]
    truth = loop._one_hot(batch)
    assert truth.shape == (2, 3, 11, 16, 16)
    torch.testing.assert_close(truth.sum(2), torch.ones(2, 3, 16, 16))
    slots = torch.where(batch.slots == 255, 0, batch.slots)
    assert truth[0, 1, 0, 2, 3].item() == (slots[0, 1, 8:12, 12:16] == 0).float().mean().item()
