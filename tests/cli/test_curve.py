from __future__ import annotations

import os

import pytest
from PIL import Image

from devos.model.checkpoint import load_weights, save_weights


@pytest.fixture
def run(weights, tmp_path):
    home = tmp_path / "run"
    home.mkdir()
    (home / "log.csv").write_text("step,seconds_per_step\n10,6.0\n20,6.0\n")
    model, _ = load_weights(weights)
    save_weights(model, home / "devos-t-000010.safetensors", {"step": 10})
    save_weights(model, home / "devos-t.safetensors", {"step": 20})
    return home


@pytest.fixture
def curve(devos, run, video_root, tmp_path):
    def call(*options: object):
        return devos("figure", "curve", run, "--root", video_root, "-o", tmp_path / "c", "--size", 64,
                     "--device", "cpu", "--flow", "none", *options)  # fmt: skip

    return call


def test_a_curve_is_scored_drawn_and_gone_on_with(curve, tmp_path):
    cache = os.environ["DEVOS_CACHE"]
    result = curve("--every", 20)
    assert result.exit_code == 0
    assert result.stdout.split() == [str(tmp_path / "c" / "curve.csv"), str(tmp_path / "c" / "curve.png")]
    assert "run step 20: J&F videos" in result.stderr and "0 left" in result.stderr
    with Image.open(tmp_path / "c" / "curve.png") as picture:
        assert picture.size == (1500, 620)
    again = curve()
    assert [line.partition(":")[0] for line in again.stderr.splitlines()] == ["run step 10"]
    header, *rows = (tmp_path / "c" / "curve.csv").read_text().splitlines()
    assert header == "run,weights,step,steps,minutes,videos J&F,videos J,videos F,videos/ant,videos/bee"
    assert [row.split(",")[:5] for row in rows] == [
        ["run", "devos-t-000010.safetensors", "10", "10", "1.00"], ["run", "devos-t.safetensors", "20", "20", "2.00"],
    ]  # fmt: skip
    assert os.environ["DEVOS_CACHE"] == cache


def test_two_roots_of_one_name_are_refused(curve, video_root):
    result = curve("--root", video_root)
    assert result.exit_code == 2 and "--root names 'videos' twice" in result.stderr
    assert curve("--root", "=x").exit_code == 2
