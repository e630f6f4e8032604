from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).parents[1] / "tools" / "gpu_check.py"


@pytest.fixture(scope="module")
def gpu_check():
    spec = importlib.util.spec_from_file_location("gpu_check", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules["gpu_check"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules["gpu_check"]


SMALL = ["--device", "cpu", "--size", "64", "--frames", "3", "--no-compile", "--no-tests"]


def test_the_script_runs_on_a_cpu_to_its_last_line_and_writes_its_table(gpu_check, tmp_path, capsys):
    assert gpu_check.main(["-o", str(tmp_path), *SMALL]) == 0
    told = json.loads((tmp_path / "table.json").read_text())
    by_name = {row["what"]: row for row in told["rows"]}
    assert by_name["cpu, float32"]["least IoU"] == 1 and by_name["cpu, bf16"]["least IoU"] > 0.99
    assert "fp16 is for GPUs" in by_name["cpu, fp16"]["note"]  # what cannot be had here is told
    assert by_name["cpu, bf16, 4 videos at once"]["frames/s"] > 0
    assert (tmp_path / "table.md").read_text().strip() in capsys.readouterr().out


def test_masks_that_differ_are_an_error(gpu_check, tmp_path, monkeypatch):
    monkeypatch.setattr(gpu_check, "iou", lambda ours, theirs: 0.5)
    monkeypatch.setattr(gpu_check, "HALVES", {})
    assert gpu_check.main(["-o", str(tmp_path), *SMALL, "--minutes", "0.5"]) == 1
    assert "masks differ from the CPU's" in (tmp_path / "table.md").read_text()


def test_what_the_time_is_too_short_for_is_told(gpu_check, tmp_path):
    assert gpu_check.main(["-o", str(tmp_path), *SMALL, "--minutes", "0"]) == 0
    told = json.loads((tmp_path / "table.json").read_text())
    assert told["rows"] == [] and "cpu, float32" in told["left_out"]


def test_a_device_that_is_not_there_is_one_line(gpu_check, tmp_path, capsys):
    assert gpu_check.main(["-o", str(tmp_path), "--device", "cuda:77"]) == 2
    assert capsys.readouterr().err.startswith("error: --device cuda:77 cannot be used here")


def test_an_overlap_asks_for_the_same_object(gpu_check):
    ours, theirs = np.array([[1, 1, 2, 0]]), np.array([[1, 2, 2, 0]])
    assert gpu_check.iou(ours, theirs) == pytest.approx(2 / 3)
    assert gpu_check.iou(ours * 0, theirs * 0) == 1
