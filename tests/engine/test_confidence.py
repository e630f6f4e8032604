"""Confidence: a chance, from signs that each say what they should."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from devos.engine.confidence import Signs, signs

CHANCES = st.floats(0, 1)


def answer(*masks: np.ndarray) -> torch.Tensor:
    """Probabilities with background as row 0."""
    maps = torch.from_numpy(np.stack(masks)).float()
    return torch.cat([(1 - maps.sum(0, keepdim=True)), maps])


def square(rim: float = 1.0) -> np.ndarray:
    """A square whose outermost cells have the probability `rim`."""
    mask = np.zeros((24, 32))
    mask[4:14, 4:14] = rim
    mask[5:13, 5:13] = 0.98
    return mask


@given(CHANCES, st.floats(0, 0.25), st.floats(0, 1e5), CHANCES)
def test_it_is_a_chance_whatever_the_signs(probability, rim, area, together):
    assert 0 <= Signs(probability, rim, area, together).confidence <= 1


@given(CHANCES, CHANCES)
def test_surer_pixels_never_make_it_less(one, other):
    less, more = sorted((one, other))
    assert Signs(less, 0.05, 200.0, 1.0).confidence <= Signs(more, 0.05, 200.0, 1.0).confidence


def test_a_sharp_edge_makes_it_surer_than_a_wide_one():
    sharp, wide = (signs(answer(square(rim)), [0.9])[0] for rim in (0.98, 0.55))
    assert sharp.rim < wide.rim
    assert sharp.confidence > wide.confidence


def test_one_part_makes_it_surer_than_two():
    apart = square()
    apart[18:22, 20:30] = 0.98
    whole, parts = signs(answer(square(0.98)), [0.9])[0], signs(answer(apart), [0.9])[0]
    assert (whole.together, round(parts.together, 2)) == (1.0, round(100 / 140, 2))
    assert Signs(0.9, 0.05, 200.0, 1.0).confidence > Signs(0.9, 0.05, 200.0, 0.6).confidence


def test_each_object_has_its_own_signs():
    small = np.zeros((24, 32))
    small[16:20, 20:24] = 0.9
    large, little = signs(answer(square(0.98), small), [0.9, 0.8])
    assert (large.area, little.area) == (pytest.approx(98, rel=0.01), pytest.approx(14.4))
    assert (large.probability, little.probability) == (0.9, 0.8)


def test_nothing_of_an_object_is_no_part_of_it():
    assert signs(answer(np.zeros((24, 32))), [0.0])[0].together == 0
