from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from devos.training import unroll as unrolling
from devos.training.compute import parts_of
from devos.training.unroll import mean_j, unroll


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
    truth = unrolling._one_hot(batch)
    assert truth.shape == (2, 3, 11, 16, 16)
    torch.testing.assert_close(truth.sum(2), torch.ones(2, 3, 16, 16))
    slots = torch.where(batch.slots == 255, 0, batch.slots)
    assert truth[0, 1, 0, 2, 3].item() == (slots[0, 1, 8:12, 12:16] == 0).float().mean().item()


def test_j_is_intersection_over_union_of_the_objects_at_stride_4_without_void():
    slots = torch.zeros(1, 2, 16, 16, dtype=torch.int64)
    slots[:, :, :, :8] = 3
    slots[0, 1, :4] = 255
    predicted = torch.zeros(1, 2, 4, 4, dtype=torch.uint8)
    predicted[0, 0, :, :3] = 3  # 8 cells of 12
    predicted[0, 1, 2:, :2] = 3  # 4 cells of 6 that are known
    predicted[0, 1, 0] = 3  # void
    used = torch.zeros(1, 5, dtype=torch.bool)
    used[0, [0, 3]] = True
    assert mean_j(predicted, slots, used).item() == pytest.approx((8 / 12 + 4 / 6) / 2)
    used[0, 4] = True  # an object that is nowhere, and not predicted
    assert mean_j(predicted, slots, used).item() == pytest.approx((1 + 2 / 3) / 2)


def test_the_figures_of_a_batch_are_the_means_over_its_equal_parts(config, make_model, make_batches):
    """What lets processes, and parts of a batch, be averaged: nothing is judged across clips."""
    batch, model = make_batches(config)[0], make_model()
    with torch.no_grad():
        whole = unroll(model, batch, config, step=3)
        halves = [unroll(model, part, config, step=3) for part in parts_of(batch, 2)]
    for name in ("entropy", "dice", "j"):
        mean = (getattr(halves[0], name) + getattr(halves[1], name)) / 2
        torch.testing.assert_close(getattr(whole, name), mean, rtol=1e-5, atol=1e-6)
    assert torch.equal(whole.predicted, torch.cat([half.predicted for half in halves]))
