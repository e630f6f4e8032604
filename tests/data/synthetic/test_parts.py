from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from devos.data.synthetic.looks import Cutout, tinted
from devos.data.synthetic.parts import carrying, maybe_with_part, with_own_part
from devos.data.synthetic.plan import make_plan
from devos.data.synthetic.render import draw, pixel_grid

BLUE, YELLOW = (20, 40, 200), (220, 200, 30)


@pytest.fixture
def blue_with_yellow() -> Cutout:
    """A blue thing of 60 x 40 whose upper third is yellow."""
    rgb, alpha = np.full((64, 44, 3), BLUE, np.uint8), np.zeros((64, 44), np.uint8)
    rgb[:22] = YELLOW
    alpha[2:-2, 2:-2] = 255
    return Cutout(rgb, alpha)


def shares(cutout: Cutout) -> float:
    assert cutout.part is not None
    return float(((cutout.part > 127) & (cutout.alpha > 127)).sum() / (cutout.alpha > 127).sum())


def test_an_own_part_is_of_one_colour_and_of_a_fair_size(blue_with_yellow):
    found = [with_own_part(blue_with_yellow, np.random.default_rng(seed)) for seed in range(10)]
    parts = [one for one in found if one.part is not None]
    assert len(parts) >= 5
    for one in parts:
        assert 0.05 <= shares(one) <= 0.5
        assert np.array_equal(one.rgb, blue_with_yellow.rgb)
    # With two clusters, the yellow is a part exactly but for its smoothed corners.
    yellow = (blue_with_yellow.rgb == YELLOW).all(-1) & (blue_with_yellow.alpha > 127)
    best = max(((one.part > 127) & yellow).sum() / ((one.part > 127) | yellow).sum() for one in parts)
    assert best > 0.9


def test_a_thing_too_small_to_have_parts_has_none():
    tiny = Cutout(np.zeros((6, 6, 3), np.uint8), np.full((6, 6), 255, np.uint8))
    assert with_own_part(tiny, np.random.default_rng(0)).part is None


def test_what_is_carried_is_in_front_and_the_whole_is_both(make_setting, blue_with_yellow):
    setting = make_setting()
    found = [carrying(blue_with_yellow, setting, np.random.default_rng(seed)) for seed in range(12)]
    loaded = [one for one in found if one.part is not None]
    assert len(loaded) >= 4
    for one in loaded:
        assert 0.05 <= shares(one) <= 0.5
        assert one.rgb.shape[:2] == one.alpha.shape == one.part.shape
        assert ((one.alpha > 127) >= (one.part > 127)).all()
        # What is not the load is the carrier as it was.
        rest = (one.alpha > 250) & (one.part == 0)
        colours = {tuple(int(x) for x in colour) for colour in one.rgb[rest]}
        assert colours <= {BLUE, YELLOW}
    assert any((one.alpha > 127).sum() > (blue_with_yellow.alpha > 127).sum() for one in loaded)


def test_parts_come_in_their_share(make_setting, blue_with_yellow):
    rng = np.random.default_rng(0)
    assert maybe_with_part(blue_with_yellow, make_setting(parts=0.0), rng) is blue_with_yellow
    found = [maybe_with_part(blue_with_yellow, make_setting(parts=1.0), rng) for _ in range(20)]
    assert sum(one.part is not None for one in found) >= 10


def test_another_instance_has_the_same_part(blue_with_yellow):
    one = next(
        found
        for seed in range(20)
        if (found := with_own_part(blue_with_yellow, np.random.default_rng(seed))).part is not None
    )
    assert np.array_equal(tinted(one, np.random.default_rng(3)).part, one.part)


def test_a_part_is_an_object_of_its_own_that_stays_on_its_thing(make_setting):
    setting = make_setting(parts=1.0, max_layers=2)
    seen = 0
    for seed in range(20):
        plan = make_plan(setting.photos, setting.config, np.random.default_rng(seed))
        for layer, label, part_label in zip(plan.layers, plan.labels, plan.part_labels, strict=True):
            if part_label == label:
                continue
            seen += 1
            alone = replace(plan, layers=(layer,), labels=(label,), part_labels=(part_label,))
            expected = shares(layer.look.cutout)
            for t in range(setting.config.length):
                drawn = draw(alone, t, pixel_grid(96, 1.0))
                here = drawn.labels[drawn.top == 1]
                assert set(np.unique(here)) <= {label, part_label}
                if len(here) > 200 and not _cut_by_the_frame(drawn.top == 1):
                    assert np.mean(here == part_label) == pytest.approx(expected, abs=0.2)
    assert seen >= 8


def _cut_by_the_frame(mask: np.ndarray) -> bool:
    return bool(mask[0].any() or mask[-1].any() or mask[:, 0].any() or mask[:, -1].any())
