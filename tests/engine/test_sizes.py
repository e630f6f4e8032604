from __future__ import annotations

import pytest

from devos.engine.sizes import LARGER, USUAL, choose_size, largest_areas, parse_size, small_sides
from devos.errors import OptionError
from devos.frames import FrameSize

SCHOOL = FrameSize(240, 432)


@pytest.mark.parametrize(
    ("sides", "size"),
    [([90, 15], LARGER), ([90, 60], USUAL), ([15], USUAL), ([15, 15], LARGER), ([], USUAL)],
)
def test_several_objects_of_which_one_is_small_are_looked_at_more_closely_and_a_single_one_is_not(sides, size):
    assert choose_size({number: side * side for number, side in enumerate(sides, 1)}, SCHOOL) == size


def test_a_side_is_that_of_the_area_as_the_network_sees_it():
    assert small_sides({1: 20 * 20, 2: 30 * 30}, SCHOOL, 384) == {1: 32}
    assert small_sides({1: 20 * 20, 2: 30 * 30}, SCHOOL, 240) == {1: 21, 2: 32}


def test_of_several_masks_an_object_is_as_large_as_where_it_is_largest():
    assert largest_areas([{2: 5, 1: 9}, {2: 7}, {}]) == {1: 9, 2: 7}


@pytest.mark.parametrize("text", ["", "big", "4.5", "-384"])
def test_what_is_neither_a_number_nor_auto_is_refused_in_one_line(text):
    with pytest.raises(OptionError, match=r"^--size is a short side in pixels from 64 to 4096, or auto; got .*$"):
        parse_size(text)
