from __future__ import annotations

import json

import pytest


@pytest.fixture
def data(tmp_path, video_root, photo_root, monkeypatch):
    monkeypatch.setenv("DEVOS_CACHE", str(tmp_path / "cache"))
    (tmp_path / "data").mkdir()
    video_root.rename(tmp_path / "data" / "video-train")
    photo_root.rename(tmp_path / "data" / "static")
    return tmp_path / "data"


def test_a_training_set_is_built_and_unpacked(devos, data, tmp_path):
    (tmp_path / "terms.txt").write_text("for research only")
    result = devos("data", "build", data, "-o", tmp_path / "packed", "--terms", tmp_path / "terms.txt")
    assert result.exit_code == 0 and result.stdout == f"{tmp_path / 'packed'}\n"
    assert "video-train: 2 of 2 sequences are used" in result.stderr
    assert "data-000.tar: 56 files" in result.stderr
    assert json.loads((tmp_path / "packed" / "manifest.json").read_text())["terms"] == "for research only"
    result = devos("data", "unpack", tmp_path / "packed", "-o", tmp_path / "again")
    assert result.exit_code == 0 and len(list((tmp_path / "again").rglob("*.*"))) == 57


def test_without_a_place_to_write_to_it_only_looks(devos, data, tmp_path):
    before = sorted(tmp_path.iterdir())
    result = devos("data", "build", data, "--not-in", data / "static")
    assert result.exit_code == 2 and "static has no photos to train on" in result.stderr
    result = devos("data", "build", data, "--not-in", tmp_path / "nowhere")
    assert result.exit_code == 2 and "nowhere is no folder" in result.stderr
    assert devos("data", "build", data).exit_code == 0
    assert [path for path in sorted(tmp_path.iterdir()) if path not in before] in ([], [tmp_path / "cache"])


def test_strict_refuses_what_would_be_left_out(devos, data, tmp_path):
    held = tmp_path / "dev"
    held.mkdir()
    picture = data / "static" / "things" / "images" / "0.png"
    (held / "a.png").write_bytes(picture.read_bytes())
    assert devos("data", "build", data, "--not-in", held).exit_code == 0
    result = devos("data", "build", data, "--not-in", held, "--strict", "-o", tmp_path / "packed")
    assert result.exit_code == 2 and "it is held back" in result.stderr
    assert not (tmp_path / "packed").exists()
