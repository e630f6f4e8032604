from __future__ import annotations

import hashlib

import pytest

from devos.pipeline import checkup


def released(path, sha256=None):
    sha256 = sha256 or hashlib.sha256(path.read_bytes()).hexdigest()
    return lambda: {"devos-t": (path, sha256)}


def test_a_sound_installation_is_exit_code_0_and_a_line_for_each_thing(devos, weights, monkeypatch):
    monkeypatch.setattr(checkup, "released_weights", released(weights))
    result = devos("doctor")
    assert result.exit_code == 0, result.output
    for what in ("python", "torch", "numpy", "opencv", "av", "device", "threads", "overlay", "videos", "devos-t"):
        assert any(line.split()[:2] == ["ok", what] for line in result.stdout.splitlines()), what


@pytest.mark.parametrize("wrong", ["absent", "damaged"])
def test_wrong_weights_are_told_with_what_to_do(devos, weights, monkeypatch, wrong):
    monkeypatch.setattr(checkup, "released_weights", dict if wrong == "absent" else released(weights, "0" * 64))
    result = devos("doctor")
    assert result.exit_code == 1
    assert "wrong" in result.stdout and "-> install devos again" in result.stdout
