"""Training and following are one recurrence: the same clip gives the same logits."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import torch

from devos.data.batching import Batch, collate
from devos.data.clips import Clip
from devos.engine.session import Session
from devos.flow.estimator import DisFlow, GivenFlow
from devos.training.config import debug
from devos.training.loop import unroll


def recorded(model, monkeypatch):
    """Every answer that the network gives from here on."""
    outputs, step = [], model.step

    def listening(*arguments):
        outputs.append(step(*arguments))
        return outputs[-1]

    monkeypatch.setattr(model, "step", listening)
    return outputs


def test_training_unroll_and_session_give_the_same_logits(ten_slots, video, monkeypatch):
    frames = video(6, 64, 96)
    labels = np.zeros((64, 96), np.uint8)
    labels[8:40, 8:40] = 1
    labels[43:61, 21:70] = 2
    pairs = [DisFlow().estimate(a.rgb, b.rgb) for a, b in itertools.pairwise(frames)]
    clip = Clip(
        np.stack([f.rgb for f in frames]), np.stack([labels] * 6), np.stack([p.to_prev for p in pairs]),
        np.stack([p.to_curr for p in pairs]), "made up",
    )  # fmt: skip
    batch = collate([clip], 10, np.random.default_rng(0))
    # The session gives places in order; training gives them at random. Put the objects where the session has them.
    slots, used = torch.from_numpy(clip.labels.astype(np.int64))[None], torch.zeros(1, 11, dtype=torch.bool)
    used[:, :3] = True
    batch = Batch(batch.images, slots, used, batch.to_prev, batch.to_curr)
    outputs = recorded(ten_slots.model, monkeypatch)

    config = debug()
    with torch.no_grad():
        unroll(ten_slots.model, batch, replace(config, memory_every=2), step=0)
    trained = outputs.copy()
    outputs.clear()
    session = Session(ten_slots.with_settings(memory_every=2, bank=4), flow=GivenFlow(lambda *_: next(given_pairs)))
    given_pairs = iter(pairs)
    list(session.run(frames, {0: labels}))

    assert len(trained) == len(outputs) == 6
    for one, other in zip(trained, outputs, strict=True):
        torch.testing.assert_close(one.logits, other.logits, atol=2e-4, rtol=1e-4)
        torch.testing.assert_close(one.probabilities, other.probabilities, atol=1e-4, rtol=1e-4)
        assert [e.frame for e in one.memory.entries] == [e.frame for e in other.memory.entries]
    assert trained[5].logits[:, :3].std() > 0.1
