from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from devos.frames import FrameSize
from devos.masks import merge_groups, shares, to_full_size


def soft(rows: int, slots: int, seed: int = 0, size: tuple[int, int] = (4, 5), sharpness: float = 2.0) -> torch.Tensor:
    return (sharpness * torch.randn(rows, slots, *size, generator=torch.Generator().manual_seed(seed))).softmax(1)


def test_the_answer_of_one_group_is_left_as_it_is():
    answer = soft(3, 4)
    assert merge_groups(answer, 1) is answer


@settings(max_examples=30, deadline=None)
@given(groups=st.integers(2, 5), images=st.integers(1, 2), sharpness=st.floats(0, 20), seed=st.integers(0, 99))
def test_merged_groups_agree_on_one_distribution(groups, images, sharpness, seed):
    merged = merge_groups(soft(groups * images, 4, seed, sharpness=sharpness), groups)
    assert merged.min() >= -1e-6
    torch.testing.assert_close(merged.sum(1), torch.ones(groups * images, 4, 5))
    objects = merged.unflatten(0, (images, groups))[:, :, 1:].sum((1, 2))
    assert objects.max() <= 1 + 1e-5


def test_merging_follows_the_odds_of_soft_aggregation():
    groups = torch.tensor([[0.7, 0.3], [0.4, 0.6]]).view(2, 2, 1, 1)
    background = 0.7 * 0.4 / (1 - 0.7 * 0.4)
    first, second = 0.3 / 0.7, 0.6 / 0.4
    total = background + first + second
    merged = merge_groups(groups, 2).flatten().tolist()
    assert merged == pytest.approx([1 - first / total, first / total, 1 - second / total, second / total], abs=1e-6)


def test_images_of_a_batch_are_merged_apart():
    one, two = soft(2, 4, 1), soft(2, 4, 2)
    both = merge_groups(torch.cat([one, two]), 2)
    torch.testing.assert_close(both, torch.cat([merge_groups(one, 2), merge_groups(two, 2)]))


@pytest.mark.parametrize("objects", [20, 300])
def test_absent_objects_do_not_add_up_over_many_groups(objects):
    groups = objects // 10
    answer = torch.zeros(groups, 11, 1, 2)
    answer[:, 0] = 1
    answer[3 % groups, :, 0, 1] = torch.tensor([0.2, 0.8] + [0] * 9)
    merged = merge_groups(answer, groups)
    assert merged[:, 1:, 0, 0].sum() < 1e-6
    assert merged[3 % groups, 1, 0, 1] > 0.75
    assert merged[:, 1:, 0, 1].sum() == pytest.approx(merged[3 % groups, 1, 0, 1].item(), abs=1e-4)


def test_shares_are_the_covered_part_of_each_cell():
    labels = np.zeros((4, 8), np.uint16)
    labels[:2, :4] = 65535
    labels[:, 6:] = 3
    found = shares(labels, [3, 65535, 9], FrameSize(1, 2))
    assert found.dtype == torch.float32
    assert found[:, 0].tolist() == [[0, 0.5], [0.5, 0], [0, 0]]


@settings(max_examples=30, deadline=None)
@given(height=st.integers(1, 70), width=st.integers(1, 70), seed=st.integers(0, 99))
def test_shares_of_all_labels_make_one_at_any_size(height, width, seed):
    labels = np.random.default_rng(seed).integers(0, 4, (height, width)).astype(np.uint8)
    found = shares(labels, [0, 1, 2, 3], FrameSize(16, 24))
    assert found.shape == (4, 16, 24)
    assert found.min() >= 0
    torch.testing.assert_close(found.sum(0), torch.ones(16, 24))


def slow_full_size(answer, size):
    logs = torch.nn.functional.interpolate(
        answer.clamp(min=1e-4).log()[None], size, mode="bilinear", align_corners=False
    )
    return logs[0].softmax(0)


def spread(full, values, size):
    """What is known of the pixels where an object wins, as a picture; 0 elsewhere."""
    picture = np.zeros(size, values.dtype)
    picture.ravel()[full.pixels] = values
    return torch.from_numpy(picture)


def winner_of(full, size):
    return spread(full, full.winner, size)


@pytest.mark.parametrize("count", [1, 7, 8, 9, 40, 300])
@pytest.mark.parametrize("size", [(9, 21), (350, 210)])
def test_some_rows_at_a_time_give_what_all_at_once_would(count, size):
    answer = soft(1, count + 1, sharpness=4)[0]
    full = to_full_size(answer, FrameSize(*size), keep_probabilities=True)
    expected = slow_full_size(answer, size)
    best = expected.amax(0)
    tie = (best - winner_share(full, expected, size)).abs() < 1e-6  # of two that are equally likely either may win
    assert tie.all()
    rounding = {"rtol": 1e-7 * count + 4e-6, "atol": 1e-6}  # of adding up so many
    won = winner_of(full, size) > 0
    torch.testing.assert_close(spread(full, full.certainty, size)[won], best[won], **rounding)
    assert full.probabilities is not None
    torch.testing.assert_close(full.probabilities, expected[1:], **rounding)


def winner_share(full, expected, size):
    """The expected probability of what won at each pixel."""
    return expected.gather(0, winner_of(full, size)[None])[0]


@pytest.mark.parametrize("size", [(48, 80), (61, 97), (30, 33)])
def test_an_object_is_enlarged_only_where_it_may_win_and_nothing_else_changes(size):
    ys, xs = torch.meshgrid(torch.arange(16.0), torch.arange(20.0), indexing="ij")
    centres = [(2, 3), (2, 3.5), (15, 19), (8, 0), (9, 10)]
    logits = torch.stack([torch.zeros(16, 20), *(6 - 4 * ((ys - y) ** 2 + (xs - x) ** 2).sqrt() for y, x in centres)])
    answer = logits.softmax(0)
    full = to_full_size(answer, FrameSize(*size))
    expected = slow_full_size(answer, size)
    winner = winner_of(full, size)
    assert torch.equal(winner, expected.argmax(0))
    assert set(winner.unique().tolist()) == set(range(6))
    torch.testing.assert_close(spread(full, full.certainty, size)[winner > 0], expected.amax(0)[winner > 0])


def test_an_object_that_is_nowhere_changes_nothing():
    gone = torch.stack([torch.full((4, 5), 1 - 1e-6), torch.full((4, 5), 1e-6)])
    assert not len(to_full_size(gone, FrameSize(16, 20)).pixels)


def test_probabilities_are_only_kept_when_they_are_asked_for():
    assert to_full_size(soft(1, 3)[0], FrameSize(8, 10)).probabilities is None


def test_without_objects_everything_is_background():
    full = to_full_size(torch.ones(1, 2, 3), FrameSize(4, 6), keep_probabilities=True)
    assert not len(full.pixels)
    assert full.probabilities is not None
    assert full.probabilities.shape == (0, 4, 6)


@pytest.mark.parametrize("size", [(1, 1), (1, 1000), (1000, 1), (3, 4)])
def test_every_size_is_filled(size):
    answer = soft(1, 4)[0]
    full = to_full_size(answer, FrameSize(*size))
    assert torch.equal(winner_of(full, size), slow_full_size(answer, size).argmax(0))
    assert full.certainty.min(initial=1) >= 0.25 - 1e-6
