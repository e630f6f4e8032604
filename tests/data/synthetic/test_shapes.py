from __future__ import annotations

import cv2
import numpy as np
import pytest

from devos.data.synthetic import shapes
from devos.data.synthetic.shapes import draw_occluder, draw_post, draw_shape, take_texture

EVERY = sorted({*shapes._SHAPES, *shapes._OCCLUDERS, *shapes._POSTS}, key=lambda shape: shape.__name__)


@pytest.mark.parametrize("shape", EVERY, ids=lambda shape: shape.__name__.strip("_"))
def test_every_shape_is_one_thing_of_some_size(shape):
    for seed in range(10):
        canvas = np.zeros((120, 120), np.uint8)
        shape(canvas, np.random.default_rng(seed))
        count, _, stats, _ = cv2.connectedComponentsWithStats((canvas > 127).astype(np.uint8))
        areas = sorted(stats[1:count, cv2.CC_STAT_AREA])
        assert areas[-1] > 0.02 * canvas.size
        assert areas[-1] > 0.8 * sum(areas)


def holes(alpha: np.ndarray) -> int:
    outlines, levels = cv2.findContours((alpha > 127).astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    return sum(level[3] >= 0 for level, _ in zip(levels[0], outlines, strict=True))


def test_wheels_have_gaps_between_their_spokes():
    for seed in range(10):
        canvas = np.zeros((200, 200), np.uint8)
        shapes._wheel(canvas, np.random.default_rng(seed))
        assert holes(canvas) >= 4


def test_a_drawn_thing_has_the_size_that_was_asked_for_and_a_texture(photos):
    for draw in (draw_shape, draw_occluder, draw_post):
        things = [draw(photos, 40.0, np.random.default_rng(seed)) for seed in range(20)]
        assert all(10 <= max(thing.alpha.shape) <= 44 for thing in things)
        assert all((thing.alpha > 127).any() for thing in things)
        plain = [thing.rgb[thing.alpha > 127].std() < 1 for thing in things]
        assert np.mean(plain) < 0.3


def test_textures_need_no_photos():
    textures = [take_texture([], 30, np.random.default_rng(seed)) for seed in range(10)]
    assert all(texture.shape == (30, 30, 3) for texture in textures)
    assert len({texture.tobytes() for texture in textures}) == 10
