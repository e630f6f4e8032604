from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pytest

import devos


class Detections(SimpleNamespace):
    """Takes what supervision's own takes."""

    @classmethod
    def empty(cls):
        return cls(xyxy=np.zeros((0, 4), np.float32))


def test_a_frame_as_supervision_has_it(shots, monkeypatch):
    try:
        import supervision
    except ImportError:
        supervision = SimpleNamespace(Detections=Detections)
        monkeypatch.setitem(sys.modules, "supervision", supervision)
    found = devos.as_detections(shots[1].masks)
    assert found.xyxy.tolist() == [[3, 3, 12, 10], [16, 8, 44, 30]]
    assert found.tracker_id.tolist() == [7, 300] and found.confidence.tolist() == pytest.approx([0.8, 0.6])
    for mask, object_id in zip(found.mask, (7, 300), strict=True):
        assert np.array_equal(mask, shots[1].masks.labels == object_id)
    assert len(devos.as_detections(shots[3].masks).xyxy) == 0


def test_without_supervision_the_command_that_installs_it_is_told(shots, monkeypatch):
    monkeypatch.setitem(sys.modules, "supervision", None)
    with pytest.raises(devos.OptionError, match=r"needs supervision, which is not installed: .*install supervision"):
        devos.as_detections(shots[1].masks)
