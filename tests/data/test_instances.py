from __future__ import annotations

import numpy as np

from devos.data.clips import VOID
from devos.data.instances import follow_instances


def masks(*boxes_of_each_frame):
    """One mask a frame, 40 x 80; a box is (left, right), of rows 10 to 30."""
    for boxes in boxes_of_each_frame:
        mask = np.zeros((40, 80), np.uint8)
        for left, right in boxes:
            mask[10:30, left:right] = 1
        yield mask


def ids(labels):
    return sorted(set(np.unique(labels)) - {0})


def test_two_things_that_stay_apart_keep_their_ids():
    frames = list(follow_instances(masks([(5, 20), (50, 65)], [(8, 23), (47, 62)])))
    assert ids(frames[0]) == ids(frames[1]) == [1, 2]
    assert frames[0][20, 10] == frames[1][20, 10] and frames[0][20, 55] == frames[1][20, 55]


def test_where_two_meet_they_are_void_from_there_on():
    frames = list(follow_instances(masks([(5, 30), (40, 65)], [(10, 60)], [(5, 30), (40, 65)])))
    assert ids(frames[1]) == ids(frames[2]) == [VOID]


def test_who_comes_in_over_the_border_has_a_new_id_and_who_jumps_is_void():
    frames = list(follow_instances(masks([(20, 40)], [(20, 40), (70, 80)], [(45, 65)])))
    assert ids(frames[1]) == [1, 2]
    assert ids(frames[2]) == [VOID]


def test_unknown_borders_stay_void():
    mask = next(masks([(20, 40)]))
    mask[9, 20:40] = VOID
    (labels,) = follow_instances([mask])
    assert (labels[9, 20:40] == VOID).all() and labels[20, 30] == 1
