from __future__ import annotations

import pytest

from devos.model.config import PRESETS, Matching, ModelConfig


def test_every_preset_carries_its_own_name():
    assert {name: preset().name for name, preset in PRESETS.items()} == {n: n for n in PRESETS}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"width": 126}, "width 126 cannot be shared by 4 heads"),
        ({"coarse_points": (4, 4, 4)}, "no stride coarser than 32"),
        ({"num_slots": 0}, "num_slots must be at least 1, got 0"),
    ],
)
def test_sizes_that_cannot_be_are_refused(changes, words):
    with pytest.raises(ValueError, match=words):
        ModelConfig(name="wrong", backbone="efficientnet-lite0", **changes)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"strides": ()}, "ADVA works at some of the strides"),
        ({"strides": (4, 8)}, "ADVA works at some of the strides"),
        ({"long_term_strides": (8,)}, "the bank is read at some of the strides"),
        ({"window": 4}, "an odd side of at least 1 cell, got 4"),
    ],
)
def test_parts_of_matching_that_cannot_be_are_refused(changes, words):
    with pytest.raises(ValueError, match=words):
        Matching(**changes)
