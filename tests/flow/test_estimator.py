from __future__ import annotations

import cv2
import numpy as np
import pytest

from devos.errors import OptionError
from devos.flow import estimator
from devos.flow.estimator import FLOW_NAMES, DisFlow, FlowEstimator, FlowPair, GivenFlow, NoFlow, create_flow
from devos.flow.warp import resize_field, warp_to_current


def texture(seed: int, height: int, width: int) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 256, (height // 8, width // 8, 3), np.uint8)
    return cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)


def shifted_pair(dx: int, dy: int, height: int = 96, width: int = 160) -> tuple[np.ndarray, np.ndarray]:
    """Two windows of one texture: what is seen moves by (dx, dy) pixels from the first to the second."""
    whole = texture(0, height + 64, width + 64)
    return (whole[32 : 32 + height, 32 : 32 + width].copy(),
            whole[32 - dy : 32 - dy + height, 32 - dx : 32 - dx + width].copy())  # fmt: skip


@pytest.mark.parametrize(("dx", "dy"), [(6, 0), (0, -4), (-8, 5)])
def test_dis_finds_a_known_shift_in_pixels_of_the_full_size(dx, dy):
    previous, current = shifted_pair(dx, dy)
    pair = DisFlow().estimate(previous, current)
    assert pair.to_prev.shape == pair.to_curr.shape == (2, 48, 80)
    inner = (slice(None), slice(12, -12), slice(12, -12))
    np.testing.assert_allclose(np.median(pair.to_prev[inner], (1, 2)), [-dx, -dy], atol=0.5)
    np.testing.assert_allclose(np.median(pair.to_curr[inner], (1, 2)), [dx, dy], atol=0.5)


def test_each_field_lives_on_its_own_frames_grid():
    """A square moves right by 8: its flow is where it is now in one field, where it was in the other."""
    background = texture(1, 96, 160) // 4
    square = texture(2, 32, 32) // 2 + 120
    previous, current = background.copy(), background.copy()
    previous[32:64, 40:72] = square
    current[32:64, 48:80] = square
    pair = DisFlow().estimate(previous, current)
    assert np.median(pair.to_prev[0, 18:30, 26:38]) == pytest.approx(-8, abs=1)
    assert np.median(pair.to_curr[0, 18:30, 22:34]) == pytest.approx(8, abs=1)
    assert abs(np.median(pair.to_prev[0, :, 60:])) < 0.5


def test_warping_by_to_prev_brings_the_previous_picture_to_the_current_one():
    previous, current = shifted_pair(6, -4)
    to_prev = resize_field(DisFlow().estimate(previous, current).to_prev, 96, 160)
    warped = warp_to_current(previous, to_prev)
    inner = (slice(16, -16), slice(16, -16))
    before = np.abs(previous[inner].astype(int) - current[inner]).mean()
    after = np.abs(warped[inner].astype(int) - current[inner]).mean()
    assert after < before / 5


def test_labels_are_warped_whole_and_what_comes_from_outside_is_background():
    labels = np.full((6, 8), 7, np.uint8)
    field = np.zeros((2, 6, 8), np.float32)
    field[0] = 2.4
    warped = warp_to_current(labels, field, nearest=True)
    assert set(np.unique(warped)) == {0, 7}
    assert (warped[:, :6] == 7).all()
    assert not warped[:, 6:].any()


def test_a_resized_field_keeps_its_unit():
    field = np.full((2, 4, 6), 3, np.float32)
    assert (resize_field(field, 8, 12) == 3).all()
    assert resize_field(field, 8, 12).shape == (2, 8, 12)


@pytest.mark.parametrize("size", [(2, 2), (16, 64), (30, 30), (64, 64)])
def test_small_pictures_have_some_flow_and_never_fail(size):
    pair = DisFlow().estimate(texture(3, 64, 64)[: size[0], : size[1]], texture(4, 64, 64)[: size[0], : size[1]])
    assert pair.to_prev.shape == (2, size[0] // 2, size[1] // 2)
    assert np.isfinite(pair.to_prev).all()
    if min(size) < 32:
        assert not pair.to_prev.any()


def test_none_is_zero_whatever_moves():
    pair = NoFlow().estimate(*shifted_pair(6, 0))
    assert pair.to_prev.shape == (2, 48, 80)
    assert not pair.to_prev.any()
    assert not pair.to_curr.any()


def test_given_flow_is_handed_on_and_its_shape_is_checked():
    right, wrong = np.ones((2, 48, 80), np.float32), np.ones((2, 96, 160), np.float32)
    previous, current = shifted_pair(0, 0)
    assert GivenFlow(lambda *_: FlowPair(right, right)).estimate(previous, current).to_prev is right
    with pytest.raises(ValueError, match=r"must have shape \(2, 48, 80\) .* got \(2, 96, 160\)"):
        GivenFlow(lambda *_: FlowPair(wrong, wrong)).estimate(previous, current)


def test_an_estimator_is_made_by_its_name():
    for name in ("dis", "none"):
        flow = create_flow(name)
        assert isinstance(flow, FlowEstimator)
        assert flow.name == name
        assert name in FLOW_NAMES


def test_an_unknown_name_is_answered_with_those_there_are():
    with pytest.raises(OptionError, match=r"'farneback'; choose one of dis, none, raft"):
        create_flow("farneback")


def test_raft_without_torchvision_says_what_to_do(monkeypatch):
    monkeypatch.setattr(estimator.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(OptionError, match=r"needs torchvision.*install .*, or use --flow dis"):
        create_flow("raft")
