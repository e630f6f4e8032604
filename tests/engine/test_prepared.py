"""What is prepared ahead of time cannot be told from the results, however it was prepared."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from devos.engine.session import Session
from devos.errors import VideoError
from devos.flow.estimator import DisFlow, GivenFlow


def follow(session, frames, mask, masked=0):
    return [session.step(f, mask if index == masked else None) for index, f in enumerate(frames)]


def prepare_all(session, frames):
    prepared = [session.prepare(frames[0])]
    for frame in frames[1:]:
        prepared.append(session.prepare(frame, prepared[-1]))
    return prepared


def assert_same(results, others):
    for one, other in zip(results, others, strict=True):
        assert np.array_equal(one.labels, other.labels)
        assert one.scores == other.scores and one.name == other.name


@pytest.fixture
def counted():
    """A flow estimator, and the pairs that it was asked for."""
    pairs, flow = [], DisFlow()

    def estimate(previous, current):
        pairs.append((previous, current))
        return flow.estimate(previous, current)

    return GivenFlow(estimate), pairs


@pytest.mark.parametrize("views", [{}, {"flip": True, "scales": (1.0, 1.5)}], ids=["one view", "four views"])
def test_frames_prepared_ahead_give_the_same_bits(segmenter, video, mask, views):
    segmenter, frames = segmenter.with_settings(**views), video(5)
    session = segmenter.session()
    prepared = prepare_all(session, frames)
    assert session.state.index == 0 and session.state.num_bytes == 0
    assert_same(follow(session, prepared, mask), follow(segmenter.session(), frames, mask))


def test_what_is_prepared_is_not_asked_for_again(segmenter, video, mask, counted):
    flow, pairs = counted
    session = Session(segmenter, flow=flow)
    prepared = prepare_all(session, video(4))
    assert len(pairs) == 3
    assert all(before[1] is after[0] for before, after in pairwise(pairs))
    follow(session, prepared, mask)
    assert len(pairs) == 3
    assert session.state.previous is prepared[-1].sights[0].rgb


def test_a_flow_that_starts_from_another_picture_is_not_used(segmenter, video, mask, counted):
    """A frame was left out after it had been prepared; and one was prepared as if it were the first."""
    flow, pairs = counted
    frames = video(5)
    session = Session(segmenter, flow=flow)
    prepared = prepare_all(session, frames)
    alone = session.prepare(frames[4])
    pairs.clear()
    results = follow(session, [prepared[0], prepared[1], prepared[3], alone], mask)
    assert len(pairs) == 2
    assert_same(results, follow(segmenter.session(), [frames[i] for i in (0, 1, 3, 4)], mask))


def test_frames_before_the_first_mask_may_be_prepared_with_or_without_flow(segmenter, video, mask):
    frames = video(5)
    expected = follow(segmenter.session(), frames, mask, masked=2)
    assert expected[-1].labels.any()
    session = segmenter.session()
    assert_same(follow(session, prepare_all(session, frames), mask, masked=2), expected)
    session = segmenter.session()
    prepared = [session.prepare(frame) for frame in frames[:2]] + prepare_all(session, frames[2:])
    assert_same(follow(session, prepared, mask, masked=2), expected)


def test_a_kept_state_can_be_put_back_between_prepared_frames(segmenter, video, mask):
    session, frames = segmenter.session(), video(5)
    prepared = prepare_all(session, frames)
    follow(session, prepared[:2], mask)
    kept = session.state
    first = [session.step(frame) for frame in prepared[2:]]
    session.state = kept
    assert_same([session.step(frame) for frame in prepared[2:]], first)


def test_a_frame_of_another_size_is_refused_when_its_turn_comes(segmenter, video, mask):
    session = segmenter.session()
    first = session.prepare(video(1)[0])
    other = session.prepare(video(2, 40, 64)[1], first)
    session.step(first, mask)
    with pytest.raises(VideoError, match="is 64x40, but the video is 80x48"):
        session.step(other)


def test_what_is_prepared_is_encoded_once_and_only_where_something_is_followed(segmenter, video, mask):
    encoded, looked = [], []

    class Counting:
        def encode(self, image):
            encoded.append(image)
            return segmenter.model.encode(image)

        def look(self, *args):
            looked.append(args)
            return segmenter.model.look(*args)

        def match(self, *args):
            return segmenter.model.match(*args)

        def values(self, *args):
            return segmenter.model.values(*args)

        def keys(self, *args):
            return segmenter.model.keys(*args)

    session, frames = replace(segmenter, parts=Counting()).session(), video(4)
    first = session.prepare(frames[0], followed=False)
    assert not encoded and first.sights[0].features is None
    prepared = [first, *prepare_all(session, frames[1:])]
    assert len(encoded) == 3 and session.timings["encode"] > 0
    assert len(looked) == 2 and session.timings["look"] > 0  # the first of the three has none before it
    assert_same(follow(session, prepared, mask, masked=1), follow(segmenter.session(), frames, mask, masked=1))
    assert len(encoded) == 3 and len(looked) == 2


def test_results_may_be_made_late_in_any_order_and_in_another_thread(segmenter, video, mask):
    session, frames = segmenter.session(), video(4)
    later = [session.advance(frame, mask if index == 0 else None) for index, frame in enumerate(frames)]
    session.remove(session.object_ids[0])  # the objects are those of the frame's time
    with ThreadPoolExecutor(1) as thread:
        results = [thread.submit(make).result() for make in reversed(later)][::-1]
    assert_same(results, follow(segmenter.session(), frames, mask))
