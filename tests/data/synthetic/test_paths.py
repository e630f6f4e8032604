from __future__ import annotations

import numpy as np
import pytest

from devos.data.synthetic.paths import Path, bend_randomly, lay
from devos.data.synthetic.render import pixel_grid
from devos.data.synthetic.tracks import drifting, moving_camera

SIZE, SHAPE, LENGTH = 96, (40, 60), 5


def wild_path(seed: int, *, waving: bool = True) -> Path:
    rng = np.random.default_rng(seed)
    bends = bend_randomly(SHAPE, LENGTH, 0.05, waving, rng)
    track = drifting(rng.uniform(30, 60, 2), rng.uniform(0.5, 1.5), LENGTH, 4.0, rng)
    return lay(track, moving_camera(LENGTH, SIZE, rng), SHAPE, SIZE, bends)


@pytest.mark.parametrize("seed", range(12))
def test_what_is_located_on_the_picture_is_found_on_the_frame_again(seed):
    path, grid = wild_path(seed), pixel_grid(SIZE, 1.0)
    for t in range(LENGTH):
        on_photo = path.locate(t, grid)
        height, width = SHAPE
        on_it = (on_photo > 0).all(2) & (on_photo[..., 0] < width) & (on_photo[..., 1] < height)
        error = np.linalg.norm(path.find(t, on_photo) - grid, axis=2)[on_it]
        assert error.size == 0 or error.max() < 0.25


@pytest.mark.parametrize("seed", range(12))
def test_nothing_is_seen_outside_of_the_window(seed):
    path, grid = wild_path(seed), pixel_grid(SIZE, 1.0)
    for t in range(LENGTH):
        on_photo = path.locate(t, grid)
        seen = (on_photo > -1).all(2) & (on_photo[..., 0] < SHAPE[1]) & (on_photo[..., 1] < SHAPE[0])
        seen[path.window(t)] = False
        assert not seen.any()


@pytest.mark.parametrize("seed", range(12))
def test_a_bending_never_folds(seed):
    bends = bend_randomly(SHAPE, LENGTH, 0.3, True, np.random.default_rng(seed))
    cell = np.array([SHAPE[1], SHAPE[0]]) / bends.shape[1]
    along_x, along_y = np.diff(bends, axis=2)[:, :-1] / cell[0], np.diff(bends, axis=1)[:, :, :-1] / cell[1]
    turned = (1 + along_x[..., 0]) * (1 + along_y[..., 1]) - along_x[..., 1] * along_y[..., 0]
    assert turned.min() > 0.1


def test_waves_bend_more_than_the_usual_and_change_from_frame_to_frame():
    def change(waving):
        many = [bend_randomly(SHAPE, LENGTH, 0.01, waving, np.random.default_rng(seed)) for seed in range(10)]
        return np.mean([np.abs(np.diff(bends, axis=0)).mean() for bends in many])

    assert change(True) > 2 * change(False) > 0
    assert bend_randomly(SHAPE, LENGTH, 0.001, False, np.random.default_rng(0)) is None
