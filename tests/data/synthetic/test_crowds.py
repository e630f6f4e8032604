from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from devos.data.clips import choose_objects
from devos.data.photos import Photo
from devos.data.synthetic.crowds import crowd_of_copies, crowd_of_mates


def outlines(layers) -> set[tuple[tuple[int, int], bytes]]:
    return {(layer.look.cutout.alpha.shape, layer.look.cutout.alpha.tobytes()) for layer in layers}


@pytest.mark.parametrize("seed", range(6))
def test_a_crowd_of_copies_is_one_outline_many_times(make_setting, seed):
    layers = crowd_of_copies(make_setting(crowd_size=(3, 8)), np.random.default_rng(seed))
    assert 3 <= len(layers) <= 8
    assert len(outlines(layers)) == 1


def test_a_crowd_is_made_of_what_its_photo_shows_whole(make_setting):
    setting = make_setting()
    rgb, labels = setting.photos[0].rgb, np.zeros((100, 120), np.uint8)
    labels[:60, :50], labels[70:95, 60:100] = 1, 2
    photos = (setting.photos[0], Photo(rgb, labels))
    for seed in range(8):
        layers = crowd_of_copies(replace(setting, photos=photos), np.random.default_rng(seed))
        # The whole one is broad, the cut one high; it is the only choice where chance names no other.
        broad = [layer.look.cutout.alpha.shape[1] > layer.look.cutout.alpha.shape[0] for layer in layers]
        chosen = choose_objects(labels, 4, _after_the_count(setting, seed), 0.02)
        assert all(broad) == (2 in chosen)


def _after_the_count(setting, seed: int) -> np.random.Generator:
    rng = np.random.default_rng(seed)
    least, most = setting.config.crowd_size
    rng.integers(least, most + 1)
    return rng


def test_most_of_a_crowd_is_followed_and_some_distract(make_setting):
    layers = [one for seed in range(20) for one in crowd_of_copies(make_setting(), np.random.default_rng(seed))]
    assert 0.7 < np.mean([layer.followed for layer in layers]) < 0.97


def test_a_crowd_of_mates_is_of_several_photos(make_setting):
    setting = make_setting()
    for seed in range(6):
        layers = crowd_of_mates(setting, np.random.default_rng(seed))
        assert 3 <= len(layers) <= 6
        assert len(outlines(layers)) >= 2
    # A ground alone has nobody to walk over it.
    alone = make_setting()
    assert crowd_of_mates(type(alone)(alone.config, alone.photos[:1], alone.camera), np.random.default_rng(0)) == []
    assert crowd_of_copies(type(alone)(alone.config, alone.photos[:1], alone.camera), np.random.default_rng(0)) == []


def test_members_pass_each_other(make_setting):
    passed = []
    for seed in range(20):
        layers = crowd_of_copies(make_setting(), np.random.default_rng(seed))
        across = np.array([[layer.path.centre(t)[0] for layer in layers] for t in (0, 5)])
        order = np.sign(across[:, :, None] - across[:, None, :])
        passed.append((order[0] != order[1]).any())
    assert np.mean(passed) > 0.5


def test_who_stands_lower_is_mostly_in_front(make_setting):
    rising = []
    for seed in range(20):
        down = [layer.path.centre(0)[1] for layer in crowd_of_copies(make_setting(), np.random.default_rng(seed))]
        rising += list(np.diff(down) > 0)
    assert np.mean(rising) > 0.7


def test_far_crowds_are_half_as_tall_and_others_stay_what_they_were(make_setting):
    def heights(**shares) -> list[int]:
        layers = [one for seed in range(12) for one in crowd_of_copies(make_setting(crowd_size=(4, 4), **shares),
                                                                       np.random.default_rng(seed))]  # fmt: skip
        windows = [layer.path.window(0, 0)[0] for layer in layers]
        return [window.stop - window.start for window in windows]

    assert 0.4 < np.median(heights(far=1.0)) / np.median(heights(far=0.0)) < 0.65
    assert heights(far=0.0) == heights()
