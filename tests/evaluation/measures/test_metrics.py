from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from devos.evaluation.measures.metrics import (
    Outline,
    Statistics,
    _first_and_last_quarter,
    boundary_accuracy,
    boundary_map,
    boundary_radius,
    region_similarity,
    score_mask,
    score_outlines,
    widen,
    window_of,
)
from devos.frames import FrameSize


def from_unit(points, size):
    mask = np.zeros(size, bool)
    if isinstance(points, dict):
        top, bottom, left, right = points["bbox_y0y1x0x1"]
        mask[top:bottom, left:right] = True
    else:
        for y, x in points:
            mask[y, x] = True
    return mask


def literal_boundary_map(mask):
    """The definition, a pixel at a time."""
    height, width = mask.shape
    edge = np.zeros_like(mask)
    for y in range(height):
        for x in range(width):
            right, down = min(x + 1, width - 1), min(y + 1, height - 1)
            others = [mask[y, right], mask[down, x]]
            if x < width - 1 and y < height - 1:
                others.append(mask[down, right])
            edge[y, x] = any(other != mask[y, x] for other in others)
    return edge


def literal_boundary_accuracy(predicted, truth):
    """The definition, on the whole frame, by the distance of each pair of boundary pixels."""
    radius = boundary_radius(FrameSize(*truth.shape))
    ours, theirs = (np.argwhere(literal_boundary_map(mask)) for mask in (predicted, truth))
    if len(ours) == 0 or len(theirs) == 0:
        return float(len(ours) == len(theirs))
    near = np.linalg.norm(ours[:, None] - theirs[None], axis=2) <= radius
    precision, recall = near.any(1).mean(), near.any(0).mean()
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


@st.composite
def mask_pairs(draw):
    """Two masks of one size, each a rectangle, noise or nothing; wide enough for a radius of several pixels."""
    height, width = draw(st.integers(1, 14)), draw(st.sampled_from([1, 2, 9, 40, 260]))
    masks = []
    for _ in range(2):
        mask = np.zeros((height, width), bool)
        top, left = draw(st.integers(0, height)), draw(st.integers(0, width))
        mask[top : draw(st.integers(0, height)), left : draw(st.integers(0, width))] = True
        if draw(st.booleans()):
            mask[:, : min(width, 9)] ^= draw(arrays(bool, (height, min(width, 9))))
        masks.append(mask)
    return masks


def test_boundary_maps_are_those_of_the_official_program(golden):
    for unit in golden["units"]["boundary_maps"]:
        ours = boundary_map(np.array(unit["seg"], bool))
        np.testing.assert_array_equal(ours, np.array(unit["bmap"], bool))


def test_boundary_radii_are_those_of_the_official_program(golden):
    for unit in golden["units"]["radii"]:
        assert boundary_radius(FrameSize(*unit["size"])) == unit["radius"], unit


def test_single_frames_score_as_in_the_official_program(golden):
    for unit in golden["units"]["pairs"]:
        truth, predicted = (from_unit(unit[key], unit["size"]) for key in ("gt", "pred"))
        assert score_mask(predicted, truth) == pytest.approx((unit["J"], unit["F"]), abs=1e-12), unit["name"]


def test_statistics_are_those_of_the_official_program(golden):
    for unit in golden["units"]["statistics"]:
        ours = Statistics.of([float(value) for value in unit["values"]])
        assert (ours.mean, ours.recall, ours.decay) == pytest.approx((unit["mean"], unit["recall"], unit["decay"]))


def test_quarters_are_right_also_for_videos_too_long_for_eight_bits(golden):
    for unit in golden["units"]["edges"]:
        edges = unit["edges"]
        assert _first_and_last_quarter(unit["n"]) == ((edges[0], edges[1]), (edges[3], edges[4])), unit["n"]


def test_decay_of_a_long_video_is_what_its_quarters_say():
    values = [1.0] * 100 + [0.5] * 200 + [0.25] * 100
    assert Statistics.of(values).decay == pytest.approx((100 + 0.5) / 101 - (0.5 + 25) / 101)


