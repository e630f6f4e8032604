from __future__ import annotations

import hashlib

import pytest

from devos import extras
from devos.pipeline import checkup


def released(path, sha256=None):
    sha256 = sha256 or hashlib.sha256(path.read_bytes()).hexdigest()
    return lambda: {"devos-t": (path, sha256)}


def test_a_sound_installation_is_exit_code_0_and_a_line_for_each_thing(devos, weights, monkeypatch):
    monkeypatch.setattr(checkup, "released_weights", released(weights))
    result = devos("doctor")
    assert result.exit_code == 0, result.output
    for what in (
        "python",
        "torch",
        "numpy",
        "opencv-python-headless",
        "av",
        "device",
        "threads",
        "overlay",
        "videos",
        "devos-t",
    ):
        assert any(line.split()[:2] == ["ok", what] for line in result.stdout.splitlines()), what


@pytest.mark.parametrize("wrong", ["absent", "damaged"])
def test_wrong_weights_are_told_with_what_to_do(devos, weights, monkeypatch, wrong):
    monkeypatch.setattr(checkup, "released_weights", dict if wrong == "absent" else released(weights, "0" * 64))
    result = devos("doctor")
    assert result.exit_code == 1
    assert "wrong" in result.stdout and f"-> {extras.reinstall()}" in result.stdout


def test_on_a_plain_installation_what_is_optional_is_absent_and_not_wrong(devos, weights, monkeypatch):
    """Each package has one line, and each remedy names packages, not devos, which may be on no index."""
    monkeypatch.setattr(checkup, "released_weights", released(weights))
    listed = ["torch>=2.4", "numpy>=1.26", "pycocotools>=2.0.7; extra == 'coco'", "nowhere>=1; extra == 'train'"]
    monkeypatch.setattr(extras.metadata, "requires", lambda name: listed)
    monkeypatch.setattr(extras, "installed", lambda one: None if one.extras or one.marker else "9999")
    monkeypatch.setattr(checkup, "installed", lambda one: None if one.marker else "9999")
    result = devos("doctor")
    lines = result.stdout.splitlines()
    assert result.exit_code == 0, result.output
    assert not any(line.startswith("wrong") for line in lines)
    assert sum("coco" in line.split()[1:2] for line in lines) == 1
    remedies = [line.split("-> ")[1] for line in lines if "-> " in line]
    assert any(remedy.endswith("-m pip install 'pycocotools>=2.0.7'") for remedy in remedies), remedies
    assert not any("devos" in remedy.split("install", 1)[1] for remedy in remedies)


@pytest.mark.parametrize(("version", "words"), [(None, "not installed"), ("0.1", "0.1, and devos needs >=2.4")])
def test_what_is_needed_and_missing_or_too_old_is_wrong(devos, weights, monkeypatch, version, words):
    monkeypatch.setattr(checkup, "released_weights", released(weights))
    monkeypatch.setattr(extras.metadata, "requires", lambda name: ["torch>=2.4"])
    monkeypatch.setattr(checkup, "installed", lambda one: version)
    result = devos("doctor")
    assert result.exit_code == 1 and words in result.stdout and "-m pip install 'torch>=2.4'" in result.stdout
