"""Strokes on small masks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from devos.app.messages import Brush, Fill, Polygon
from devos.app.strokes import drawn, to_runs

EMPTY = np.zeros((20, 30), bool)


def as_floats(points: Sequence[tuple[int, int]]) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in points]


def brush(*points: tuple[int, int], radius: int = 3, erase: bool = False) -> Brush:
    return Brush("brush", 0, 1, as_floats(points), float(radius), erase)


def polygon(*points: tuple[int, int], erase: bool = False) -> Polygon:
    return Polygon("polygon", 0, 1, as_floats(points), erase)


def fill(x: int, y: int, *, erase: bool = False) -> Fill:
    return Fill("fill", 0, 1, float(x), float(y), erase)


def test_a_dot_is_a_disc_around_the_pixel() -> None:
    rows, columns = np.nonzero(drawn(EMPTY, brush((10, 8))))
    assert np.allclose((rows.mean(), columns.mean()), (8, 10), atol=0.3)
    assert np.hypot(rows - 8, columns - 10).max() < 4, "to within a pixel of its radius"


def test_a_line_is_whole_and_what_is_erased_is_gone() -> None:
    line = drawn(EMPTY, brush((5, 10), (25, 10), radius=2))
    assert line[10, 5:26].all()
    assert not drawn(line, brush((5, 10), (25, 10), radius=4, erase=True)).any()
    assert not EMPTY.any(), "the argument is not changed"


def test_a_stroke_beyond_the_picture_draws_nothing() -> None:
    assert not drawn(EMPTY, brush((-500, -500), (-400, -500))).any()


def test_a_polygon_has_its_corners_and_its_inside() -> None:
    mask = drawn(EMPTY, polygon((5, 5), (15, 5), (15, 15), (5, 15)))
    assert mask[5:16, 5:16].all()
    assert mask.sum() == 121
    assert not drawn(mask, polygon((0, 0), (29, 0), (29, 19), (0, 19), erase=True)).any()


def test_a_hole_is_filled_and_a_piece_removed() -> None:
    ring = drawn(drawn(EMPTY, brush((10, 10), radius=6)), brush((10, 10), radius=2, erase=True))
    whole = drawn(ring, fill(10, 10))
    assert whole[10, 10]
    assert whole.sum() < 200
    two = drawn(whole, brush((26, 3), radius=1))
    assert np.array_equal(drawn(two, fill(26, 3, erase=True)), whole)


@pytest.mark.parametrize("point", [(-1, 0), (30, 0), (0, 20)])
def test_a_fill_beyond_the_picture_changes_nothing(point: tuple[int, int]) -> None:
    assert not drawn(EMPTY, fill(*point)).any()


@given(arrays(np.uint16, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.integers(0, 3)))
def test_runs_are_the_labels(labels: np.ndarray) -> None:
    runs = to_runs(labels)
    assert np.array_equal(np.repeat(runs[::2], runs[1::2]).reshape(labels.shape), labels)
    assert all(runs[1::2])
