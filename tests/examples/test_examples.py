"""The examples run, on a network that has learnt nothing."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

import devos
from devos.engine import segmenter as engine

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def segmenter(weights):
    return devos.load(weights, size=64, device="cpu")


def example(name):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_loop_of_opencv_writes_a_mask_for_each_frame(clip, square, segmenter, tmp_path):
    assert example("opencv_loop").follow(str(clip / "clip.mp4"), square, tmp_path / "masks", segmenter) == 8
    masks = sorted((tmp_path / "masks").iterdir())
    assert [path.name for path in masks] == [f"{index:05d}.png" for index in range(8)]
    assert np.array_equal(cv2.imread(str(masks[0]), cv2.IMREAD_UNCHANGED), square)


def test_the_robot_aims_at_the_object_or_says_that_it_is_lost(clip, square, segmenter, monkeypatch):
    from devos.io import live

    monkeypatch.setattr(live, "camera_input", lambda number: (str(clip / "clip.mp4"), None))
    aims = list(example("robot_camera").aims("camera:0", square, segmenter))
    assert aims[0].right == pytest.approx(2 * 21.5 / 95 - 1) and aims[0].down == pytest.approx(2 * 31.5 / 63 - 1)
    assert all(aim.is_lost or -1 <= aim.right <= 1 for aim in aims)


@pytest.mark.filterwarnings("ignore")
def test_the_notebook_runs_from_top_to_bottom(clip, weights, tmp_path, monkeypatch):
    import hashlib

    import matplotlib

    from devos.pipeline import demo

    matplotlib.use("Agg")
    sha256 = hashlib.sha256(weights.read_bytes()).hexdigest()
    monkeypatch.setattr(engine, "released_weights", lambda: {"devos-t": (weights, sha256)})
    monkeypatch.setattr(demo, "demo_clip", lambda: (clip / "clip.mp4", clip / "first.png"))
    monkeypatch.chdir(tmp_path)
    cells = json.loads((EXAMPLES / "follow_and_correct.ipynb").read_text())["cells"]
    names: dict[str, object] = {}
    for cell in cells:
        if cell["cell_type"] == "code":
            code = "".join(cell["source"]).replace("last=24", "last=7").replace("0, 25", "0, 8").replace("% 8", "% 3")
            code = code.replace("12", "3").replace("write=[", "size=64, write=[")
            # a network that has learnt nothing has lost the object by then
            exec(code.replace("project.masks[3].copy()", "project.masks[0].copy()"), names)
    assert names["project"].folder.history.head == 2
    shutil.rmtree(tmp_path / "notebook_out")
