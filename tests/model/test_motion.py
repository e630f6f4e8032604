from __future__ import annotations

import pytest
import torch

from devos.model.config import ModelConfig
from devos.model.encoder import Features
from devos.model.identity import IdentityEncoder
from devos.model.motion import FlowEncoder, Motion, cell_grid, disagreement, normalised


def test_an_untrained_flow_path_says_nothing(tiny: ModelConfig):
    forward, backward = FlowEncoder(tiny)(Motion(torch.randn(2, 2, 8, 12) * 20, torch.randn(2, 2, 8, 12) * 20))
    for stride in (8, 16, 32):
        for embedding in (forward.at(stride), backward.at(stride)):
            assert embedding.shape == (2, tiny.width_at(stride), 64 // stride, 96 // stride)
            assert not embedding.any()


def test_the_two_directions_have_the_same_encoder(tiny: ModelConfig):
    encoder = FlowEncoder(tiny)
    with torch.no_grad():
        for head in encoder.heads.values():
            torch.nn.init.normal_(head.weight)
    a, b = torch.randn(1, 2, 8, 12) * 20, torch.randn(1, 2, 8, 12) * 20
    forward, backward = encoder(Motion(a, b))
    swapped_forward, swapped_backward = encoder(Motion(b, a))
    assert forward.s8.any()
    torch.testing.assert_close(forward.s16, swapped_backward.s16)
    torch.testing.assert_close(backward.s32, swapped_forward.s32)
    assert not torch.allclose(forward.s8, backward.s8)


def test_flow_is_averaged_to_stride_8_and_keeps_its_unit():
    field = torch.zeros(1, 2, 32, 48)
    field[:, 0, :4, :4] = torch.arange(16.0).view(4, 4)
    coarse = Motion(field, -field).at_stride_8(8, 12)
    assert coarse.to_prev.shape == (1, 2, 8, 12)
    assert coarse.to_prev[0, 0, 0, 0].item() == 7.5
    assert coarse.to_curr[0, 0, 0, 0].item() == -7.5
    assert coarse.at_stride_8(8, 12) is coarse


def test_a_flow_grid_that_is_no_multiple_is_refused():
    with pytest.raises(AssertionError, match="multiple"):
        Motion(torch.zeros(1, 2, 33, 48), torch.zeros(1, 2, 33, 48)).at_stride_8(8, 12)


def test_fields_that_agree_have_no_disagreement_and_others_have_its_length():
    there = torch.tensor([2.0, -1.0]).view(1, 2, 1, 1).expand(1, 2, 6, 8).contiguous()
    assert disagreement(there, -there).max() < 2e-3
    torch.testing.assert_close(disagreement(there, 2 * there), torch.full((1, 1, 6, 8), 3 * 5**0.5))


def test_grid_sampling_at_every_cells_own_place_gives_the_map_back():
    plane = torch.randn(1, 3, 4, 7)
    grid = normalised(cell_grid(4, 7, plane), 4, 7)[None]
    torch.testing.assert_close(torch.nn.functional.grid_sample(plane, grid, align_corners=False), plane)
    assert cell_grid(4, 7, plane)[1, 5].tolist() == [5, 1]


def test_values_end_with_the_mask_averaged_to_the_stride(tiny: ModelConfig):
    slots = tiny.num_slots + 1
    soft = torch.randn(2, slots, 16, 24).softmax(1)
    widths = {4: 8, 8: 16, 16: 16, 32: 16}
    features = Features(*(torch.randn(2, width, 64 // s, 96 // s) for s, width in widths.items()))
    values = IdentityEncoder(tiny)(features, soft)
    for stride in (8, 16, 32):
        assert values.at(stride).shape == (2, 16 + slots, 64 // stride, 96 // stride)
        torch.testing.assert_close(values.at(stride)[:, 16:], torch.nn.functional.avg_pool2d(soft, stride // 4))
        torch.testing.assert_close(values.at(stride)[:, 16:].sum(1), torch.ones(2, 64 // stride, 96 // stride))
