from __future__ import annotations

import numpy as np
import pytest

from devos.data.synthetic.traps import LURE, TRAPS, make_trap


def areas(clip, label):
    return (clip.labels == label).mean((1, 2))


def test_a_trap_is_the_same_every_time_and_another_with_another_seed():
    one, again, other = make_trap("twins"), make_trap("twins"), make_trap("twins", seed=1)
    assert np.array_equal(one.images, again.images) and np.array_equal(one.labels, again.labels)
    assert not np.array_equal(one.images, other.images)


@pytest.mark.parametrize("trap", TRAPS)
def test_every_trap_shows_its_object_on_the_first_frame(trap):
    clip = make_trap(trap, seed=3)
    assert areas(clip, 1)[0] > 0.005 and len(clip.images) == len(clip.labels)


def test_traps_do_what_they_are_called():
    late = areas(make_trap("late-and-far"), LURE)
    assert late[0] == 0 and late[-1] > 0.01
    gone = make_trap("leaves-a-double")
    assert areas(gone, 1)[-1] == 0 and areas(gone, LURE)[-1] > 0.01
    away = areas(make_trap("returns-after-60"), 1) == 0
    assert away.sum() >= 60 and not away[-1]
    small, large = areas(make_trap("shrinks"), 1), areas(make_trap("grows"), 1)
    assert small[-1] < 0.1 * small[0] and large[-1] > 8 * large[0]
