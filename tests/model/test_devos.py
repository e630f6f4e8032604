from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from devos.model.devos import DeVOS, Given, merge_given
from devos.model.memory import EveryNth, Memory
from devos.model.motion import Motion

H, W = 64, 96


def image(seed: int, batch: int = 1) -> torch.Tensor:
    return torch.rand(batch, 3, H, W, generator=torch.Generator().manual_seed(seed))


def motion(batch: int = 1, seed: int = 1) -> Motion:
    g = torch.Generator().manual_seed(seed)
    return Motion(*(4 * torch.randn(batch, 2, H // 2, W // 2, generator=g) for _ in range(2)))


def given(rows: int, slots: int = 4, seed: int = 2) -> Given:
    labels = torch.randint(0, slots, (rows, H // 4, W // 4), generator=torch.Generator().manual_seed(seed))
    return Given(F.one_hot(labels, slots).permute(0, 3, 1, 2).float(), torch.ones(rows, slots, dtype=torch.bool))


def everything(rows: int, slots: int = 4) -> torch.Tensor:
    return torch.ones(rows, slots, dtype=torch.bool)


def follow(model: DeVOS, num_frames: int, used: torch.Tensor, first: Given, batch: int = 1, policy=None):
    memory, outputs = Memory(), []
    with torch.no_grad():
        for t in range(num_frames):
            output = model.step(image(t, batch), motion(batch, t) if t else None, memory, used,
                                None if t else first, policy)  # fmt: skip
            memory = output.memory
            outputs.append(output)
    return outputs


def test_a_step_answers_for_every_slot_at_stride_4(model):
    outputs = follow(model, 3, everything(1), given(1))
    assert outputs[2].logits.shape == (1, 4, H // 4, W // 4)
    torch.testing.assert_close(outputs[2].probabilities.sum(1), torch.ones(1, H // 4, W // 4))
    assert outputs[2].memory.frame == 2


def test_the_first_frame_is_what_was_given(model):
    first = given(1)
    output = follow(model, 1, everything(1), first)[0]
    assert torch.equal(output.probabilities, first.probabilities)
    with pytest.raises(ValueError, match="first frame of a video needs masks"):
        model.step(image(0), None, Memory(), everything(1))


def test_a_slot_that_nobody_uses_gets_exactly_nothing(model):
    used = everything(1)
    used[0, 2] = False
    first = given(1)
    first.probabilities[:, 0] += first.probabilities[:, 2]
    first.probabilities[:, 2] = 0
    for output in follow(model, 3, used, first)[1:]:
        assert not output.probabilities[:, 2].any()
        torch.testing.assert_close(output.probabilities.sum(1), torch.ones(1, H // 4, W // 4))


def test_unused_slots_do_not_change_what_the_used_ones_get(model):
    """A slot more in use in the other image of the batch is judged too, and must not be seen."""
    used = everything(2)
    used[0, 2:] = False
    first = given(2)
    first.probabilities[0, 0] += first.probabilities[0, 2:].sum(0)
    first.probabilities[0, 2:] = 0
    both = follow(model, 3, used, first, batch=2)[-1]
    memory = Memory()
    with torch.no_grad():
        for t in range(3):
            step = Motion(motion(2, t).to_prev[:1], motion(2, t).to_curr[:1]) if t else None
            known = None if t else Given(first.probabilities[:1], first.slots[:1])
            alone = model.step(image(t, 2)[:1], step, memory, used[:1], known)
            memory = alone.memory
    torch.testing.assert_close(both.logits[:1], alone.logits, atol=1e-4, rtol=1e-4)


def test_features_may_be_given_in_place_of_the_image(model):
    with torch.no_grad():
        start = model.step(image(0), None, Memory(), everything(1), given(1)).memory
        seen = model.step(image(1), motion(), start, everything(1))
        known = model.step(model.image_encoder(image(1)), motion(), start, everything(1))
    assert torch.equal(seen.logits, known.logits)


def test_a_step_changes_neither_the_memory_that_it_was_given_nor_the_network(model):
    memory = follow(model, 2, everything(1), given(1))[-1].memory
    held = [t.clone() for t in memory.tensors()]
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    with torch.no_grad():
        first = model.step(image(5), motion(), memory, everything(1))
        again = model.step(image(5), motion(), memory, everything(1))
    assert all(torch.equal(a, b) for a, b in zip(held, memory.tensors(), strict=True))
    assert all(torch.equal(weights[name], value) for name, value in model.state_dict().items())
    assert torch.equal(first.logits, again.logits)


def test_no_gradient_flows_through_the_mask_that_one_frame_hands_to_the_next(model):
    memory = model.step(image(0), None, Memory(), everything(1), given(1)).memory
    output = model.step(image(1), motion(), memory, everything(1))
    assert output.probabilities.requires_grad
    assert not output.memory.previous.probabilities.requires_grad
    assert output.memory.previous.values.s16.requires_grad


def test_the_gradient_reaches_every_weight_that_follows_objects(model):
    memory = Memory()
    model.train()
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():  # those that start at zero would hide what is before them
            if not parameter.any():
                parameter.normal_(std=0.05)
    loss = 0
    for t in range(3):
        output = model.step(image(t), motion(seed=t) if t else None, memory, everything(1), None if t else given(1))
        memory = output.memory
        loss = loss + output.logits.square().mean()
    loss.backward()
    unreached = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    # The coarsest matching has no coarser scale to make keys for; a bias before a softmax over slots is no exception.
    assert not [name for name in unreached if "backbone" not in name], unreached


def test_the_bank_holds_no_more_than_its_policy_allows(model):
    outputs = follow(model, 9, everything(1), given(1), policy=EveryNth(every=2, max_entries=3))
    assert [[e.frame for e in o.memory.entries] for o in outputs][-1] == [0, 6, 8]
    assert outputs[-1].memory.keys(16).shape[1] == 3 * (H // 16) * (W // 16)


def test_what_memory_counts_is_what_it_holds(model):
    memory = follow(model, 5, everything(1), given(1), policy=EveryNth(every=2, max_entries=2))[-1].memory
    counted = sum(t.numel() * t.element_size() for t in memory.tensors())
    storages = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in memory.tensors()}
    assert sum(storages.values()) <= counted


def test_rewriting_a_memory_without_a_change_gives_the_same_memory(model):
    memory = follow(model, 4, everything(2), given(2), policy=EveryNth(every=2, max_entries=2))[-1].memory
    with torch.no_grad():
        again = model.rewrite(memory, lambda probabilities: probabilities)
    for a, b in zip(memory.tensors(), again.tensors(), strict=True):
        torch.testing.assert_close(a, b)
    assert model.rewrite(Memory(), lambda probabilities: probabilities) == Memory()


def test_groups_of_one_image_agree_and_share_its_features(model):
    first = given(2)
    output = follow(model, 3, everything(2), first)[-1]
    objects = output.probabilities[:, 1:].sum((0, 1))
    assert (objects <= 1 + 1e-5).all()
    torch.testing.assert_close(output.probabilities.sum(1), torch.ones(2, H // 4, W // 4))
    assert output.memory.previous.features.s8.shape[0] == 1


def test_what_is_given_stands_and_the_others_share_the_rest_in_their_proportions():
    own = torch.tensor([0.4, 0.3, 0.2, 0.1]).view(1, 4, 1, 1)
    said = torch.tensor([0.5, 0.5, 0.0, 0.0]).view(1, 4, 1, 1)
    merged = merge_given(own, Given(said, torch.tensor([[False, True, False, False]])))
    torch.testing.assert_close(merged.flatten(), torch.tensor([0.4 / 0.7, 0.5 / 0.5, 0.2 / 0.7, 0.1 / 0.7]) * 0.5)


def test_an_object_that_is_given_everywhere_leaves_nothing_to_the_others():
    own = torch.full((1, 3, 1, 1), 1 / 3)
    said = torch.tensor([0.0, 1.0, 0.0]).view(1, 3, 1, 1)
    merged = merge_given(own, Given(said, torch.tensor([[False, True, False]])))
    assert merged.flatten().tolist() == [0, 1, 0]


def test_calling_the_network_says_what_to_call_instead(model):
    with pytest.raises(NotImplementedError, match="call `step`"):
        model(image(0))
