from __future__ import annotations

import pytest

from devos.data.__main__ import main


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DEVOS_CACHE", str(tmp_path / "cache"))


def test_what_was_found_is_printed(davis, made, capsys, tmp_path):
    root = davis({"bear": [made.boxes(1)] * 2, "still": [made.boxes(1)]})
    assert main([f"davis=davis2017:{root}"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "davis: 1 of 2 sequences are used; 1 left out",
        "  left out, one frame with a mask (1): still (nothing moves: use it as a photo)",
    ]
    assert list((tmp_path / "cache" / "data").rglob("*.json"))


def test_a_set_that_cannot_be_used_ends_with_2(davis, made, capsys, tmp_path):
    root = davis({"bear": [made.boxes(1)] * 2, "still": [made.boxes(1)]})
    assert main([f"davis=davis2017:{root}", "--strict"]) == 2
    assert main([f"mose=mose:{tmp_path / 'nowhere'}"]) == 2
    assert main(["davis"]) == 2
    errors = capsys.readouterr().err
    assert "error: davis: 1 of 2 sequences are used; 1 left out" in errors
    assert "there is no such folder\nexpected:" in errors
    assert "write NAME=LAYOUT:ROOT" in errors


def test_every_layout_can_be_looked_up(capsys):
    assert main(["--layouts"]) == 0
    shown = capsys.readouterr().out
    assert "youtube-vos: YouTube-VOS 2018 or 2019\nROOT/\n  train/\n    JPEGImages/<video>/00000.jpg" in shown
    assert "duts: DUTS\nROOT/\n  DUTS-TR-Image/NAME.jpg\n  DUTS-TR-Mask/NAME.png" in shown
    assert "coco: " in shown
