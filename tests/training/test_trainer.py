from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from devos.errors import OptionError
from devos.training.compute import Compute
from devos.training.trainer import DivergedError, Trainer


def test_the_loss_falls_on_one_clip_within_a_few_steps(config, make_model, make_batches):
    config = replace(config, learning_rate=2e-3, clips=replace(config.clips, num_batches=1000))
    trainer, batch = Trainer(config, make_model()), make_batches(config)[0]
    losses = [figures.entropy + figures.dice for figures in (trainer.run_step(batch) for _ in range(16))]
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
    shares = [group["share"] for group in trainer.optimiser.param_groups]
    assert shares == [1, 1, 1, 0.1, 0.1]
    assert rates == pytest.approx([share * trainer.config.rate_at(0) for share in shares])
    after = backbone_of(trainer)
    assert any(not torch.equal(before[name], after[name]) for name in before)


def test_every_parameter_is_in_one_group_and_only_matrices_decay(config, make_model):
    trainer = Trainer(replace(config, encoder_rate=0.1), make_model())
    grouped = [id(p) for group in trainer.optimiser.param_groups for p in group["params"]]
    assert sorted(grouped) == sorted(id(p) for p in trainer.model.parameters())
    for group in trainer.optimiser.param_groups:
        matrices = group["params"][0].ndim > 1
        assert group["weight_decay"] == (config.weight_decay if matrices else 0)
        assert all((weight.ndim > 1) == matrices for weight in group["params"])


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


def test_a_kept_share_of_the_first_weights_is_in_the_result_also_of_a_resumed_run(config, make_model, make_batches):
    config = replace(config, kept_share=0.25)
    trainer = Trainer(config, make_model())
    first = {name: value.clone() for name, value in trainer.average.items()}
    trainer.run_step(make_batches(config)[0])
    expected = {name: 0.25 * first[name] + 0.75 * value for name, value in trainer.average.items()}
    model = make_model()
    torch.nn.init.zeros_(model.decoder.head.judge.weight)  # what it starts from is in the state, not in the model
    resumed = Trainer(config, model)
    resumed.restore(trainer.state())
    for each in (trainer, resumed):
        for name, value in each.averaged().state_dict().items():
            torch.testing.assert_close(value, expected[name], atol=1e-6, rtol=1e-5)


def test_counters_in_a_networks_state_are_taken_over_and_not_averaged(config, make_model, make_batches):
    """A batch norm counts its batches in whole numbers, which have no mean."""
    model = make_model()
    model.image_encoder.backbone.register_buffer("num_batches_tracked", torch.tensor(3))
    trainer = Trainer(config, model)
    trainer.model.image_encoder.backbone.num_batches_tracked += 1
    trainer.run_step(make_batches(config)[0])
    assert trainer.average["image_encoder.backbone.num_batches_tracked"].item() == 4


def test_a_loss_that_is_no_number_stops_the_run_and_changes_nothing(config, make_model, make_batches, states_equal):
    trainer = Trainer(config, make_model())
    batch = make_batches(config)[0]
    before = {name: value.clone() for name, value in trainer.model.state_dict().items()}
    with pytest.raises(DivergedError, match="loss of step 0 is nan"):
        trainer.run_step(replace(batch, images=batch.images * float("nan")))
    assert trainer.step == 0
    assert states_equal(before, trainer.model.state_dict())


def test_a_gradient_that_is_no_number_stops_the_run_and_changes_nothing(config, make_model, make_batches, states_equal):
    trainer = Trainer(config, make_model())
    before = {name: value.clone() for name, value in trainer.model.state_dict().items()}
    next(trainer.model.decoder.parameters()).register_hook(lambda gradient: gradient * float("inf"))
    with pytest.raises(DivergedError, match="gradient of step 0 has the norm"):
        trainer.run_step(make_batches(config)[0])
    assert trainer.step == 0
    assert trainer.steady
    assert states_equal(before, trainer.model.state_dict())


