from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given as drawn
from hypothesis import strategies as st

from devos.model.config import Matching
from devos.model.decoder import ABSENT
from devos.model.devos import DeVOS, Given
from devos.model.focus import Focus, find_focus
from devos.model.memory import Memory
from devos.model.motion import Motion

H, W = 6, 10
"""Of the frame, in cells of stride 32."""
SOME = Focus(top=2, left=3, height=2, width=3)
EVERYTHING = Focus(0, 0, H, W)


def rand(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def masks(*boxes: tuple[slice, slice], groups: int = 1, slots: int = 3) -> torch.Tensor:
    """Probabilities at stride 4: the last slot of the last group is in the boxes, background elsewhere."""
    found = torch.zeros(groups, slots, H * 8, W * 8)
    found[:, 0] = 1
    for box in boxes:
        found[-1, -1][box], found[-1, 0][box] = 1, 0
    return found


def nowhere(groups: int = 1, slots: int = 3) -> torch.Tensor:
    """What is read from the bank, at stride 16, where nothing looks like an object."""
    read = torch.zeros(groups, slots, H * 2, W * 2)
    read[:, 0] = 1
    return read


def still(batch: int = 1) -> torch.Tensor:
    return torch.zeros(batch, 2, H * 4, W * 4)


@pytest.mark.parametrize("stride", [4, 8, 16, 32])
def test_the_same_part_of_the_picture_is_cut_at_every_stride(stride):
    ys, xs = torch.meshgrid(torch.arange(H * 32.0), torch.arange(W * 32.0), indexing="ij")
    places = torch.nn.functional.avg_pool2d(torch.stack([xs, ys])[None], stride)
    part = SOME.cut(places, stride)
    assert part.shape == (1, 2, 2 * 32 // stride, 3 * 32 // stride)
    torch.testing.assert_close(part.mean((2, 3))[0], torch.tensor([(3 + 1.5) * 32 - 0.5, (2 + 1) * 32 - 0.5]))


def test_an_object_is_looked_for_where_it_was_and_a_little_around():
    focus = find_focus(masks((slice(24, 28), slice(40, 44))), still(), nowhere())
    assert focus.top <= 2 < 3 < focus.top + focus.height  # cell 3 down has it, the cell before is near enough
    assert focus.left <= 4 < 5 < focus.left + focus.width
    assert focus.height < H and focus.width < W


def test_it_is_looked_for_where_the_flow_says_that_it_went():
    """It moves 4 cells of stride 32 to the right, so each cell there was 128 pixels further left."""
    flow = still()
    flow[:, 0] = -128
    focus = find_focus(masks((slice(24, 32), slice(8, 16))), flow, nowhere())
    assert focus.left <= 5 < focus.left + focus.width
    assert focus.left > 1


def test_it_is_looked_for_where_the_bank_knows_it():
    read = nowhere()
    read[0, 2, 1, 18], read[0, 0, 1, 18] = 0.4, 0.6
    focus = find_focus(masks(), still(), read)
    assert focus.top == 0 and focus.left + focus.width == W
    assert focus.height < H and focus.width < W


def test_objects_of_every_group_and_of_every_picture_of_a_batch_are_in_it():
    found = masks((slice(0, 4), slice(0, 4)), groups=4)  # the last group of the second of two pictures
    found[0, 1, -4:, -4:], found[0, 0, -4:, -4:] = 1, 0
    assert find_focus(found, still(2), nowhere(4)) == EVERYTHING


def test_where_nothing_is_seen_it_is_small_and_within_the_frame():
    focus = find_focus(masks(), still(), nowhere())
    assert (focus.top, focus.left) == (0, 0) and (focus.height, focus.width) == (2, 3)


@drawn(st.integers(0, H * 8 - 1), st.integers(0, W * 8 - 1), st.integers(1, 40), st.integers(1, 40))
def test_it_holds_all_of_an_object_and_has_one_of_few_sizes(top, left, height, width):
    found = masks((slice(top, top + height), slice(left, left + width)))
    focus = find_focus(found, still(), nowhere())
    assert torch.equal(focus.cut(found, 4)[:, 2].sum(), found[:, 2].sum())
    assert focus.top >= 0 and focus.left >= 0
    assert focus.top + focus.height <= H and focus.left + focus.width <= W
    assert focus.height in {min(math.ceil(H / 4) * i, H) for i in (1, 2, 3, 4)}
    assert focus.width in {min(math.ceil(W / 4) * i, W) for i in (1, 2, 3, 4)}


def read_both(model: DeVOS, focus: Focus):
    """What ADVA reads at stride 8 for the whole frame, cut, and what it reads for the focus alone."""
    image, before = rand(1, 3, H * 32, W * 32), rand(1, 3, H * 32, W * 32, seed=1)
    motion = Motion(8 * rand(1, 2, H * 4, W * 4), 8 * rand(1, 2, H * 4, W * 4))
    with torch.no_grad():
        features = model.encode(image)
        first = masks((slice(20, 30), slice(20, 40)), slots=model.config.num_slots + 1)
        used = torch.ones(first.shape[:2], dtype=torch.bool)
        memory = model.step(before, None, Memory(), used, Given(first, used)).memory
        assert memory.previous is not None
        looked = model.look(features, memory.previous.features, motion)
        whole = model.read_previous(features, looked, memory.previous.values)[8]
        part = model.read_previous(features, looked, memory.previous.values, focus)[8]
    return [(focus.cut(a, 8), b) for a, b in zip(whole, part, strict=True)]


def test_what_is_read_for_a_part_of_the_frame_is_what_is_read_there_for_the_whole(model):
    for adva in model.adva.values():  # it looks somewhere else for each query
        torch.nn.init.normal_(adva.shape[2].weight, std=0.1)
    for expected, found in read_both(model, SOME):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def follow(model: DeVOS, first: torch.Tensor, *, focused: bool):
    used = torch.ones(first.shape[:2], dtype=torch.bool)
    used[:, 1] = False
    motion = Motion(torch.zeros(1, 2, H * 4, W * 4), torch.zeros(1, 2, H * 4, W * 4))
    with torch.no_grad():
        memory = model.step(rand(1, 3, H * 32, W * 32), None, Memory(), used, Given(first, used)).memory
        image = rand(1, 3, H * 32, W * 32, seed=1)
        return model.step(image, motion, memory, used, focused=focused)


def test_where_objects_are_everywhere_a_focused_step_is_the_whole_one(model):
    corners = masks((slice(0, 2), slice(0, 2)), (slice(-2, None), slice(-2, None)), slots=4)
    whole, focused = (follow(model, corners, focused=each) for each in (False, True))
    assert torch.equal(whole.logits, focused.logits)


def test_beyond_the_focus_all_is_background_for_certain(model):
    output = follow(model, masks((slice(24, 32), slice(40, 48)), slots=4), focused=True)
    assert output.logits.shape == (1, 4, H * 8, W * 8)
    assert (output.logits[:, 1] == ABSENT).all()  # not used, inside neither
    certain = output.probabilities[0, 0] == 1
    assert certain[:8].all() and certain[:, :8].all() and certain[:, -8:].all()
    assert not certain[24:32, 40:48].any()
    torch.testing.assert_close(output.probabilities.sum(1), torch.ones(1, H * 8, W * 8))


@pytest.mark.parametrize("matching", [Matching(strides=(16,), long_term_strides=(16,)), Matching(strides=(16, 32))])
def test_a_network_without_matching_at_stride_8_is_focused_too(tiny, matching):
    torch.manual_seed(0)
    model = DeVOS(replace(tiny, matching=matching)).eval()
    output = follow(model, masks((slice(24, 32), slice(40, 48)), slots=4), focused=True)
    assert (output.probabilities[0, 0, :8] == 1).all()


def test_without_the_bank_at_stride_16_the_whole_frame_is_computed(tiny):
    """As in an ablation: nothing could tell where an object comes back."""
    torch.manual_seed(0)
    model = DeVOS(replace(tiny, matching=Matching(long_term_strides=(32,)))).eval()
    first = masks((slice(24, 32), slice(40, 48)), slots=4)
    whole, focused = (follow(model, first, focused=each) for each in (False, True))
    assert torch.equal(whole.logits, focused.logits)
