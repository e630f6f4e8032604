from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from devos.errors import InputError, OutputError
from devos.frames import MaskFrame, ObjectScore
from devos.io.labels import label_png
from devos.project.content import Content, sha256_of
from devos.project.folder import ProjectFolder, require
from devos.project.history import History, Skipped, Step
from devos.project.record import FORMAT, fingerprint
from devos.project.results import FrameResult
from devos.project.snapshots import EVERY, MOST, Snapshots, thinned


def result(index, label=1, name=None):
    labels = np.zeros((8, 8), np.uint16)
    labels[index % 6, 2:5] = label
    masks = MaskFrame(index, 0.0, name or f"{index:05d}", labels, (ObjectScore(label, 0.9876, 0.5),))
    return FrameResult.of(masks, sha256_of(label_png(labels)))


@pytest.fixture
def history(tmp_path):
    (tmp_path / "history").mkdir()
    return History(tmp_path / "history")


def add(history, *results, skipped=()):
    step = history.begin(Step(0, "segment"))
    journal = history.journal(step.number)
    for one in results:
        journal.add(one.index, one)
    for one in skipped:
        journal.add_skipped(one)
    journal.close()
    return step.number


def test_results_are_those_of_the_steps_that_stand(history):
    assert add(history, result(0), result(1)) == 1
    assert add(history, result(1, label=3)) == 2
    assert history.results().frames == {0: result(0), 1: result(1, label=3)}
    history.set_head(1)
    assert history.results().frames == {0: result(0), 1: result(1)} and len(history) == 2
    assert add(history, result(5)) == 2 and len(history) == 2  # what was undone is forgotten
    assert sorted(history.results()) == [0, 1, 5]


def test_a_line_that_was_cut_off_is_none(history):
    number = add(history, result(0), result(1))
    path = history.folder / "0001.frames.jsonl"
    whole = path.read_bytes()
    for length in range(whole.index(b"\n") + 1, len(whole)):
        path.write_bytes(whole[:length])
        assert [index for index, _ in history.changes(number)] == [0]


def test_frames_that_were_left_out_are_kept_as_far_as_frames_after_them_are(history):
    step = history.begin(Step(0, "segment"))
    journal = history.journal(1)
    for index in range(4):
        journal.add_skipped(Skipped(f"bad{index}", "torn"))
        journal.add(index, result(index))
    journal.close()
    history.keep_changes(step.number, lambda index: index < 2)
    assert [one.frame for one in history.skipped(1)] == ["bad0", "bad1"]
    assert [index for index, _ in history.changes(1)] == [0, 1]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"steps": "x"}', "null"])
def test_a_damaged_file_of_the_history_is_named(history, content):
    (history.folder / "head.json").write_text(content)
    with pytest.raises(InputError, match=r"head\.json: a project's file that cannot be read"):
        history.results()


def test_content_is_kept_once_and_damage_to_it_is_found(tmp_path):
    content = Content(tmp_path / "content")
    name = content.add(b"a mask")
    assert content.add(b"a mask") == name and content.get(name) == b"a mask"
    assert len([path for path in content.folder.rglob("*") if path.is_file()]) == 1
    content.path(name).write_bytes(b"another")
    with pytest.raises(InputError, match="is damaged"):
        content.get(name)


def test_of_ever_so_many_snapshots_a_few_stay_the_newest_among_them():
    frames = []
    for frame in range(EVERY, 200 * EVERY, EVERY):
        frames = sorted(thinned([*frames, frame], frame))
        assert len(frames) <= MOST and frames[-1] == frame
    gaps = np.diff([0, *(frame for frame in frames if frame % (32 * EVERY) == 0)])
    assert set(gaps.tolist()) == {32 * EVERY}


def test_walking_backwards_only_the_last_state_is_kept(tmp_path):
    snapshots = Snapshots(tmp_path)
    for frame in (80, 60, 40):
        snapshots.put("backward", frame, b"state")
    snapshots.put("forward", 20, b"state")
    assert snapshots.frames("backward") == [40] and snapshots.frames("forward") == [20]


def test_a_lock_is_let_go_when_its_holder_is_killed(tmp_path):
    folder = ProjectFolder(tmp_path / "out")
    program = (
        "import os, signal, sys; from devos.project.folder import ProjectFolder\n"
        "with ProjectFolder(sys.argv[1]).writing(): print('held', flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    held = subprocess.run([sys.executable, "-c", program, folder.path], capture_output=True, text=True, timeout=60)
    assert held.stdout == "held\n"
    with folder.writing(), pytest.raises(OutputError, match="another devos is writing there"):
        ProjectFolder(tmp_path / "out").writing().__enter__()


def test_a_project_of_another_format_or_none_is_refused_with_a_word(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        require(tmp_path / "none")
    with pytest.raises(InputError, match="holds no project"):
        require(tmp_path)
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "project.json").write_text(json.dumps({"format": FORMAT + 1}))
    with pytest.raises(InputError, match=f"format {FORMAT + 1}; this devos reads format {FORMAT}"):
        require(tmp_path)


def test_a_fingerprint_tells_videos_by_their_content_and_not_by_their_name(tmp_path):
    for name, content in (("a", b"film" * 1000), ("b", b"film" * 1000), ("c", b"film" * 999 + b"fill")):
        (tmp_path / name).write_bytes(content)
    a, b, c = (fingerprint(tmp_path / name) for name in "abc")
    assert a == b != c
