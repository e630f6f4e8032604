from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from devos.data.synthetic.plan import Plan, make_plan
from devos.data.synthetic.render import draw, pixel_grid

POINTS = pixel_grid(96, 1.0)


def plans(setting, count: int = 12) -> list[Plan]:
    return [make_plan(setting.photos, setting.config, np.random.default_rng(seed)) for seed in range(count)]


def labels_of(plan: Plan) -> np.ndarray:
    return np.stack([draw(plan, t, POINTS).labels for t in range(6)])


def test_no_two_things_share_a_label_and_no_more_are_followed_than_allowed(make_setting):
    for most in (2, 8):
        for plan in plans(make_setting(crowd=0.6, mates=0.4, parts=0.7, max_objects=most)):
            pairs = zip(plan.labels, plan.part_labels, strict=True)
            own = [label for whole, part in pairs for label in {whole, part} if label]
            assert len(set(own)) == len(own)
            assert plan.count <= most
            grounds = set(np.unique(plan.ground.labels)) - {0, 255}
            assert not grounds & set(own)
            assert grounds | set(own) == set(range(1, plan.count + 1))


def test_what_passes_in_front_is_not_followed_and_hides_something_followed(make_setting):
    hidden = 0
    found = plans(make_setting(occluder=1.0))
    without = [len(plan.layers) for plan in plans(make_setting(occluder=0.0))]
    for plan in found:
        assert plan.labels[-1] == 0
        bare = replace(plan, layers=plan.layers[: np.max(np.nonzero(plan.labels)) + 1 if any(plan.labels) else 0])
        bare = replace(bare, labels=plan.labels[: len(bare.layers)], part_labels=plan.part_labels[: len(bare.layers)])
        seen, there = labels_of(plan), labels_of(bare)
        hidden += any(((there == i) & (seen != i)).sum() > 30 for i in range(1, plan.count + 1))
    assert hidden >= 9
    assert np.mean([len(plan.layers) for plan in found]) > np.mean(without) + 1


@pytest.mark.parametrize("event", ["leave", "blink"])
def test_what_goes_comes_back_as_the_same_object(make_setting, event):
    gone = back = 0
    for plan in plans(make_setting(**{event: 1.0})):
        labels = labels_of(plan)
        for label in {*plan.labels} - {0}:
            area = (labels == label).sum((1, 2))
            if area[0] < 60:
                continue
            away = np.flatnonzero(area[1:] == 0)
            gone += bool(away.size)
            back += bool(away.size and area[-1] > 20)
    assert gone >= 8
    assert back >= 5


def test_motion_blurs_the_picture_and_leaves_the_masks_sharp(make_setting):
    blurred = 0
    for plan in plans(make_setting(motion_blur=1.0, small=1.0)):
        assert 0.2 <= plan.shutter <= 1
        still = replace(plan, shutter=0.0)
        for t in (0, 3):
            one, other = draw(plan, t, POINTS), draw(still, t, POINTS)
            assert np.array_equal(one.labels, other.labels)
            assert np.array_equal(one.top, other.top)
            blurred += not np.array_equal(one.image, other.image)
    assert blurred > 12
    assert all(plan.shutter == 0 for plan in plans(make_setting()))


def test_small_things_are_small_and_go_far(make_setting):
    steps = []
    for plan in plans(make_setting(small=1.0)):
        for layer in plan.layers:
            rows, columns = layer.path.window(0, 0)
            assert max(rows.stop - rows.start, columns.stop - columns.start) < 0.35 * 96
            step = np.linalg.norm(layer.path.centre(1) - layer.path.centre(0))
            steps.append(step / (0.09 * 96))
    assert np.median(steps) > 0.7
    assert max(steps) > 1.7


def test_a_camera_moves_ground_and_things_alike(make_setting):
    shifts = []
    for plan in plans(make_setting(camera=1.0, shift=0.0)):
        moved = [path.centre(5) - path.centre(0) for path in (plan.ground.path, *(x.path for x in plan.layers))]
        shifts += [np.linalg.norm(one - moved[0]) / max(np.linalg.norm(moved[0]), 2) for one in moved[1:]]
        assert np.linalg.norm(moved[0]) > 0
    assert np.median(shifts) < 0.5
