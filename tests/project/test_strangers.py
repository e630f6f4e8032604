"""A project that somebody sent: nothing in it leads outside of its folder, and what is wrong is told in a line."""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from devos.errors import InputError
from devos.project.content import DAMAGED
from devos.project.folder import ProjectFolder
from devos.project.history import Annotation, History, Locks, Removal, Step
from devos.project.record import FORMAT, ProjectRecord
from devos.project.results import FrameResult

SHA = "ab" * 32
STEP = Step(1, "segment", (Annotation(0, "00000", (1,), SHA, "first.png", 0, None),), (Removal(1, 2, 3),),
            Locks((1,), ((0, 4),)), (3,), {"passes": []})  # fmt: skip
SAID = {"frame": 0, "name": "00000", "objects": [1], "mask": SHA, "source": "", "first": 0, "last": None}
RECORD = {
    "format": FORMAT, "devos": "0.1.0", "model": {"name": "devos-t", "sha256": SHA}, "settings": {}, "device": "cpu",
    "video": {"path": "a.mp4", "place": "/a.mp4", "width": 8, "height": 8, "fps": "25", "num_frames": 3, "exact": True,
              "fingerprint": SHA},
    "choices": {"fps": None, "direction": "forward", "first": None, "last": None, "overlay": True},
}  # fmt: skip
DEEP = '{"a":' * 60_000 + "1" + "}" * 60_000


@pytest.fixture
def history(tmp_path):
    (tmp_path / "history").mkdir()
    made = History(tmp_path / "history")
    assert made.begin(STEP) == STEP and made[1] == STEP
    return made


@pytest.mark.parametrize(
    "line",
    [
        [0, "../../../x", SHA, []], [0, "/tmp/x", SHA, []], [0, "..", SHA, []], [0, "a\0b", SHA, []], [0, "", SHA, []],
        [0, "0", "../" + SHA[3:], []], [0, "0", SHA.upper(), []], [-1, "0", SHA, []], [0.5, "0", SHA, []],
        [10**30, "0", SHA, []], [0, "0", SHA, [[0, 1, 1]]], [0, "0", SHA, [[70_000, 1, 1]]], [0, "0", SHA, 5], {}, 7,
    ],
)  # fmt: skip
def test_a_line_that_devos_does_not_write_is_damage(history, line):
    (history.folder / "0001.frames.jsonl").write_text(json.dumps(line) + "\n")
    with pytest.raises(InputError, match=r"0001\.frames\.jsonl.*cannot be read"):
        history.results()


@pytest.mark.parametrize(
    "changed",
    [
        {"annotations": [{**SAID, "name": "../x", "objects": [1], "mask": SHA}]},
        {"annotations": [{**SAID, "name": "x", "objects": [-1], "mask": SHA}]},
        {"annotations": [{**SAID, "name": "x", "objects": [1], "mask": "../"}]},
        {"annotations": 5}, {"number": -1}, {"removals": [{"object_id": {}, "first": 0, "last": 1}]}, {"plan": "x"},
        {"locks": {"objects": ["a"], "frames": []}}, {"checked": [None]}, {"passes_done": "1"}, {"more": 1},
    ],
)  # fmt: skip
def test_a_step_that_devos_does_not_write_is_damage(history, changed):
    path = history.folder / "0001.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changed}))
    with pytest.raises(InputError, match=r"0001\.json.*cannot be read"):
        list(history.steps())


@pytest.mark.parametrize(
    "text", ['{"steps": -3, "came_from": 5}', '{"steps": 1, "came_from": {}}', "[]", DEEP, "\udcff"]
)
def test_a_head_that_devos_does_not_write_is_damage(history, text):
    (history.folder / "head.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(InputError, match=r"head\.json.*cannot be read"):
        len(list(history.steps()))


def test_more_steps_than_there_are_is_damage_at_once(history):
    (history.folder / "head.json").write_text('{"steps": 999999999, "came_from": null}')
    with pytest.raises(InputError, match=r"0002\.json"):
        list(history.steps())


@pytest.mark.parametrize(
    "changed",
    [
        {"video": {**RECORD["video"], "fps": "1/0"}}, {"video": {**RECORD["video"], "path": "a\0"}}, {"settings": "x"},
        {"video": {**RECORD["video"], "num_frames": "3"}}, {"choices": {**RECORD["choices"], "direction": "up"}},
        {"choices": {**RECORD["choices"], "first": [0]}}, {"choices": {**RECORD["choices"], "fps": "0"}}, {"model": 3},
    ],
)  # fmt: skip
def test_a_record_that_devos_does_not_write_is_damage(tmp_path, changed):
    path = tmp_path / "out" / "project" / "project.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(RECORD))
    assert ProjectFolder(tmp_path / "out").record == ProjectRecord.read(path)
    path.write_text(json.dumps({**RECORD, **changed}))
    with pytest.raises(InputError, match=r"project\.json.*cannot be read"):
        ProjectRecord.read(path)


VALUES = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(max_size=8),
    lambda one: some.lists(one, max_size=4) | some.dictionaries(some.text(max_size=4), one, max_size=4),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None)
@given(some.sampled_from(sorted(STEP.__dataclass_fields__)), VALUES)
def test_whatever_stands_in_a_step_it_is_read_or_is_damage(field, value):
    known = json.loads(json.dumps(asdict(STEP)))
    with contextlib.suppress(DAMAGED):
        assert isinstance(Step.from_json({**known, field: value}), Step)


@settings(max_examples=60, deadline=None)
@given(some.integers(0, 3), VALUES)
def test_whatever_stands_in_a_line_it_is_read_or_is_damage(place, value):
    line = [0, "00000", SHA, [[1, 0.5, 0.5, 4, 0, 0, 2, 2]]]
    line[place] = value
    with contextlib.suppress(DAMAGED):
        assert "/" not in FrameResult.from_json(line).name
