"""An object stays near where the flow takes it, unless it is lost there."""

import pytest
import torch

from devos.model.encoder import Features
from devos.model.identity import Values
from devos.model.memory import Entry, Previous
from devos.model.staying import keep_near

HEIGHT, WIDTH = 96, 160
"""Cells at stride 4."""
HOME, FAR = (40, 20), (40, 120)


def claims(*corners: tuple[int, int], side: int = 16) -> torch.Tensor:
    """Probabilities of background and two slots; the first has a square at each corner, the second one of its own."""
    maps = torch.zeros(1, 3, HEIGHT, WIDTH)
    maps[0, 2, 80:90, 140:150] = 0.9
    for y, x in corners:
        maps[0, 1, y : y + side, x : x + side] = 0.9
    maps[:, 0] = 1 - maps[:, 1:].sum(1)
    return maps


def seen(probabilities: torch.Tensor) -> Previous:
    nothing = torch.zeros(1, 0, 1, 1)
    return Previous(Features(nothing, nothing, nothing, nothing), probabilities, Values(nothing, nothing, nothing))


def entry(probabilities: torch.Tensor) -> Entry:
    nothing = torch.zeros(1, 0, 1, 1)
    return Entry(0, True, Features(nothing, nothing, nothing, nothing), probabilities, {}, {})


def followed(now: torch.Tensor, was: torch.Tensor, flow_x: float = 0.0) -> torch.Tensor:
    to_prev = torch.zeros(1, 2, HEIGHT // 2, WIDTH // 2)
    to_prev[:, 0] = flow_x
    return keep_near(now, seen(was), [entry(claims(HOME))], to_prev)


def test_what_looks_like_it_far_away_is_given_to_the_background():
    kept = followed(claims(HOME, FAR), claims(HOME))
    assert torch.equal(kept[:, 1:], claims(HOME)[:, 1:])
    assert torch.allclose(kept.sum(1), torch.ones(1, HEIGHT, WIDTH))


def test_an_object_that_is_lost_where_it_was_may_be_anywhere():
    assert torch.equal(followed(claims(FAR), claims(HOME)), claims(FAR))


def test_an_object_that_was_away_may_come_back_anywhere():
    assert torch.equal(followed(claims(FAR), claims()), claims(FAR))


def test_a_little_of_it_near_does_not_hold_it_there():
    now = claims(FAR)
    now[0, 1, 40:44, 20:24] = 0.9
    assert torch.equal(followed(now, claims(HOME)), now)


def test_near_is_where_the_flow_leads():
    moved = (40, 120)
    assert torch.equal(followed(claims(moved, HOME), claims(HOME), flow_x=-400.0)[:, 1:], claims(moved)[:, 1:])


def test_every_object_is_judged_by_itself():
    kept = followed(claims(HOME, FAR), claims(HOME))
    assert kept[0, 2, 85, 145] == pytest.approx(0.9), "the second one stays as it was"


def test_where_groups_of_objects_come_or_go_nothing_is_withheld():
    now = claims(FAR).repeat(2, 1, 1, 1)
    assert keep_near(now, seen(claims(HOME)), [], torch.zeros(1, 2, HEIGHT // 2, WIDTH // 2)) is now
