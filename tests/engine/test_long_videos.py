from __future__ import annotations

import jaxtyping
import numpy as np
import pytest


@pytest.fixture
def unchecked():
    """Shapes are checked in every other test; here they would double a minute."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


def mask_of_the_square(height=64, width=64):
    labels = np.zeros((height, width), np.uint8)
    labels[8:40, 8:40] = 1
    return labels


@pytest.mark.parametrize("end", [200, pytest.param(1000, marks=pytest.mark.release)])
def test_state_has_the_same_bytes_however_many_frames_were_seen(segmenter, video, unchecked, monkeypatch, end):
    """The network's true step, at its smallest size. What the state counts covers all the memory that it holds."""
    # It has learnt nothing and soon sees no object; such frames would not be remembered.
    monkeypatch.setattr("devos.model.memory._shows_something", lambda _: True)
    session = segmenter.session()
    frames, counted, held = video(12, 64, 64), {}, {}
    for t in range(end + 1):
        session.step(frames[t % 12].rgb, mask_of_the_square() if t == 0 else None)
        if t in (20, 100, end):
            state = session.state
            storages = {x.untyped_storage().data_ptr(): x.untyped_storage().nbytes() for x in state.memory.tensors()}
            counted[t], held[t] = state.num_bytes, sum(storages.values()) + state.previous.nbytes
    assert session.state.index == end + 1
    assert counted[20] == counted[100] == counted[end]
    assert held[20] == held[100] == held[end]
    assert 0 < held[end] <= counted[end]
    assert [entry.frame for entry in session.state.memory.entries] == [0, end - 2, end]


def test_annotating_every_frame_does_not_grow_the_state_either(segmenter, video):
    session = segmenter.session()
    sizes = []
    for frame in video(20, 64, 64):
        session.step(frame, mask_of_the_square())
        sizes.append(session.state.num_bytes)
    assert len(set(sizes[5:])) == 1
