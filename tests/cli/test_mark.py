from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def mark(devos, clip, tmp_path):
    """`devos mark` by GrabCut on the small clip."""

    def run(*options, video="clip.mp4", out="marked.png"):
        return devos("mark", clip / video, "-o", tmp_path / out, "--click-model", "grabcut", *options)

    return run


def labels(path):
    return np.asarray(Image.open(path))


def test_a_click_on_the_square_makes_a_mask_of_it(mark, tmp_path, square):
    result = mark("--click", "22,32")
    assert result.exit_code == 0
    told = json.loads(result.stdout)
    found = labels(tmp_path / "marked.png")
    assert told["frame"] == "00000"
    assert told["objects"]["1"]["pixels"] == np.count_nonzero(found == 1)
    assert ((found == 1) & (square == 1)).sum() / ((found == 1) | (square == 1)).sum() > 0.85


def test_the_mask_is_one_that_segment_takes(mark, devos, clip, weights, tmp_path):
    mark("--box", "8,18,36,46", "--object", 7)
    options = ("-m", tmp_path / "marked.png", "-o", tmp_path / "out", "--model", weights, "--size", 64)
    done = devos("segment", clip / "clip.mp4", *options)
    assert done.exit_code == 0
    assert json.loads(done.stdout)["object_ids"] == [7]


def test_another_frame_is_named_by_number_or_as_its_file(mark, tmp_path):
    mark("--click", "24,32", "--frame", "2", video="frames", out="a.png")
    told = json.loads(mark("--click", "24,32", "--frame", "f3", video="frames", out="b.png").stdout)
    assert told["frame"] == "f3"
    assert np.array_equal(labels(tmp_path / "a.png"), labels(tmp_path / "b.png"))


def test_several_objects_at_once_or_one_after_the_other(mark, tmp_path):
    mark("--click", "3:22,32", "--box", "5:60,10,80,30")
    assert set(np.unique(labels(tmp_path / "marked.png"))) == {0, 3, 5}
    mark("--box", "60,40,80,60", "--object", 6, "--mask", tmp_path / "marked.png")
    assert set(np.unique(labels(tmp_path / "marked.png"))) == {0, 3, 5, 6}


def test_a_click_beside_the_object_takes_its_pixel_away(mark, tmp_path):
    mark("--click", "22,32", "--not", "30,40")
    found = labels(tmp_path / "marked.png")
    assert found[32, 22] == 1
    assert found[40, 30] == 0


@pytest.mark.parametrize(("options", "told"), [
    ((), "give --click X,Y on it, or --box"),
    (("--click", "22"), "--click is [ID:]X,Y"),
    (("--click", "a:22,3"), "--click is [ID:]X,Y"),
    (("--click", "nan,3"), "--click is [ID:]X,Y"),
    (("--click", "96,3"), "lies beyond the picture, which is 96x64"),
    (("--box", "1,2,3"), "--box is [ID:]X0,Y0,X1,Y1"),
    (("--box", "9,9,9,30"), "holds no pixel"),
    (("--box", "1,1,9,9", "--box", "1,1,9,8"), "twice for object 1"),
    (("--click", "0:5,5"), "an object's id is a number from 1 to 65535"),
    (("--click", "5,5", "--frame", "8"), "has 8 frames"),
    (("--click", "5,5", "--frame", "last"), "'last' is no frame"),
    (("--click", "5,5", "--mask", "nowhere.png"), "no such file"),
    (("--click", "5,5", "--click-model", "none.onnx,none.onnx"), "there is no file none.onnx"),
])  # fmt: skip
def test_bad_input_is_one_line_and_nothing_is_written(mark, tmp_path, options, told):
    result = mark(*options)
    assert result.exit_code == 2
    assert told in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "marked.png").exists()


def test_a_file_that_is_there_is_not_replaced_unasked(mark, tmp_path):
    mark("--click", "22,32")
    before = (tmp_path / "marked.png").read_bytes()
    result = mark("--click", "80,10")
    assert result.exit_code == 2
    assert "--overwrite" in result.stderr
    assert (tmp_path / "marked.png").read_bytes() == before
    assert mark("--click", "80,10", "--overwrite").exit_code == 0
    assert mark("--click", "22,32", out="marked.jpg").exit_code == 2
