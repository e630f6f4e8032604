from __future__ import annotations

import numpy as np
import pytest

from devos.data.photos import Photo
from devos.data.synthetic.looks import Cutout, Look, cut, shading, sweeping, tinted, unfolding

RED, GREEN = (200, 30, 30), (20, 160, 40)


@pytest.fixture
def red_on_green() -> Photo:
    rgb, labels = np.full((60, 80, 3), GREEN, np.uint8), np.zeros((60, 80), np.uint8)
    rgb[10:50, 20:60], labels[10:50, 20:60] = RED, 4
    return Photo(rgb, labels)


def test_a_cut_out_takes_nothing_of_its_surroundings_along(red_on_green):
    for extent in (100.0, 20.0):
        cutout = cut(red_on_green, 4, extent, 0.7)
        side = min(40, round(extent)) + 4
        assert cutout.alpha.shape == cutout.rgb.shape[:2] == (side, side)
        assert (cutout.alpha[0] < 60).all()
        assert (cutout.alpha[5:-5, 5:-5] > 250).all()
        shown = cutout.rgb[cutout.alpha > 0].astype(int)
        assert np.abs(shown - RED).max() <= 3


def test_another_instance_has_the_same_outline_and_often_the_same_colours(red_on_green):
    cutout = cut(red_on_green, 4, 40.0, 0.7)
    others = [tinted(cutout, np.random.default_rng(seed)) for seed in range(40)]
    assert all(np.array_equal(other.alpha, cutout.alpha) for other in others)
    same = sum(np.array_equal(other.rgb, cutout.rgb) for other in others)
    assert 6 <= same <= 24
    # It can be told apart by its colours seldom, but it is never another thing.
    assert np.median([np.abs(other.rgb.astype(int) - cutout.rgb).mean() for other in others]) < 40


def test_shading_changes_slowly_and_leaves_the_outline_alone():
    cutout = Cutout(np.full((20, 30, 3), 100, np.uint8), np.full((20, 30), 200, np.uint8))
    look = Look(cutout, shading(6, np.random.default_rng(0)))
    frames = np.stack([look.at(t) for t in range(6)]).astype(int)
    assert (frames[..., 3] == 200).all()
    steps = np.abs(np.diff(frames[..., :3], axis=0)).mean((1, 2, 3))
    assert (steps > 0.5).all()
    assert (steps < 20).all()


def test_another_texture_comes_in_from_one_side_and_only_there():
    cutout = Cutout(np.full((40, 40, 3), RED, np.uint8), np.full((40, 40), 255, np.uint8))
    texture = np.full((9, 9, 3), GREEN, np.uint8)
    for seed in range(10):
        look = Look(cutout, sweep=sweeping((40, 40), texture, 6, np.random.default_rng(seed)))
        green = [(np.abs(look.at(t)[..., :3].astype(int) - GREEN).max(2) < 20).mean() for t in range(6)]
        assert green == sorted(green)
        assert green[-1] > green[0] + 0.04
        assert all((look.at(t)[..., 3] == 255).all() for t in range(6))


def test_what_unfolds_shows_a_part_first_and_more_of_itself_later_or_the_other_way_round():
    whole = Cutout(np.full((40, 30, 3), RED, np.uint8), np.full((40, 30), 255, np.uint8))
    grows = 0
    for seed in range(20):
        look = Look(whole, unfolding=unfolding((40, 30), 6, np.random.default_rng(seed)))
        shown = [np.mean(look.at(t)[..., 3] > 127) for t in range(6)]
        assert 0.15 < min(shown) < 0.8
        assert max(shown) > 0.75
        assert shown == sorted(shown) or shown == sorted(shown, reverse=True)
        grows += shown[-1] > shown[0]
        assert (look.at(5)[..., :3] == RED).all()
    assert 11 <= grows <= 19
