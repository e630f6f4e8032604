from __future__ import annotations

import torch

from devos.model.devos import forget_previous
from devos.model.encoder import Features
from devos.model.memory import Entry, EveryNth, Memory, Previous
from devos.model.recognition import recognised, withhold


def half_and_half(left, right):
    """Features of an image of 64 x 64 whose halves look like these two vectors."""

    def grid(cells):
        maps = torch.empty(1, len(left), cells, cells)
        maps[..., : cells // 2] = torch.tensor(left)[None, :, None, None]
        maps[..., cells // 2 :] = torch.tensor(right)[None, :, None, None]
        return maps

    return Features(grid(16), grid(8), grid(4), grid(2))


def in_the_left_half(slot=1):
    probabilities = torch.zeros(1, 3, 16, 16)
    probabilities[:, slot, :, :8] = 1
    probabilities[:, 0, :, 8:] = 1
    return probabilities


def entry(features, probabilities):
    return Entry(0, True, features, probabilities, {}, {})


def test_what_looks_as_remembered_is_known_again_and_nothing_else():
    kept = entry(half_and_half([1.0, 0.0], [0.0, 1.0]), in_the_left_half())
    alike, strange = half_and_half([0.9, 0.1], [0.0, 1.0]), half_and_half([0.1, 0.9], [0.0, 1.0])
    assert recognised(alike, in_the_left_half(), [kept])[0].tolist() == [True, True, False]
    assert not recognised(strange, in_the_left_half(), [kept])[0, 1]
    assert not recognised(alike, in_the_left_half(slot=2), [kept])[0, 2]  # slot 2 was never seen


def test_what_is_withheld_goes_to_the_background():
    kept = withhold(in_the_left_half(), torch.tensor([[False, True, False]]))
    assert kept[:, 0].eq(1).all() and kept[:, 1:].eq(0).all()


def test_after_a_cut_the_frame_before_is_empty_and_every_slot_lost(model):
    features = model.encode(torch.rand(1, 3, 64, 64))
    probabilities = torch.zeros(1, 4, 16, 16)
    probabilities[:, 2] = 1
    memory = Memory(Previous(features, probabilities, model.values(features, probabilities)))
    forgotten = forget_previous(memory, model)
    assert forgotten.previous.probabilities[:, 0].eq(1).all() and forgotten.lost.all()
    assert forget_previous(Memory(), model) == Memory()


def test_frames_that_show_nothing_do_not_enter_the_bank(model):
    features = model.encode(torch.rand(1, 3, 64, 64))
    first = torch.zeros(1, 1, 1)
    kept = Entry(0, True, features, in_the_left_half(), {16: first}, {16: first})
    for slot, admitted in ((0, False), (1, True)):
        seen = torch.zeros(1, 4, 16, 16)
        seen[:, slot] = 1
        memory = Memory(Previous(features, seen, model.values(features, seen)), (kept,), 5)
        assert EveryNth(every=5).admits(memory, 5, False) is admitted
        assert EveryNth(every=5).admits(memory, 5, True)
