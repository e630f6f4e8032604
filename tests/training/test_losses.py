from __future__ import annotations

import math

import pytest
import torch

from devos.data.clips import VOID
from devos.training.losses import dice_loss, hardest_fraction, mask_loss


def example(seed: int = 0, slots: int = 3, size: int = 8):
    g = torch.Generator().manual_seed(seed)
    logits = torch.randn(2, slots, size, size, generator=g)
    truth = torch.randint(0, slots, (2, size, size), generator=g)
    return logits, truth, torch.ones(2, slots, dtype=torch.bool)


def test_every_pixel_counts_at_first_and_15_percent_from_a_third_on():
    assert hardest_fraction(0.0) == 1
    assert hardest_fraction(1 / 6) == pytest.approx(0.575)
    assert hardest_fraction(1 / 3) == hardest_fraction(1.0) == pytest.approx(0.15)


def test_all_pixels_make_the_usual_cross_entropy():
    logits, truth, used = example()
    entropy, _ = mask_loss(logits, truth, used, 1.0)
    torch.testing.assert_close(entropy, torch.nn.functional.cross_entropy(logits, truth))


@pytest.mark.parametrize("fraction", [0.15, 0.5, 0.99])
def test_of_the_pixels_the_hardest_fraction_makes_the_cross_entropy(fraction):
    logits, truth, used = example()
    entropy, _ = mask_loss(logits, truth, used, fraction)
    pixels = torch.nn.functional.cross_entropy(logits, truth, reduction="none").flatten(1)
    expected = [sorted(row.tolist(), reverse=True)[: int(fraction * 64)] for row in pixels]
    assert entropy.item() == pytest.approx(sum(sum(e) / len(e) for e in expected) / 2, rel=1e-5)


def test_dice_is_its_formula_for_each_object_and_never_of_the_background():
    logits, truth, used = example()
    _, dice = mask_loss(logits, truth, used, 1.0)
    soft, terms = logits.softmax(1), []
    for row in range(2):
        for label in (1, 2):
            p, t = soft[row, label], (truth[row] == label).float()
            terms.append(1 - (2 * (p * t).sum().item() + 1) / (p.sum().item() + t.sum().item() + 1))
    assert dice.item() == pytest.approx(sum(terms) / 4, rel=1e-5)


def test_a_perfect_answer_has_no_loss_and_an_absent_object_counts_gently():
    truth = torch.zeros(1, 8, 8, dtype=torch.long)
    truth[:, 2:6, 2:6] = 1
    logits = 60 * torch.nn.functional.one_hot(truth, 3).permute(0, 3, 1, 2).float()
    entropy, dice = mask_loss(logits, truth, torch.ones(1, 3, dtype=torch.bool), 0.15)
    assert entropy.item() < 1e-6
    assert dice.item() < 1e-3
    assert dice_loss(torch.zeros(1, 4, 4), torch.zeros(1, 4, 4)).item() == 0
    assert dice_loss(torch.ones(1, 4, 4), torch.zeros(1, 4, 4)).item() == pytest.approx(1 - 1 / 17)


def test_void_pixels_have_no_loss():
    logits, truth, used = example()
    truth[:, :3] = VOID
    logits.requires_grad_()
    entropy, dice = mask_loss(logits, truth, used, 0.5)
    (entropy + dice).backward()
    assert not logits.grad[:, :, :3].any()
    assert logits.grad[:, :, 3:].any()
    changed = logits.detach().clone()
    changed[:, :, :3] += 100 * torch.randn(2, 3, 3, 8)
    torch.testing.assert_close(mask_loss(changed, truth, used, 0.5), (entropy.detach(), dice.detach()))


def test_a_frame_that_is_all_void_has_no_loss_at_all():
    logits, truth, used = example()
    truth[0] = VOID
    entropy, dice = mask_loss(logits.requires_grad_(), truth, used, 0.5)
    alone, _ = mask_loss(logits[1:], truth[1:], used[1:], 0.5)
    assert math.isfinite(dice.item())
    assert entropy.item() == pytest.approx(alone.item() / 2)
    (entropy + dice).backward()
    assert not logits.grad[0].any()


def test_slots_that_a_clip_does_not_use_are_not_judged():
    logits, truth, used = example()
    truth[truth == 2] = 0
    used[:, 2] = False
    losses = mask_loss(logits, truth, used, 1.0)
    torch.testing.assert_close(losses, mask_loss(logits[:, :2], truth, used[:, :2], 1.0))


def test_logits_at_stride_4_are_judged_at_full_size():
    logits = torch.zeros(1, 2, 4, 4)
    logits[:, 1, :, 2:] = 8
    logits[:, 0, :, :2] = 8
    truth = torch.zeros(1, 16, 16, dtype=torch.long)
    truth[:, :, 8:] = 1
    entropy, _ = mask_loss(logits, truth, torch.ones(1, 2, dtype=torch.bool), 1.0)
    moved, _ = mask_loss(logits, truth.roll(4, 2), torch.ones(1, 2, dtype=torch.bool), 1.0)
    assert entropy < 0.1 < moved
