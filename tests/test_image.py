from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from devos.frames import FrameSize
from devos.image import network_size, resize_rgb, to_tensor

sides = st.integers(1, 8192)


@given(height=sides, width=sides, short=st.integers(64, 1024))
def test_the_networks_size_has_sides_in_multiples_of_32_and_a_bounded_area(height, width, short):
    size = network_size(FrameSize(height, width), short)
    assert size.height % 32 == size.width % 32 == 0
    assert min(size) >= 64
    assert max(size) <= 4 * short + 16
    assert min(size) <= short + 16


@given(height=sides, width=sides)
def test_turning_a_frame_turns_its_size(height, width):
    size = network_size(FrameSize(height, width), 384)
    assert network_size(FrameSize(width, height), 384) == FrameSize(size.width, size.height)


@pytest.mark.parametrize(
    ("frame", "short", "expected"),
    [
        ((480, 854), 384, (384, 672)),
        ((1080, 1920), 480, (480, 864)),
        ((64, 96), 64, (64, 96)),
        ((1, 1000), 64, (64, 256)),
    ],
)
def test_common_frames_are_stretched_by_a_few_pixels_only(frame, short, expected):
    assert network_size(FrameSize(*frame), short) == expected


def test_a_frame_of_the_right_size_is_not_touched():
    rgb = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
    assert np.array_equal(resize_rgb(rgb, FrameSize(64, 96)), rgb)
    assert resize_rgb(rgb[:, ::-1], FrameSize(64, 96)).flags.c_contiguous


def test_shrinking_averages_so_that_no_pixel_is_skipped():
    rgb = np.zeros((64, 64, 3), np.uint8)
    rgb[::2] = 200
    assert (resize_rgb(rgb, FrameSize(32, 32)) == 100).all()


def test_a_view_with_another_order_in_memory_is_resized_like_its_copy():
    rgb = np.random.default_rng(0).integers(0, 256, (30, 50, 3), np.uint8)
    assert np.array_equal(
        resize_rgb(rgb[:, ::-1], FrameSize(64, 96)), resize_rgb(rgb[:, ::-1].copy(), FrameSize(64, 96))
    )


def test_a_picture_becomes_rgb_in_0_to_1():
    rgb = np.zeros((2, 3, 3), np.uint8)
    rgb[1, 2] = (255, 51, 0)
    tensor = to_tensor(rgb)
    assert tensor.shape == (1, 3, 2, 3)
    torch.testing.assert_close(tensor[0, :, 1, 2], torch.tensor([1.0, 0.2, 0.0]))
    assert rgb[1, 2, 0] == 255
