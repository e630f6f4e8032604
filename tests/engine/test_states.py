from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading

import numpy as np
import pytest
import torch

import devos
from devos.engine import forks
from devos.engine.session import Kept
from devos.engine.states import State
from devos.errors import DevosError, InputError


@pytest.fixture(scope="module")
def segmenter(weights):
    return devos.load(weights, size=64, device="cpu")


@pytest.fixture(params=[{}, {"flip": True}], ids=["one view", "two views"])
def session(request, segmenter, pictures, square):
    """In the middle of a video, with objects of two groups."""
    begun = segmenter.with_settings(**request.param).session()
    labels = square.astype(np.uint16) * 300
    for object_id in range(1, 12):
        labels[50:54, 5 * object_id : 5 * object_id + 3] = object_id
    for index, frame in enumerate(pictures(12)):
        begun.step(frame, labels if index == 0 else None)
    return begun


@pytest.mark.parametrize("way", ["bytes", "file", "pickle"])
def test_a_state_that_was_put_away_goes_on_with_the_same_bits(session, segmenter, pictures, tmp_path, way):
    state = session.state
    if way == "bytes":
        restored = State.from_bytes(state.to_bytes())
    elif way == "file":
        state.save(tmp_path / "state.safetensors")
        restored = State.load(tmp_path / "state.safetensors")
    else:
        restored = pickle.loads(pickle.dumps(state))
    assert restored.to_bytes() == state.to_bytes() and restored.objects.ids == state.objects.ids
    other = segmenter.with_settings(flip=len(state.pasts) > 1).session()
    other.state = restored
    before = other.before()
    for frame in pictures(16)[12:]:
        prepared = other.prepare(devos.Frame(other.state.index, 0.0, "", frame), before)
        one, two = session.step(frame), other.step(prepared)
        before = prepared
        assert np.array_equal(one.labels, two.labels) and one.scores == two.scores


def test_a_damaged_or_foreign_state_is_refused_with_its_path(session, tmp_path):
    path = tmp_path / "state.safetensors"
    session.state.save(path)
    content = path.read_bytes()
    for damaged in (content[: len(content) // 2], b"", b"x" * 100, content.replace(b"devos state 1", b"devos state 9")):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match=r"state\.safetensors: "):
            State.load(path)
    with pytest.raises(InputError, match="cannot be read"):
        State.load(tmp_path / "none")


def test_kept_objects_come_back_exactly_and_enter_no_bank_as_annotated(segmenter, pictures, square):
    session = segmenter.session()
    frames, labels = pictures(8), square.astype(np.uint16)
    labels[50:60, 60:80] = 2
    session.step(frames[0], labels)
    standing = np.roll(labels, 4, 1)
    masks = session.step(frames[1], kept=Kept(standing, (1,)))
    assert np.array_equal(masks.labels == 1, standing == 1)
    session.step(frames[2], labels * (labels == 2), kept=Kept(standing, (1,)))
    assert [entry.frame for entry in session.state.memory.entries if entry.pinned] == [0, 2]
    taken = np.full_like(labels, 2)
    masks = session.step(frames[3], taken, kept=Kept(standing, (1, 2)))
    assert (masks.labels == 2).all()  # what is given counts before what stands


def test_threads_that_share_a_session_take_turns(segmenter, pictures, square):
    session, failures = segmenter.session(), []
    session.step(pictures(1)[0], square)

    def follow():
        try:
            for _ in range(5):
                session.step(pictures(1)[0])
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=follow) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failures and session.state.index == 16


_FORKS = """
import os, sys, numpy as np, torch, devos

torch.set_num_threads(int(sys.argv[1]))
frame, mask = np.zeros((64, 96, 3), np.uint8), np.ones((64, 96), np.uint8)
session = devos.load("devos-t", size=64, device="cpu", runtime="torch").session()
session.step(frame, mask)
child = os.fork()
if child == 0:
    try:
        session.step(frame)
    except devos.DevosError as error:
        print(error, flush=True)
        os._exit(2)
    os._exit(0)
code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
session.step(frame)  # who was forked goes on
sys.exit(code)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.parametrize(("threads", "code"), [(2, 2), (1, 0)])
def test_a_forked_process_is_told_at_once_or_computes_and_the_one_it_came_from_goes_on(threads, code):
    command = [sys.executable, "-W", "ignore", "-c", _FORKS, str(threads)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)  # a hang ends here
    assert done.returncode == code, done.stderr
    assert ("'spawn'" in done.stdout) == (code == 2)


def test_after_a_fork_what_would_wait_for_ever_is_an_error_at_once(monkeypatch, segmenter):
    monkeypatch.setattr(forks, "_computed_in", os.getpid() + 1)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    with pytest.raises(DevosError, match=r"forked.*spawn"):
        segmenter.session().step(np.zeros((64, 96, 3), np.uint8), np.ones((64, 96), np.uint8))
    with pytest.raises(DevosError, match=r"forked.*spawn"):
        devos.load("devos-t", size=64)
