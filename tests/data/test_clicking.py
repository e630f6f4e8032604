from __future__ import annotations

import numpy as np
import pytest

from devos.data.clicking import depth, loose_box, next_click, spoil


@pytest.fixture
def disc():
    y, x = np.mgrid[:60, :80]
    return np.hypot(x - 40, y - 30) < 20


def test_the_first_click_is_in_the_middle_of_the_object(disc):
    x, y, kind = next_click(disc, np.zeros_like(disc))
    assert kind == 1
    assert abs(x - 40) <= 1 and abs(y - 30) <= 1


def test_the_next_click_is_in_the_middle_of_the_largest_error_and_says_which_kind_it_is(disc):
    answer = disc.copy()
    answer[:, :30] = False  # a part of the disc is missed
    answer[2:30, 62:80] = True  # and more is taken in
    x, y, kind = next_click(disc, answer)
    assert kind == -1
    assert answer[int(y), int(x)] and not disc[int(y), int(x)]
    assert abs(x - 71) <= 6


def test_there_is_no_click_where_all_is_right_or_nothing_is_known(disc):
    assert next_click(disc, disc) is None
    assert next_click(disc, ~disc, known=np.zeros_like(disc)) is None


def test_clicks_by_chance_lie_in_the_inner_part_of_an_error(disc):
    rng = np.random.default_rng(0)
    found = [next_click(disc, np.zeros_like(disc), rng=rng) for _ in range(50)]
    depths = depth(disc)
    assert len(set(found)) > 10
    assert all(depths[int(y), int(x)] >= 0.3 * depths.max() for x, y, _ in found)


def test_the_pictures_edge_is_a_border():
    assert depth(np.ones((5, 9), bool))[0, 4] == 1


def test_a_loose_box_holds_most_of_the_object_and_lies_within_the_picture(disc):
    rng = np.random.default_rng(1)
    for _ in range(50):
        left, top, right, bottom = loose_box(disc, rng)
        assert 0 <= left < right <= 80 and 0 <= top < bottom <= 60
        assert disc[round(top) : round(bottom), round(left) : round(right)].sum() > 0.5 * disc.sum()


def test_a_spoilt_mask_is_another_one_and_the_same_for_the_same_chance(disc):
    changed = [spoil(disc, np.random.default_rng(seed)) for seed in range(20)]
    assert all(one.shape == disc.shape and one.dtype == bool for one in changed)
    assert sum((one != disc).any() for one in changed) >= 19
    assert np.array_equal(spoil(disc, np.random.default_rng(3)), changed[3])
