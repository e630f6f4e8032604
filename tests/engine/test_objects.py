from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devos.engine.objects import ObjectTable, Place

ids = st.integers(1, 65535)


def test_objects_fill_a_group_before_they_open_the_next():
    table = ObjectTable(2).add([30, 10, 20])
    assert table.ids == (10, 20, 30)
    assert dict(table.places) == {30: Place(0, 1), 10: Place(0, 2), 20: Place(1, 1)}
    assert table.num_groups == 2


def test_an_object_that_is_known_stays_where_it_is():
    table = ObjectTable(2).add([5, 6])
    assert table.add([6, 7, 5]).places[6] == table.places[6]
    assert dict(table.places) == {5: Place(0, 1), 6: Place(0, 2)}


def test_a_freed_place_is_taken_first_and_nobody_else_moves():
    table = ObjectTable(2).add([1, 2, 3]).remove(1)
    assert table.places[2] == Place(0, 2)
    assert table.add([9]).places[9] == Place(0, 1)
    assert table.remove(3).num_groups == 1


def test_removing_what_is_not_there_is_answered_with_what_is():
    with pytest.raises(KeyError, match="object 4 is not being followed; followed are: 1, 2"):
        ObjectTable().add([2, 1]).remove(4)
    with pytest.raises(KeyError, match="followed are: none"):
        ObjectTable().remove(4)


@pytest.mark.parametrize("wrong", [0, -1, 65536])
def test_an_id_out_of_range_is_refused(wrong):
    with pytest.raises(ValueError, match=f"from 1 to 65535, got {wrong}"):
        ObjectTable().add([1, wrong])


@given(st.lists(st.tuples(st.booleans(), ids), max_size=60))
def test_no_two_objects_ever_share_a_place_and_used_says_which_are_taken(changes):
    table = ObjectTable(3)
    for adds, object_id in changes:
        if adds:
            table = table.add([object_id])
        elif table.ids:
            table = table.remove(table.ids[object_id % len(table.ids)])
        places = list(table.places.values())
        assert len(set(places)) == len(places)
        used = table.used()
        assert used.shape == (table.num_groups, 4)
        assert used[:, 0].all()
        assert used.sum() == table.num_groups + len(places)
        assert all(used[place] for place in places)
