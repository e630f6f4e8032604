"""Hard cuts are told, what they hide is let go, and it is found again."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from devos.engine.cuts import is_cut
from devos.engine.segmenter import load
from devos.flow.estimator import DisFlow


def scene(seed, height=96, width=160):
    rng = np.random.default_rng(seed)
    small = rng.normal(0, 1, (6, 10, 3)) * 45 + rng.uniform(40, 215, 3)
    return cv2.resize(np.clip(small, 0, 255).astype(np.uint8), (width, height), interpolation=cv2.INTER_CUBIC)


def cuts_between(before, now):
    return is_cut(before, now, DisFlow().estimate(before, now))


@pytest.mark.parametrize("seed", range(5))
def test_another_scene_is_a_cut(seed):
    assert cuts_between(scene(seed), scene(seed + 100))


@pytest.mark.parametrize("seed", range(5))
def test_motion_light_and_a_flash_are_none(seed):
    before = scene(seed)
    assert not cuts_between(before, np.roll(before, (4, 12), (0, 1)))
    assert not cuts_between(before, np.clip(before * 0.8 + 10, 0, 255).astype(np.uint8))
    assert not cuts_between(before, np.clip(before * 0.6 + 100, 0, 255).astype(np.uint8))


def test_after_a_cut_nothing_is_marked_until_the_object_is_seen_again():
    """With the weights that come with devos, on a bunny, away from it, and back."""
    from devos.data.synthetic.traps import make_trap

    clip = make_trap("cut-and-back")
    session = load("devos-t", device="cpu", size=192).session()
    away, marked = [], []
    for index in [0, 1, 2, *range(14, 18), 27, 28, 29]:
        truth = clip.labels[index] == 1
        result = session.step(clip.images[index], truth.astype(np.uint16) if index == 0 else None)
        if truth.any():
            marked.append((truth & (result.labels == 1)).sum() / (truth | (result.labels == 1)).sum())
        else:
            away.append((result.labels.any(), result.scores[0].presence))
    assert away == [(False, 0.0)] * len(away) and len(away) == 4
    assert min(marked) > 0.7