def test_in_fp16_a_gradient_that_overflows_skips_the_step_and_lowers_the_scale(
    config, make_model, make_batches, states_equal
):
    trainer = Trainer(config, make_model(), compute=Compute(precision="fp16"))
    before = {name: value.clone() for name, value in trainer.model.state_dict().items()}
    scale = trainer.state()["scaler"].get("scale", 65536.0)
    hook = next(trainer.model.decoder.parameters()).register_hook(lambda gradient: gradient * float("inf"))
    figures = trainer.run_step(make_batches(config)[0])
    assert figures.gradient_norm == float("inf") or figures.gradient_norm != figures.gradient_norm
    assert trainer.step == 1
    assert states_equal(before, trainer.model.state_dict())
    assert trainer.state()["scaler"]["scale"] < scale
    hook.remove()


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_takes_nearly_the_same_step(config, make_model, make_batches, precision):
    config = replace(config, clips=replace(config.clips, num_batches=1000))
    batch = make_batches(config)[0]
    whole, half = (Trainer(config, make_model(), compute=Compute(precision=p)) for p in ("float32", precision))
    one, other = whole.run_step(batch), half.run_step(batch)
    for _ in range(8):  # fp16 looks for a scale at which nothing overflows
        if math.isfinite(other.gradient_norm):
            break
        other = half.run_step(batch)
    assert one.entropy != other.entropy
    assert other.entropy == pytest.approx(one.entropy, rel=0.05)
    assert other.dice == pytest.approx(one.dice, rel=0.05)
    assert other.gradient_norm == pytest.approx(one.gradient_norm, rel=0.2)
    assert all(weight.dtype == torch.float32 for weight in half.model.parameters())


def test_a_batch_taken_in_parts_makes_the_step_of_the_whole_batch(config, make_model, make_batches):
    config = replace(config, clips=replace(config.clips, batch_size=4), encoder_rate=0.1)
    trainers = [Trainer(config, make_model(), compute=Compute(accumulate=parts)) for parts in (1, 4)]
    for index in range(2):
        batch = make_batches(config)[index]
        one, other = (trainer.run_step(batch) for trainer in trainers)
        for name in ("entropy", "dice", "j", "gradient_norm"):
            assert getattr(other, name) == pytest.approx(getattr(one, name), rel=1e-4)
        gradients = [torch.cat([w.grad.flatten() for w in t.model.parameters()]) for t in trainers]
        torch.testing.assert_close(*gradients, rtol=1e-3, atol=1e-4 * gradients[0].abs().max().item())


def test_parts_that_do_not_divide_a_batch_are_refused(config, make_model):
    with pytest.raises(OptionError, match="2 clips of each batch, which --accumulate 3 does not divide"):
        Trainer(config, make_model(), compute=Compute(accumulate=3))


def test_frozen_parts_do_not_learn_and_all_others_do(config, make_model, make_batches):
    """Main training's second phase freezes the mask and the flow encoder."""
    frozen = ("flow_encoder", "identity_encoder")
    trainer = Trainer(replace(config, frozen=frozen, encoder_rate=0.1), make_model())
    before = {name: p.detach().clone() for name, p in trainer.model.named_parameters()}
    for i in range(2):
        trainer.run_step(make_batches(config)[i])
    kept = {name for name, p in trainer.model.named_parameters() if torch.equal(before[name], p)}
    assert kept == {name for name in before if name.startswith(frozen)}


def test_a_frozen_image_encoder_is_frozen_with_its_neck(config, make_model, make_batches):
    trainer = Trainer(replace(config, frozen=("image_encoder",), encoder_rate=0.1), make_model())
    before = {name: p.detach().clone() for name, p in trainer.model.image_encoder.named_parameters()}
    trainer.run_step(make_batches(config)[0])
    assert all(torch.equal(before[name], p) for name, p in trainer.model.image_encoder.named_parameters())


def test_what_is_compiled_is_the_backbone_and_the_decoder_under_their_old_names(
    config, make_model, make_batches, monkeypatch
):
    compiled = []
    monkeypatch.setattr(torch, "compile", lambda function: function)
    monkeypatch.setattr(torch.nn.Module, "compile", lambda module: compiled.append(module))
    trainer = Trainer(config, make_model(), compute=Compute(compiled=True))
    assert compiled == [trainer.model.image_encoder.backbone, trainer.model.decoder]
    assert trainer.model.state_dict().keys() == make_model().state_dict().keys()


def test_where_nothing_can_be_compiled_that_is_said(config, make_model, monkeypatch):
    def fail(function):
        raise RuntimeError("no C++ compiler found\nand a long trace")

    monkeypatch.setattr(torch, "compile", fail)
    with pytest.raises(OptionError, match=r"--compile cannot be used here \(no C\+\+ compiler found\)"):
        Trainer(config, make_model(), compute=Compute(compiled=True))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"precision": "fp8"}, "float32, bf16, fp16"),
        ({"accumulate": 0}, "--accumulate"),
        ({"sharded": True, "precision": "fp16"}, "choose bf16"),
    ],
)
def test_a_way_of_computing_that_there_is_not_is_refused(wrong, words):
    with pytest.raises(OptionError, match=words):
        Compute(**wrong)


def test_one_process_has_nobody_to_share_a_network_out_with(config, make_model):
    with pytest.raises(OptionError, match="there is one; start it with torchrun"):
        Trainer(config, make_model(), compute=Compute(sharded=True))
