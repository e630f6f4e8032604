from __future__ import annotations

import pytest

from devos.errors import OptionError
from devos.pipeline.plan import BACKWARD, BOTH, FORWARD, Done, Plan, check_direction, make_plan
from devos.project.history import Annotation


def said(frame, *objects, step=1, first=0, last=None):
    return step, Annotation(frame, f"{frame:05d}", objects, "0" * 64, "", first, last)


def spans(plan, direction=FORWARD):
    return [(s.object_id, s.first, s.last) for one in plan.passes if one.direction == direction for s in one.spans]


def done(plan, number=1, frames=None):
    return Done(number, plan.passes, frames)


FIRST = make_plan([said(0, 1, 2)], ())


@pytest.mark.parametrize(
    ("words", "options", "expected"),
    [
        ([said(0, 1)], {}, [(1, 0, None)]),
        ([said(0, 1), said(30, 2)], {}, [(1, 0, None), (2, 30, None)]),
        ([said(0, 1), said(30, 1)], {}, [(1, 0, None)]),
        ([said(0, 1)], {"first": 10, "last": 20}, [(1, 10, 20)]),
        ([said(0, 1, last=9)], {}, [(1, 0, 9)]),
        ([said(0, 1, 2)], {"objects": [2]}, [(2, 0, None)]),
        ([], {}, []),
    ],
)
def test_forwards_each_object_is_followed_from_its_annotations_on(words, options, expected):
    assert spans(make_plan(words, (), **options)) == expected


def test_what_was_done_since_it_was_said_is_not_done_again():
    assert make_plan([said(0, 1, 2)], [done(FIRST)]).passes == ()


def test_a_correction_is_followed_up_to_the_next_frame_on_which_its_object_was_marked():
    words = [said(0, 1, 2), said(67, 2), said(40, 2, step=2)]
    before = make_plan(words[:2], ())
    assert spans(make_plan(words, [done(before)], last=89)) == [(2, 40, 66)]


def test_beyond_the_range_of_a_correction_what_was_said_before_counts():
    words = [said(0, 1), said(40, 1, step=2, first=40, last=50)]
    plan = make_plan(words, [done(FIRST)], last=50)
    assert spans(plan) == [(1, 40, 50)]
    assert make_plan(words, [done(FIRST), done(plan, 2)]).passes == ()


def test_a_run_that_was_stopped_is_gone_on_with_where_it_was():
    plan = make_plan([said(0, 1, 2)], [done(FIRST, frames=set(range(58)))])
    assert spans(plan) == [(1, 58, None), (2, 58, None)]
    assert (plan.passes[0].start, plan.passes[0].from_snapshot) == (0, False)


def test_the_walk_begins_at_the_nearest_state_before_the_first_frame_that_changes():
    words = [said(0, 1), said(45, 1, step=2)]
    plan = make_plan(words, [done(FIRST)], snapshots=[20, 40, 60], last=89)
    assert (plan.passes[0].start, plan.passes[0].from_snapshot) == (40, True)


def test_walks_that_do_not_touch_are_made_apart():
    words = [said(0, 1, 2), said(10, 1, step=2, first=10, last=20), said(40, 2, step=2, first=40, last=50)]
    plan = make_plan(words, [done(FIRST)])
    assert [(one.first, one.last) for one in plan.passes] == [(10, 20), (40, 50)]


def test_backwards_each_object_is_followed_down_to_the_annotation_before():
    plan = make_plan([said(10, 1), said(30, 1), said(20, 2)], (), direction=BACKWARD)
    assert spans(plan, BACKWARD) == [(1, 0, 30), (2, 0, 20)]
    assert [(one.start, one.first, one.last, one.soft) for one in plan.passes] == [(30, 0, 30, False)]


def test_backwards_what_is_left_begins_at_the_annotation_that_it_follows_from():
    words = [said(40, 1)]
    whole = make_plan(words, (), direction=BACKWARD)
    plan = make_plan(words, [done(whole, frames=set(range(25, 41)))], direction=BACKWARD)
    assert [(one.start, one.first, one.last) for one in plan.passes] == [(40, 0, 24)]


def test_both_directions_meet_between_two_annotations():
    plan = make_plan([said(10, 1), said(30, 1)], (), direction=BOTH)
    first, second = plan.passes
    assert (first.direction, first.soft, spans(plan, BACKWARD)) == (BACKWARD, True, [(1, 0, 30)])
    assert (second.direction, second.first, second.last, spans(plan)) == (FORWARD, 0, None, [(1, 10, None)])


def test_a_first_run_has_results_from_its_first_frame_on_also_where_nothing_is_followed_yet():
    plan = make_plan([said(5, 1)], (), fill=True)
    assert [(one.start, one.first) for one in plan.passes] == [(0, 0)]


def test_a_plan_is_the_same_after_a_way_through_json():
    plan = make_plan([said(10, 1), said(30, 1)], (), direction=BOTH)
    assert Plan.from_json(plan.as_json()) == plan


def test_a_direction_that_there_is_not_is_refused():
    with pytest.raises(OptionError, match="--direction is forward, backward, both; got 'up'"):
        check_direction("up")
