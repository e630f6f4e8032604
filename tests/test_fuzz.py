"""Spoilt files that were found by `benchmarks/fuzz.py`, or thought of: each is read, or refused in one line."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import jaxtyping
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
try:
    import doors
    import fuzz
finally:
    sys.path.pop(0)

FOUND = (
    "annotations:0:0", "annotations:0:3", "annotations:0:4", "annotations:0:9", "cvat:0:0", "cvat:0:1", "cvat:0:5",
    "film:0:6", "film:0:11", "film:0:14", "film:0:16", "labelme:0:1", "labelme:0:2", "labelme:0:12", "labelme:0:45",
    "manifest:0:1", "mask:0:1", "mask:0:2", "picture:0:1", "run:0:1", "run:0:25", "run:0:32", "state:0:2",
    "video:0:1", "video:0:2", "weights:0:2", "weights:0:5", "zip:0:2", "report:0:24", "curve:0:12", "curve:0:99",
    "trained:0:0", "trained:0:3", "trained:0:44", "meta:0:17", "meta:0:67", "meta:0:99", "clicks:0:1", "clicks:0:3",
    "archives:0:1", "archives:0:23", "archives:0:55", "checkpoint:0:1", "coco:0:1", "message:0:0",
)  # fmt: skip
SLOW = ("project:0:0", "project:0:3", "project:0:4", "project:0:5", "project:0:23", "project:0:52", "project:1:17",
        "project:1:67", "zip:0:1")  # fmt: skip


@pytest.fixture
def unchecked():
    """The check of a mapping's type asks it for a value, which a damaged one has none of."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("case", [*FOUND, *(pytest.param(case, marks=pytest.mark.release) for case in SLOW)])
def test_a_spoilt_file_is_read_or_refused_in_a_line(case):
    door, seed, number = case.split(":")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert fuzz.try_one(door, fuzz.make(door, int(seed), int(number))) in ("read", "refused")


def test_every_door_has_a_case_here():
    assert {case.partition(":")[0] for case in (*FOUND, *SLOW)} == set(doors.DOORS)
