from __future__ import annotations

import numpy as np
import pytest

from devos.data.synthetic.tracks import away_and_back, bouncing, crossing, drifting, moving_camera, still_camera

SEEDS = range(20)


@pytest.mark.parametrize("seed", SEEDS)
def test_what_leaves_is_out_of_sight_in_the_middle_and_back_at_the_end(seed):
    rng = np.random.default_rng(seed)
    start, size, reach = rng.uniform(20, 80, 2), 100, 15.0
    track = away_and_back(drifting(start, 1.0, 7, 2.0, rng), reach, size, rng)
    assert np.allclose(track.centres[0], start)
    beyond = np.maximum(-track.centres, track.centres - size).max(1)
    assert beyond[3] >= reach
    assert beyond[-1] < 0 or np.abs(track.centres[-1] - start).max() <= 0.15 * size


@pytest.mark.parametrize("seed", SEEDS)
def test_fast_things_stay_in_the_frame_and_go_their_steps(seed):
    rng = np.random.default_rng(seed)
    track = bouncing(rng.uniform(10, 90, 2), 1.0, 8, 12.0, 100.0, rng)
    assert (track.centres >= 0).all()
    assert (track.centres <= 100).all()
    steps = np.linalg.norm(np.diff(track.centres, axis=0), axis=1)
    # Shorter only where it is thrown back.
    assert steps.max() > 8
    assert np.mean(steps) > 4


@pytest.mark.parametrize("seed", SEEDS)
def test_who_crosses_goes_towards_the_target_and_not_faster_than_allowed(seed):
    start, target = np.array([10.0, 50.0]), np.array([90.0, 50.0])
    free, slow = (crossing(start, target, 1.0, 6, most, np.random.default_rng(seed)) for most in (100.0, 4.0))
    assert free.centres[-1, 0] > 50
    assert (np.diff(free.centres[:, 0]) > 0).all()
    assert slow.centres[-1, 0] - slow.centres[0, 0] <= 4 * 5 + 1e-6


def test_a_camera_starts_where_things_are_and_moves_then():
    for seed in SEEDS:
        camera = moving_camera(5, 100, np.random.default_rng(seed))
        assert np.allclose(camera[0], np.eye(3))
        assert np.abs(camera[-1] - np.eye(3)).max() > 0.5
        # What is 100 pixels wide is neither lost nor blown up.
        assert 0.7 < np.linalg.det(camera[-1][:2, :2]) < 1.4
    assert np.array_equal(still_camera(3), np.stack([np.eye(3)] * 3))
