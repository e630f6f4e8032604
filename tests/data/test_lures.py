from __future__ import annotations

import numpy as np
import pytest

from devos.data.clips import Footage
from devos.data.lures import Way, add_lure, cut_away

SIZE, LENGTH = 64, 7


def square_clip(colour, left=24, step=0):
    """A square of a colour on black, object 1, that moves to the right by `step` pixels a frame."""
    images, labels = np.zeros((LENGTH, SIZE, SIZE, 3), np.uint8), np.zeros((LENGTH, SIZE, SIZE), np.uint8)
    for t in range(LENGTH):
        place = np.s_[t, 24:40, left + step * t : left + step * t + 16]
        images[place], labels[place] = colour, 1
    return Footage(images, labels, "square")


@pytest.mark.parametrize("way", list(Way))
def test_a_lure_is_seen_and_is_background(way):
    clip, again = square_clip((200, 40, 40)), square_clip((40, 200, 40), left=10)
    seen = 0
    for seed in range(8):
        lured = add_lure(clip, again, np.random.default_rng(seed), way)
        pasted = lured.images[..., 1] > lured.images[..., 0]  # green over red
        assert not (lured.labels[pasted] > 0).any()
        assert (lured.labels[0] == 1).sum() >= 0.5 * (clip.labels[0] == 1).sum()
        seen += bool(pasted.any())
    assert seen >= 6


def test_a_late_lure_is_not_there_at_first():
    clip, again = square_clip((200, 40, 40)), square_clip((40, 200, 40))
    lured = add_lure(clip, again, np.random.default_rng(0), Way.LATE)
    assert np.array_equal(lured.images[0], clip.images[0]) and not np.array_equal(lured.images[-1], clip.images[-1])


def test_an_object_that_the_border_cuts_is_no_lure():
    clip = square_clip((200, 40, 40))
    assert add_lure(clip, square_clip((40, 200, 40), left=0), np.random.default_rng(0)) is clip


def test_a_cut_shows_the_other_clip_and_nothing_to_follow():
    clip, other = square_clip((200, 40, 40)), square_clip((40, 40, 200), left=8)
    for seed in range(10):
        cut = cut_away(clip, other, np.random.default_rng(seed))
        away = (cut.images == other.images).all((1, 2, 3))
        assert away.any() and not away[:2].any()
        assert not cut.labels[away].any() and cut.labels[~away].any((1, 2)).all()
