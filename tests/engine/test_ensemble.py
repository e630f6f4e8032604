"""What several views of a video promise: each frame mirrored too, or at several sizes, and the answers averaged."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from devos.engine import session as rooms
from devos.engine.ensemble import View, average, views_of
from devos.engine.session import Session
from devos.engine.settings import Settings
from devos.flow.estimator import DisFlow, GivenFlow

VIEWS = [{"flip": True}, {"scales": (1.0, 2.0)}, {"flip": True, "scales": (1.5, 1.0)}]


@pytest.fixture(params=VIEWS, ids=["flip", "scales", "both"])
def several(segmenter, request):
    return segmenter.with_settings(**request.param)


@pytest.fixture
def only_mirrored(segmenter, monkeypatch):
    """A fresh session that sees a video in the mirror and in no other way."""

    def make():
        with monkeypatch.context() as patch:
            patch.setattr(rooms, "views_of", lambda _: (View(mirrored=True),))
            return Session(segmenter)

    return make


def mirror(picture):
    return np.ascontiguousarray(picture[..., ::-1])


def mirrored_video(frames):
    return [replace(frame, rgb=np.ascontiguousarray(frame.rgb[:, ::-1])) for frame in frames]


def follow(session, frames, given):
    return [session.step(frame, given.get(frame.index), probabilities=True) for frame in frames]


def assert_mirrored(results, others):
    """The same answers, left and right exchanged, but for the rounding of half-precision probabilities."""
    for one, other in zip(results, others, strict=True):
        np.testing.assert_allclose(one.probabilities, mirror(other.probabilities), atol=2e-3)
        assert (one.labels != mirror(other.labels)).mean() < 1e-3
        assert [s.object_id for s in one.scores] == [s.object_id for s in other.scores]
        np.testing.assert_allclose(
            [(s.presence, s.confidence) for s in one.scores], [(s.presence, s.confidence) for s in other.scores],
            atol=2e-3,
        )  # fmt: skip


def memories_are_equal(one, other):
    return all(torch.equal(a, b) for a, b in zip(one.tensors(), other.tensors(), strict=True))


# The views


def test_each_scale_is_seen_as_it_is_and_then_mirrored():
    assert views_of(Settings()) == (View(1.0, False),)
    assert views_of(Settings(flip=True, scales=(0.5, 1.0))) == (
        View(0.5, False), View(0.5, True), View(1.0, False), View(1.0, True),
    )  # fmt: skip


def test_the_mirrored_view_of_a_mirrored_video_gives_the_mirrored_result(segmenter, only_mirrored, video, mask):
    frames = video(6)
    plain = follow(segmenter.session(), frames, {0: mask})
    turned = follow(only_mirrored(), mirrored_video(frames), {0: mirror(mask)})
    assert_mirrored(turned, plain)
    # It is no test unless the object moves, and unless a mirrored picture is seen in another way.
    assert np.argwhere(plain[5].labels == 1).mean(0)[1] > np.argwhere(mask == 1).mean(0)[1] + 8
    unturned = follow(only_mirrored(), frames, {0: mask})
    assert any(not np.array_equal(a.probabilities, b.probabilities) for a, b in zip(unturned, plain, strict=True))


def test_a_flip_ensemble_does_not_know_left_from_right(segmenter, video, mask):
    both, frames = segmenter.with_settings(flip=True), video(6)
    again = np.where(mask == 2, mask, 0)
    one = follow(both.session(), frames, {0: mask, 3: again})
    other = follow(both.session(), mirrored_video(frames), {0: mirror(mask), 3: mirror(again)})
    assert_mirrored(one, other)


def test_each_view_remembers_what_it_would_remember_alone(segmenter, only_mirrored, video, mask):
    frames = video(5)
    together = segmenter.with_settings(flip=True, scales=(1.0, 2.0)).session()
    alone = [segmenter.session(), only_mirrored(), segmenter.with_settings(size=128).session()]
    for session in (together, *alone):
        follow(session, frames, {0: mask, 3: np.where(mask == 1, mask, 0)})
    for past, single in zip(together.state.pasts, alone, strict=False):
        assert memories_are_equal(past.memory, single.state.memory)
    assert not memories_are_equal(together.state.pasts[0].memory, together.state.pasts[1].memory)


def test_the_answer_is_the_mean_of_the_views_answers(segmenter, only_mirrored, video, mask, monkeypatch):
    answers = []
    monkeypatch.setattr(rooms, "average", lambda views: answers.append((views, average(views))) or answers[-1][1])
    frames = video(4)
    follow(segmenter.with_settings(flip=True).session(), frames, {0: mask})
    together = [mean for _, mean in answers]
    answers.clear()
    for session in (segmenter.session(), only_mirrored()):
        follow(session, frames, {0: mask})
    alone = [mean for _, mean in answers]
    for mean, plain, mirrored in zip(together, alone[:4], alone[4:], strict=True):
        torch.testing.assert_close(mean, (plain + mirrored) / 2, atol=1e-6, rtol=0)
    assert not torch.allclose(alone[3], alone[7], atol=1e-3)


def test_the_mean_is_on_the_finest_grid_and_rows_still_sum_to_1():
    left = torch.tensor([[0.9, 0.2]]).repeat(2, 1)
    coarse, fine = torch.stack([1 - left, left]), torch.full((2, 4, 8), 0.5)
    mean = average([coarse, fine])
    assert mean.shape == (2, 4, 8)
    torch.testing.assert_close(mean.sum(0), torch.ones(4, 8))
    # The outermost cells of the enlarged map have the values of the coarse cells.
    torch.testing.assert_close(mean[1, :, 0], torch.full((4,), (0.9 + 0.5) / 2))
    torch.testing.assert_close(mean[1, :, 7], torch.full((4,), (0.2 + 0.5) / 2))
    assert (mean[1].diff(dim=1) <= 1e-6).all()
    assert average([coarse]) is coarse


def test_the_flow_is_asked_once_a_frame_for_each_view_with_what_the_view_sees(segmenter, video, mask):
    asked, dis = [], DisFlow()

    def listening(previous, current):
        asked.append((previous, current))
        return dis.estimate(previous, current)

    frames = video(2, 64, 96)
    session = Session(segmenter.with_settings(flip=True, scales=(1.0, 2.0)), flow=GivenFlow(listening))
    follow(session, frames, {0: np.pad(mask, ((0, 16), (0, 16)))})
    assert [previous.shape for previous, _ in asked] == [(64, 96, 3)] * 2 + [(128, 192, 3)] * 2
    assert np.array_equal(asked[0][1], frames[1].rgb)
    assert np.array_equal(asked[1][1], frames[1].rgb[:, ::-1])


# A session of several views is a session like any other


def test_what_was_given_comes_back_exactly_and_objects_keep_their_ids(several, video, mask):
    frames = video(8)
    session = several.session()
    assert not session.step(frames[0]).labels.any()
    first = session.step(frames[1], mask.astype(np.uint16) * 300)
    assert np.array_equal(first.labels, mask.astype(np.uint16) * 300)
    assert [(s.object_id, s.presence, s.confidence) for s in first.scores] == [(300, 1.0, 1.0), (600, 1.0, 1.0)]
    session.step(frames[2])
    place = session.state.objects.places[600]
    many = np.zeros((48, 80), np.uint16)
    for i in range(3):
        many[:8, 20 * i : 20 * i + 10] = 10 + i
    result = session.step(frames[3], many)
    assert all(np.array_equal(result.labels == 10 + i, many == 10 + i) for i in range(3))
    assert session.object_ids == (10, 11, 12, 300, 600)
    assert session.state.objects.num_groups == 2
    session.step(frames[4])
    for object_id in (11, 12, 300):
        session.remove(object_id)
    result = session.step(frames[5], probabilities=True)
    assert [s.object_id for s in result.scores] == [10, 600]
    assert session.state.objects.places[600] == place
    assert set(np.unique(result.labels)) <= {0, 10, 600}
    assert ((result.labels == 600) & (mask == 2)).sum() > 0.6 * (mask == 2).sum()
    assert result.probabilities.astype(np.float32).sum(0).max() <= 1 + 1e-2


def test_a_removed_object_leaves_no_trace_in_any_view(several, video, mask):
    session = several.session()
    follow(session, video(5), {0: mask})
    group, slot = session.state.objects.places[1]
    session.remove(1)
    held = [part for past in session.state.pasts for part in (past.memory.previous, *past.memory.entries)]
    assert len(held) == 4 * len(views_of(several.settings))
    for part in held:
        assert not part.probabilities[group, slot].any()
        np.testing.assert_allclose(part.probabilities.sum(1).numpy(), 1, atol=1e-5)
    session.remove(2)
    assert session.state.num_bytes == 0


def test_offline_and_frame_by_frame_and_from_a_kept_state_are_the_same_bits(several, video, mask):
    frames, given = video(6), {0: mask, 3: np.where(mask == 1, mask, 0)}
    offline = list(several.session().run(frames, given))
    session = several.session()
    live = [session.step(frame.rgb, given.get(frame.index)) for frame in frames[:3]]
    kept = session.state
    follow(session, frames[3:], {4: mask[::-1].copy()})
    session.state = kept
    live += [session.step(frame.rgb, given.get(frame.index)) for frame in frames[3:]]
    assert [r.labels.tobytes() for r in offline] == [r.labels.tobytes() for r in live]
    assert [r.scores for r in offline] == [r.scores for r in live]


def test_a_view_that_fails_leaves_the_others_as_they_were(segmenter, video, mask):
    calls = []

    def failing(*pictures):
        calls.append(pictures)
        if len(calls) == 2:
            raise ValueError("no flow today")
        return DisFlow().estimate(*pictures)

    frames = video(2)
    session = Session(segmenter.with_settings(flip=True), flow=GivenFlow(failing))
    session.step(frames[0], mask)
    before = session.state
    with pytest.raises(ValueError, match="no flow today"):
        session.step(frames[1])
    assert session.state is before


def test_the_memory_is_bounded_and_grows_with_the_views(segmenter, video, mask):
    frames, held = video(14), {}
    for flip in (False, True):
        session = segmenter.with_settings(flip=flip).session()
        sizes = []
        for frame in frames:
            session.step(frame, mask if frame.index == 0 else None)
            sizes.append(session.state.num_bytes)
        assert len(set(sizes[6:])) == 1
        held[flip] = sizes[-1]
    assert held[True] == 2 * held[False]
