from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from devos import errors
from devos.frames import MAX_OBJECT_ID, Frame, FrameSize


def test_a_frames_size_is_height_before_width_and_is_said_the_other_way_round():
    size = Frame(0, 0.0, "00000", np.zeros((3, 4, 3), np.uint8)).size
    assert size == FrameSize(height=3, width=4) == (3, 4)
    assert str(size) == "4x3"


def test_the_highest_id_is_what_16_bits_hold():
    assert np.iinfo(np.uint16).max == MAX_OBJECT_ID


def test_a_frame_cannot_be_changed():
    frame = Frame(0, 0.0, "00000", np.zeros((3, 4, 3), np.uint8))
    with pytest.raises(dataclasses.FrozenInstanceError):
        frame.index = 2


def test_everything_that_a_person_can_mend_has_one_root():
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    kinds.remove(errors.DevosDeprecationWarning)
    assert len(kinds) == 9
    assert all(issubclass(kind, errors.DevosError) for kind in kinds)
    assert not issubclass(errors.DevosError, ValueError)
