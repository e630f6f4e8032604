from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from devos.data.catalog import Labels, find_masks, read_labels
from devos.errors import MaskError
from devos.evaluation.measures.swaps import identity_swaps, sequence_swaps
from devos.evaluation.scoring import Protocol


def two_boxes(left: int, right: int) -> Labels:
    """Two boxes of 8 x 10 pixels beside each other, under these ids."""
    labels = np.zeros((12, 30), np.uint16)
    labels[2:10, 2:12] = left
    labels[2:10, 16:26] = right
    return labels


def swaps_of(*predicted: Labels):
    return identity_swaps([two_boxes(1, 2)] * len(predicted), predicted)


def test_a_perfect_prediction_has_no_swaps():
    score = swaps_of(two_boxes(1, 2), two_boxes(1, 2))
    assert score.swaps == 0
    assert score.wrong_pixel_share == 0
    assert score.objects[1].first is None


def test_two_objects_that_exchange_ids_for_two_of_five_frames_swap_once_each():
    own, other = two_boxes(1, 2), two_boxes(2, 1)
    score = swaps_of(own, own, other, other, own)
    assert score.swaps == 2
    for object_id, taker in ((1, 2), (2, 1)):
        assert score.objects[object_id].swaps == 1
        assert score.objects[object_id].first == 2
        assert score.objects[object_id].taken_by == (taker,)
        assert score.objects[object_id].wrong_frame_share == 2 / 5
        assert score.objects[object_id].wrong_pixel_share == 2 / 5


def test_to_come_back_under_the_same_wrong_id_is_no_new_swap_but_under_another_it_is():
    wrong, lost, another = two_boxes(2, 2), two_boxes(0, 2), two_boxes(7, 2)
    first = swaps_of(wrong, lost, wrong, another, wrong).objects[1]
    assert first.swaps == 3
    assert first.taken_by == (2, 7)
    assert first.wrong_frames == 4


def test_a_swap_after_the_return_to_the_own_id_counts_again():
    assert swaps_of(two_boxes(2, 2), two_boxes(1, 2), two_boxes(2, 2)).objects[1].swaps == 2


def test_a_lost_object_is_not_swapped():
    first = swaps_of(two_boxes(0, 2), two_boxes(0, 2)).objects[1]
    assert (first.swaps, first.wrong_frames, first.wrong_pixels, first.frames) == (0, 0, 0, 2)


def test_just_half_of_the_pixels_cover_nothing_and_one_more_does():
    half = two_boxes(0, 2)
    half[2:10, 2:7] = 2
    more = half.copy()
    more[2, 7] = 2
    assert swaps_of(half).objects[1].swaps == 0
    assert swaps_of(half).objects[1].wrong_pixel_share == 0.5
    assert swaps_of(more).objects[1].swaps == 1


def test_an_object_that_is_never_to_be_seen_is_left_out_and_frames_without_it_do_not_count():
    score = identity_swaps([two_boxes(1, 0), two_boxes(1, 2)], [two_boxes(1, 1), two_boxes(1, 1)])
    assert score.objects[2].frames == 1
    assert score.objects[2].first == 1
    assert 3 not in score.objects


def test_no_object_at_all_gives_an_empty_score():
    score = identity_swaps([two_boxes(0, 0)], [two_boxes(1, 2)])
    assert (score.objects, score.swaps, score.wrong_pixel_share) == ({}, 0, 0.0)


def test_series_of_different_lengths_are_our_own_mistake():
    with pytest.raises(ValueError, match="shorter"):
        identity_swaps([two_boxes(1, 2)] * 2, [two_boxes(1, 2)])


@pytest.fixture
def video(tmp_path):
    """Five true masks, with void around the first box."""
    home = tmp_path / "twins"
    home.mkdir()
    for index in range(5):
        labels = two_boxes(1, 2)
        labels[1, 2:12] = 255
        Image.fromarray(labels.astype(np.uint8)).save(home / f"{index:05d}.png")
    return find_masks(tmp_path)[0]


def test_on_a_sequence_the_given_and_the_last_frame_and_void_do_not_count(video):
    other = two_boxes(2, 1)
    score = sequence_swaps(video, [other, two_boxes(1, 2), other, other, other], Protocol.DAVIS2017)
    assert list(score.objects) == [1, 2]
    assert score.objects[1].frames == 3
    assert score.objects[1].first == 2
    assert score.objects[1].wrong_frame_share == pytest.approx(2 / 3)


def test_under_davis2016_there_is_no_other_object_to_swap_with(video):
    score = sequence_swaps(video, [read_labels(path) for path in video.masks], Protocol.DAVIS2016)
    assert score.swaps == 0
    assert list(score.objects) == [1]


def test_a_prediction_of_another_size_names_frame_and_sizes(video):
    with pytest.raises(MaskError, match="frame 00001 of sequence twins is 5x4 pixels, but the true one is 30x12"):
        sequence_swaps(video, [np.zeros((4, 5), np.uint16)] * 5, Protocol.DAVIS2017)