def test_statistics_of_one_frame_have_no_decay():
    assert Statistics.of([0.7]) == Statistics(mean=0.7, recall=1.0, decay=0.0, values=(0.7,))


def test_statistics_of_no_frame_are_refused():
    with pytest.raises(ValueError, match="at least one"):
        Statistics.of([])


def test_a_value_of_one_half_is_not_found():
    assert Statistics.of([0.5, 0.5]).recall == 0.0


def test_two_empty_masks_agree_fully():
    empty = np.zeros((4, 5), bool)
    assert score_mask(empty, empty) == (1.0, 1.0)


def test_one_false_pixel_where_nothing_is_scores_nothing():
    empty = np.zeros((40, 50), bool)
    pixel = empty.copy()
    pixel[20, 20] = True
    assert score_mask(pixel, empty) == (0.0, 0.0)


def test_a_full_frame_has_no_boundary_so_that_an_empty_prediction_agrees_with_it():
    full = np.ones((4, 5), bool)
    assert score_mask(~full, full) == (0.0, 1.0)


@settings(max_examples=150, deadline=None)
@given(mask_pairs())
def test_the_windowed_measures_equal_the_literal_ones_on_the_whole_frame(masks):
    predicted, truth = masks
    scores = score_mask(predicted, truth)
    assert math.isclose(scores.boundary, literal_boundary_accuracy(predicted, truth), abs_tol=1e-12)
    assert scores.region == region_similarity(predicted, truth)


@settings(max_examples=50, deadline=None)
@given(mask_pairs())
def test_both_measures_are_symmetric_and_between_0_and_1(masks):
    a, b = masks
    assert region_similarity(a, b) == region_similarity(b, a)
    assert math.isclose(boundary_accuracy(a, b), boundary_accuracy(b, a), abs_tol=1e-12)
    assert 0 <= region_similarity(a, b) <= 1
    assert 0 <= boundary_accuracy(a, b) <= 1


@settings(max_examples=60, deadline=None)
@given(
    arrays(bool, st.tuples(st.integers(1, 20), st.integers(1, 150)), elements=st.just(False)),
    st.lists(st.tuples(st.integers(0, 19), st.integers(0, 149)), max_size=6),
    st.integers(0, 90),
)
def test_widening_reaches_just_the_disk_at_any_size_and_radius(edge, points, radius):
    height, width = edge.shape
    for y, x in points:
        edge[y % height, x % width] = True
    ys, xs = np.mgrid[:height, :width]
    wanted = np.zeros_like(edge)
    for y, x in np.argwhere(edge):
        wanted |= (ys - y) ** 2 + (xs - x) ** 2 <= radius**2
    np.testing.assert_array_equal(widen(edge, radius), wanted)


@pytest.mark.parametrize("radius", [1, 5, 13, 20, 63, 64, 70])
@pytest.mark.parametrize("corner", [(0, 0), (0, -1), (-1, 0), (-1, -1)])
def test_widening_has_no_gap_at_the_corners_of_the_frame(corner, radius):
    edge = np.zeros((90, 128), bool)
    edge[corner] = True
    ys, xs = np.mgrid[:90, :128]
    y, x = corner[0] % 90, corner[1] % 128
    np.testing.assert_array_equal(widen(edge, radius), (ys - y) ** 2 + (xs - x) ** 2 <= radius**2)


@settings(max_examples=60, deadline=None)
@given(mask_pairs())
def test_outlines_score_as_the_masks_that_they_are_of(masks):
    size = FrameSize(*masks[0].shape)
    outlines = [Outline.of(mask, size) for mask in masks]
    assert score_outlines(*outlines) == score_mask(*masks)


@settings(max_examples=60, deadline=None)
@given(mask_pairs())
def test_a_window_of_a_frame_scores_as_the_frame(masks):
    window = window_of(*masks)
    cut = [np.ascontiguousarray(mask[window]) for mask in masks]
    assert score_mask(*cut, FrameSize(*masks[0].shape)) == score_mask(*masks)
