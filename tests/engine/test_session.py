"""What a session promises to those who follow objects with it. The network is small and has learnt nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from devos.engine.session import Session
from devos.errors import MaskError, VideoError
from devos.flow.estimator import GivenFlow


def labels_of(results):
    return [result.labels for result in results]


def same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def overlap(one, other):
    return (one & other).sum() / (one | other).sum()


def square_at(t):
    """Where the square of the made-up video is on frame t."""
    return box(1, (8, 32), (8 + 3 * t, 32 + 3 * t)) == 1


def box(value, rows, columns, height=48, width=80, dtype=np.uint16):
    labels = np.zeros((height, width), dtype)
    labels[slice(*rows), slice(*columns)] = value
    return labels


# Every frame at its own size


@settings(max_examples=12, deadline=None)
@given(height=st.integers(1, 150), width=st.integers(1, 150))
@example(height=1, width=1)
@example(height=1, width=1000)
@example(height=1000, width=1)
@example(height=2, width=3)
@example(height=67, width=131)
def test_results_have_the_frames_own_size_whatever_it_is(segmenter, height, width):
    session = segmenter.session()
    rng = np.random.default_rng(height * 1000 + width)
    labels = rng.integers(0, 3, (height, width)).astype(np.uint8)
    labels[0, 0] = 1
    for t in range(3):
        rgb = rng.integers(0, 256, (height, width, 3), np.uint8)
        result = session.step(rgb, labels if t == 0 else None, probabilities=True)
        assert result.labels.shape == (height, width)
        assert result.labels.dtype == np.uint16
        assert result.probabilities.shape == (len(result.scores), height, width)
        if t == 0:
            assert np.array_equal(result.labels, labels)


def test_probabilities_and_labels_agree(segmenter, video, mask):
    session = segmenter.session()
    for frame in video(3):
        result = session.step(frame, mask if frame.index == 0 else None, probabilities=True)
        soft = result.probabilities.astype(np.float32)
        assert soft.min() >= 0
        assert soft.sum(0).max() <= 1 + 1e-2
        background = 1 - soft.sum(0)
        for row, score in enumerate(result.scores):
            own = result.labels == score.object_id
            assert (soft[row][own] >= background[own] - 1e-2).all()
            assert (soft[row][own] >= soft[1 - row][own] - 1e-2).all()
            assert (score.confidence > 0) == own.any()


# Annotations


def test_an_annotated_frame_comes_back_exactly_as_given(segmenter, video, mask):
    session = segmenter.session()
    frames = video(4)
    rng = np.random.default_rng(0)
    for frame in frames:
        given_labels = rng.choice([0, 1, 2], (48, 80)).astype(np.uint8) if frame.index else mask
        result = session.step(frame, given_labels, probabilities=True)
        assert np.array_equal(result.labels, given_labels)
        assert np.array_equal(result.probabilities > 0, np.stack([given_labels == 1, given_labels == 2]))
        assert [(s.presence, s.confidence) for s in result.scores] == [(1.0, 1.0)] * 2


def test_before_anything_is_given_nothing_is_followed(segmenter, video, mask):
    session = segmenter.session()
    frames = video(4)
    for frame in frames[:2]:
        result = session.step(frame)
        assert not result.labels.any()
        assert result.scores == ()
    late = labels_of([session.step(frames[2], mask), session.step(frames[3])])
    fresh = segmenter.session()
    assert same(late, labels_of([fresh.step(frames[2], mask), fresh.step(frames[3])]))


def test_an_annotation_says_nothing_of_objects_that_it_does_not_name(segmenter, video, mask):
    frames = video(4)
    with_two, silent = segmenter.session(), segmenter.session()
    for session in (with_two, silent):
        list(session.run(frames[:2], {0: mask}))
    expected = silent.step(frames[2]).labels
    again = box(1, (12, 24), (4, 20))
    result = with_two.step(frames[2], again)
    assert np.array_equal(result.labels == 1, again == 1)
    assert [s.object_id for s in result.scores] == [1, 2]
    assert (result.labels == 2)[expected == 2][again[expected == 2] == 0].all()


def test_an_object_can_be_said_to_be_absent(segmenter, video, mask):
    session = segmenter.session()
    frames = video(3)
    session.step(frames[0], mask)
    result = session.step(frames[1], objects=[2], probabilities=True)
    assert not (result.labels == 2).any()
    assert not result.probabilities[1].any()
    assert result.scores[1].presence == 0.0
    assert session.object_ids == (1, 2)
    assert session.step(frames[2]).scores[1].object_id == 2


def test_a_second_annotation_moves_an_object(segmenter, video, mask):
    session = segmenter.session()
    frames = video(3)
    session.step(frames[0], mask)
    session.step(frames[1])
    moved = box(1, (30, 46), (60, 80))
    assert np.array_equal(session.step(frames[2], moved).labels == 1, moved == 1)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_ids_are_the_users_up_to_65535(segmenter, video, dtype):
    top = np.iinfo(dtype).max
    session = segmenter.session()
    labels = box(top, (4, 20), (4, 30), dtype=dtype)
    labels[30:40, 10:60] = 3
    results = [session.step(f, labels if f.index == 0 else None) for f in video(3)]
    assert session.object_ids == (3, top)
    assert [s.object_id for s in results[2].scores] == [3, top]
    assert set(np.unique(results[2].labels)) <= {0, 3, top}
    assert np.array_equal(results[0].labels, labels)


# Objects that come and go


def test_a_new_object_leaves_what_was_answered_before_and_the_first_is_still_followed(segmenter, video, mask):
    frames = video(6)
    first_only = np.where(mask == 1, mask, 0)
    alone, joined = segmenter.session(), segmenter.session()
    before = labels_of(alone.run(frames, {0: first_only}))
    new = box(2, (36, 48), (20, 70))
    after = list(joined.run(frames, {0: first_only, 3: new}))
    assert same(before[:3], labels_of(after[:3]))
    assert [[s.object_id for s in r.scores] for r in after] == [[1]] * 3 + [[1, 2]] * 3
    assert np.array_equal(after[3].labels == 2, new == 2)
    for t in (3, 4, 5):
        assert overlap(after[t].labels == 1, square_at(t)) > 0.45
        assert overlap(after[t].labels == 1, before[t] == 1) > 0.95
    assert overlap(after[5].labels == 2, new == 2) > 0.7


def test_objects_are_followed_to_where_they_move(segmenter, video, mask):
    results = list(segmenter.session().run(video(6), {0: mask}))
    assert overlap(results[5].labels == 1, square_at(5)) > 0.5 > 0.3 > overlap(square_at(0), square_at(5))
    assert overlap(results[5].labels == 2, mask == 2) > 0.65
    assert all(score.presence > 0.9 for score in results[5].scores)


def test_more_objects_than_a_group_holds_are_followed_together(ten_slots, video):
    labels = np.zeros((48, 80), np.uint16)
    for i in range(25):
        labels[(i // 5) * 9 : (i // 5) * 9 + 8, (i % 5) * 16 : (i % 5) * 16 + 14] = 100 + i
    session = ten_slots.session()
    results = [session.step(f, labels if f.index == 0 else None, probabilities=True) for f in video(3)]
    assert session.state.objects.num_groups == 3
    assert len(results[2].scores) == 25
    assert np.array_equal(results[0].labels, labels)
    assert results[2].probabilities.astype(np.float32).sum(0).max() <= 1 + 1e-2
    assert set(np.unique(results[2].labels)) <= {0, *range(100, 125)}


def test_objects_may_open_a_group_and_leave_it_while_others_go_on(segmenter, video, mask):
    session = segmenter.session()
    frames = video(7)
    session.step(frames[0], mask)
    session.step(frames[1])
    many = np.zeros((48, 80), np.uint16)
    for i in range(4):
        many[:8, 20 * i : 20 * i + 10] = 10 + i
    session.step(frames[2], many)
    assert session.object_ids == (1, 2, 10, 11, 12, 13)
    assert session.state.objects.num_groups == 2
    session.step(frames[3])
    for object_id in (11, 12, 13):
        session.remove(object_id)
    assert session.state.objects.num_groups == 1
    assert session.state.memory.previous.probabilities.shape[0] == 1
    result = session.step(frames[4])
    assert [s.object_id for s in result.scores] == [1, 2, 10]
    session.step(frames[5], many)
    assert session.object_ids == (1, 2, 10, 11, 12, 13)
    session.step(frames[6])


def test_an_object_keeps_its_id_and_place_after_another_is_removed(segmenter, video, mask):
    session = segmenter.session()
    frames = video(4)
    session.step(frames[0], mask)
    session.step(frames[1])
    place = session.state.objects.places[2]
    session.remove(1)
    result = session.step(frames[2])
    assert session.object_ids == (2,)
    assert session.state.objects.places[2] == place
    assert [s.object_id for s in result.scores] == [2]
    assert set(np.unique(result.labels)) == {0, 2}
    assert overlap(result.labels == 2, mask == 2) > 0.8


def test_a_removed_object_leaves_no_trace_in_what_is_remembered(segmenter, video, mask):
    session = segmenter.session()
    for frame in video(5):
        session.step(frame, mask if frame.index == 0 else None)
    group, slot = session.state.objects.places[1]
    session.remove(1)
    memory = session.state.memory
    for held in (memory.previous, *memory.entries):
        assert not held.probabilities[group, slot].any()
        np.testing.assert_allclose(held.probabilities.sum(1).numpy(), 1, atol=1e-5)


def test_when_the_last_object_is_removed_the_session_begins_anew(segmenter, video, mask):
    session, fresh = segmenter.session(), segmenter.session()
    frames = video(5)
    session.step(frames[0], mask)
    for object_id in (1, 2):
        session.remove(object_id)
    assert session.state.num_bytes == 0
    assert not session.step(frames[1]).labels.any()
    fresh.step(frames[0])
    fresh.step(frames[1])
    again = [[s.step(frames[2], mask).labels, s.step(frames[3]).labels] for s in (session, fresh)]
    assert same(*again)


def test_removing_what_is_not_followed_is_answered_with_what_is(segmenter, video, mask):
    session = segmenter.session()
    session.step(video(1)[0], mask)
    with pytest.raises(KeyError, match="object 9 is not being followed; followed are: 1, 2"):
        session.remove(9)


# State


def test_offline_and_frame_by_frame_give_the_same_bits(segmenter, video, mask):
    frames = video(6)
    given_masks = {0: mask, 3: box(1, (12, 24), (6, 22))}
    offline = list(segmenter.session().run(frames, given_masks))
    session = segmenter.session()
    live = [session.step(f.rgb, given_masks.get(f.index)) for f in frames]
    assert same(labels_of(offline), labels_of(live))
    assert [r.scores for r in offline] == [r.scores for r in live]
    assert [r.index for r in live] == list(range(6))


def test_a_run_hands_out_each_frame_before_it_asks_for_the_next(segmenter, video, mask):
    asked = []

    def camera():
        for frame in video(3):
            asked.append(frame.index)
            yield frame

    for result in segmenter.session().run(camera(), {0: mask}):
        assert asked[-1] == result.index


def test_two_sessions_on_one_network_do_not_disturb_each_other(segmenter, video, mask):
    frames, others = video(5), video(5)[::-1]
    alone = labels_of(segmenter.session().run(frames, {0: mask}))
    one, other = segmenter.session(), segmenter.session()
    together = []
    for frame, noise in zip(frames, others, strict=True):
        together.append(one.step(frame.rgb, mask if frame.index == 0 else None).labels)
        other.step(noise.rgb, mask[::-1].copy() if frame.index == 0 else None)
    assert same(alone, together)


def test_a_kept_state_can_be_put_back_and_gives_the_same_bits_again(segmenter, video, mask):
    frames = video(7)
    session = segmenter.session()
    for frame in frames[:3]:
        session.step(frame, mask if frame.index == 0 else None)
    kept = session.state
    first = [session.step(frame, probabilities=True) for frame in frames[3:]]
    session.remove(2)
    session.step(frames[3].rgb, box(7, (2, 9), (3, 30)))
    session.state = kept
    again = [session.step(frame, probabilities=True) for frame in frames[3:]]
    assert same(labels_of(first), labels_of(again))
    assert same([r.probabilities for r in first], [r.probabilities for r in again])
    assert session.object_ids == (1, 2)


def test_what_a_step_cannot_do_leaves_the_session_as_it_was(segmenter, video, mask):
    frames = video(3)
    failing = GivenFlow(lambda *_: (_ for _ in ()).throw(ValueError("no flow today")))
    session = Session(segmenter, flow=failing)
    session.step(frames[0], mask)
    before = session.state
    with pytest.raises(ValueError, match="no flow today"):
        session.step(frames[1], box(5, (2, 9), (3, 30)))
    assert session.state is before


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (np.zeros((80, 48), np.uint8), "mask for frame 00001 is 48x80, but the frame is 80x48"),
        (np.zeros((24, 40), np.uint8), "mask for frame 00001 is 40x24"),
    ],
)
def test_a_mask_of_another_size_is_refused(segmenter, video, mask, labels, words):
    session = segmenter.session()
    session.step(video(1)[0], mask)
    before = session.state
    with pytest.raises(MaskError, match=words):
        session.step(video(2)[1], labels)
    assert session.state is before


def test_a_frame_of_another_size_is_refused(segmenter, video, mask):
    session = segmenter.session()
    session.step(video(1)[0], mask)
    with pytest.raises(VideoError, match="is 64x40, but the video is 80x48"):
        session.step(video(1, 40, 64)[0])


def test_an_id_out_of_range_is_refused_and_changes_nothing(segmenter, video, mask):
    session = segmenter.session()
    session.step(video(1)[0], mask)
    before = session.state
    with pytest.raises(ValueError, match="from 1 to 65535, got 70000"):
        session.step(video(2)[1], objects=[70000])
    assert session.state is before


def test_time_is_accounted_for_by_part(segmenter, video, mask):
    session = segmenter.session()
    list(session.run(video(3), {0: mask}))
    timings = session.timings
    assert timings.pop("encode") == timings.pop("look") == 0  # nothing was prepared ahead
    assert set(timings) == {"resize", "flow", "network", "masks"}
    assert all(seconds > 0 for seconds in timings.values())
