from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from scipy import stats

from devos.data.sampler import Curriculum, pick_frames
from devos.errors import MaskError

BIG = 400


@pytest.fixture(scope="session")
def video(made):
    """Twelve frames, two objects."""
    return made.known("video", [{1: BIG, 4: BIG}] * 12)


def picks(video, count=300, **options):
    options = {"length": 4, "max_gap": 3, "max_objects": 2, **options}
    return [pick_frames(video, rng=np.random.default_rng(seed), **options) for seed in range(count)]


def test_the_gap_grows_as_the_curriculum_says_and_shrinks_where_it_says_so():
    assert [Curriculum().max_gap(progress) for progress in (0.0, 0.25, 0.5, 1.0)] == [5, 10, 15, 25]
    annealed = Curriculum(points=((0.0, 5.0), (0.5, 25.0), (0.9, 25.0), (1.0, 5.0)))
    assert [annealed.max_gap(progress) for progress in (0.0, 0.25, 0.7, 0.95, 1.0)] == [5, 15, 25, 15, 5]
    assert Curriculum(points=((0.0, 7.0),)).max_gap(0.9) == 7


@pytest.mark.parametrize("points", [(), ((0.5, 3.0), (0.2, 4.0)), ((0.0, 5.0), (1.5, 9.0)), ((0.0, 0.5),)])
def test_what_makes_no_curriculum_is_refused(points):
    with pytest.raises(ValueError, match="got"):
        Curriculum(points=points)


def test_a_steady_clip_has_one_gap_and_goes_forwards_or_backwards(video):
    steps = [set(np.diff(pick.frames)) for pick in picks(video, steady=True)]
    assert all(len(step) == 1 for step in steps)
    assert set.union(*steps) == {1, 2, 3, -1, -2, -3}


def test_otherwise_each_gap_is_drawn_anew_every_length_alike(video):
    steps = [np.diff(pick.frames) for pick in picks(video, 1500)]
    assert all(len(set(np.sign(step))) == 1 for step in steps)
    counts = Counter(int(abs(one)) for step in steps for one in step)
    assert set(counts) == {1, 2, 3}
    assert stats.chisquare([counts[gap] for gap in (1, 2, 3)]).pvalue > 1e-3
    forwards = sum(int(step[0] > 0) for step in steps)
    assert stats.binomtest(forwards, len(steps), 0.5).pvalue > 1e-3


def test_every_start_from_which_the_clip_fits_is_alike(video):
    starts = Counter((pick.frames[0], int(np.sign(np.diff(pick.frames)[0]))) for pick in picks(video, 2000, max_gap=1))
    assert set(starts) == {(i, 1) for i in range(9)} | {(i, -1) for i in range(3, 12)}
    assert stats.chisquare(list(starts.values())).pvalue > 1e-3


def test_gaps_are_frames_of_the_video_where_masks_are_apart(made):
    """YouTube-VOS: a mask on every fifth frame, so a gap of 25 frames is five masks."""
    youtube = made.known("youtube", [{1: BIG}] * 40, step=5)
    gaps = {int(abs(gap)) for pick in picks(youtube, max_gap=25) for gap in np.diff(pick.frames)}
    assert gaps == {1, 2, 3, 4, 5}
    assert {int(abs(gap)) for pick in picks(youtube, max_gap=3) for gap in np.diff(pick.frames)} == {1}


@pytest.mark.parametrize("num_frames", [1, 2, 3])
def test_a_video_shorter_than_the_clip_goes_there_and_back(made, num_frames):
    for pick in picks(made.known("short", [{1: BIG}] * num_frames), 40):
        assert len(pick.frames) == 4
        assert set(pick.frames) <= set(range(num_frames))
        assert np.abs(np.diff(pick.frames)).max() == (num_frames > 1)


def test_frames_without_a_mask_are_not_taken(made):
    sparse = made.known("sparse", [{1: BIG} if i % 3 == 0 else None for i in range(12)])
    assert {frame for pick in picks(sparse) for frame in pick.frames} == {0, 3, 6, 9}


def test_a_clip_starts_where_an_object_is_seen_if_need_be_at_a_small_one(made):
    late = made.known("late", [{}] * 6 + [{1: 1}] * 2 + [{2: BIG}] * 4)
    assert {pick.frames[0] for pick in picks(late)} == {8, 9, 10, 11}
    assert {pick.objects for pick in picks(late)} == {(2,)}
    tiny = made.known("tiny", [{}] * 6 + [{1: 1}] * 6)
    assert {pick.frames[0] for pick in picks(tiny)} == {6, 7, 8, 9, 10, 11}
    with pytest.raises(MaskError, match="nothing: no mask shows an object"):
        picks(made.known("nothing", [{}] * 6))


def test_objects_come_in_any_order_and_any_number_up_to_the_most(video):
    found = picks(video, 1000)
    assert set(Counter(pick.objects for pick in found)) == {(1, 4), (4, 1)}
    assert stats.binomtest(sum(pick.objects == (1, 4) for pick in found), 1000, 0.5).pvalue > 1e-3
    assert stats.binomtest(sum(pick.most_objects == 1 for pick in found), 1000, 0.5).pvalue > 1e-3


def test_void_is_no_object_and_the_only_value_255_is_one(made):
    assert {pick.objects for pick in picks(made.known("v", [{3: BIG, 255: BIG}] * 4), 20)} == {(3,)}
    assert {pick.objects for pick in picks(made.known("w", [{255: BIG}] * 4), 20)} == {(1,)}


def test_the_same_random_state_gives_the_same_pick(video):
    assert picks(video, 20) == picks(video, 20)
    assert len(set(picks(video, 20))) > 10
