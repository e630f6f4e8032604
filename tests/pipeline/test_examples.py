"""Each example in a docstring runs."""

from __future__ import annotations

import doctest
import hashlib
import importlib

import pytest

MODULES = (
    "devos.pipeline.segment", "devos.pipeline.predictor", "devos.engine.ensemble", "devos.engine.profile",
    "devos.engine.segmenter", "devos.engine.session", "devos.engine.settings",
)  # fmt: skip


@pytest.mark.parametrize("name", MODULES)
def test_every_example_prints_what_it_says(name, clip, weights, monkeypatch):
    from devos.engine import segmenter

    if "devos-t" not in segmenter.released_weights():
        sha256 = hashlib.sha256(weights.read_bytes()).hexdigest()
        monkeypatch.setattr(segmenter, "released_weights", lambda: {"devos-t": (weights, sha256)})
    monkeypatch.chdir(clip)
    failed, tried = doctest.testmod(importlib.import_module(name))
    assert failed == 0 and tried > 0
