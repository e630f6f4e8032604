from __future__ import annotations

import pytest
import torch

from devos.model.encoder import Features
from devos.model.memory import Entry, EveryNth, Memory


def entry(frame: int, pinned: bool = False) -> Entry:
    one = torch.zeros(1, 1, 1, 1)
    cells = torch.zeros(1, 1, 1)
    return Entry(frame, pinned, Features(one, one, one, one), one, {16: cells, 32: cells}, {16: cells, 32: cells})


def bank_after(policy: EveryNth, num_frames: int, pinned: tuple[int, ...] = (0,)) -> list[int]:
    memory = Memory()
    for frame in range(num_frames):
        if policy.admits(memory, frame, frame in pinned):
            memory = Memory(None, policy.kept((*memory.entries, entry(frame, frame in pinned))), frame)
            assert len(memory.entries) <= policy.max_entries
    return [e.frame for e in memory.entries]


def test_the_annotated_frame_stays_and_the_oldest_other_one_leaves():
    assert bank_after(EveryNth(every=5, max_entries=3), 5) == [0]
    assert bank_after(EveryNth(every=5, max_entries=3), 11) == [0, 5, 10]
    assert bank_after(EveryNth(every=5, max_entries=3), 31) == [0, 25, 30]


def test_at_stride_16_the_annotated_and_the_newest_others_are_read_and_at_32_all():
    policy = EveryNth(every=1, max_entries=5, fine=2)
    memory = Memory()
    for frame in range(9):
        added = (*memory.entries, entry(frame, frame in (0, 6)))
        memory = Memory(None, policy.kept(added), frame)
    assert [e.frame for e in memory.entries] == [0, 5, 6, 7, 8]
    assert [e.frame for e in memory.entries if 16 in e.keys and 16 in e.values] == [0, 6, 7, 8]
    assert memory.keys(16).shape[1] == memory.values(16).shape[1] == 4
    assert memory.keys(32).shape[1] == memory.values(32).shape[1] == 5


def test_later_annotated_frames_are_kept_before_unannotated_ones():
    assert bank_after(EveryNth(every=5, max_entries=3), 40, pinned=(0, 12)) == [0, 12, 37]


def test_when_all_are_annotated_the_first_and_the_newest_stay():
    assert bank_after(EveryNth(every=5, max_entries=3), 8, pinned=tuple(range(8))) == [0, 6, 7]
    assert len(bank_after(EveryNth(every=1, max_entries=1), 8, pinned=(0, 4))) == 1


@pytest.mark.parametrize("settings", [{"every": 0}, {"max_entries": 0}, {"fine": 0}])
def test_a_policy_that_keeps_nothing_is_refused(settings):
    with pytest.raises(ValueError, match="must be at least 1"):
        EveryNth(**settings)
