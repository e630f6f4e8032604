from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def attention(devos, clip, weights, tmp_path):
    def run(*options: object):
        return devos("figure", "attention", clip / "frames", "-m", clip / "first.png", "-o", tmp_path / "a.png",
                     "--model", weights, "--size", 64, "--device", "cpu", *options)  # fmt: skip

    return run


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A sequence of four frames in DAVIS's layout, and the masks of two methods beside it."""
    for index in range(4):
        labels = np.zeros((20, 30), np.uint8)
        labels[5:15, 3 + index : 13 + index] = 255
        for kind, suffix, array in (
            ("data/JPEGImages", "jpg", labels), ("data/Annotations", "png", labels),
            ("one", "png", labels), ("two", "png", np.roll(labels, 2, 1)),
        ):  # fmt: skip
            path = tmp_path / kind / "bear" / f"{index:05d}.{suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(array).save(path)
    return tmp_path


@pytest.fixture
def compare(devos, root):
    def run(*options: object):
        return devos("figure", "compare", "--root", root / "data", "--results", f"one={root / 'one'}",
                     "--results", f"two={root / 'two'}", "-o", root / "c.png", *options)  # fmt: skip

    return run


def test_attention_is_drawn_and_filmed(attention, tmp_path, read_video):
    result = attention("--frame", 3, "--mp4")
    assert result.exit_code == 0
    assert result.stdout.split() == [str(tmp_path / "a.png"), str(tmp_path / "a.mp4")]
    with Image.open(tmp_path / "a.png") as picture:
        width, height = picture.size
    assert width == 1646
    assert height > 800
    _, frames = read_video(tmp_path / "a.mp4")
    assert len(frames) == 3
    assert frames[0].shape[:2] == (height + height % 2, width)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--frame", 8), "--frame 8 is not in the video"),
        (("--frame", 2, "--point", "12;4"), "--point is X,Y in pixels of the frame"),
        (("--frame", 2, "--point", "500,4"), "--point 500,4 is outside the frame"),
        (("--frame", 2, "--object", 9), "object 9 is not followed"),
    ],
)
def test_what_cannot_be_looked_at_is_told_in_one_line(attention, tmp_path, options, told):
    result = attention(*options, "--mp4")
    assert result.exit_code == 2
    assert told in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "a.png").exists()
    assert not (tmp_path / "a.mp4").exists()


def test_methods_are_compared_and_filmed(compare, root, read_video):
    result = compare("--truth", "--frames", "1,2", "--mp4", "--fps", 10)
    assert result.exit_code == 0
    assert result.stdout.split() == [str(root / "c.png"), str(root / "c.mp4")]
    rate, frames = read_video(root / "c.mp4")
    assert (rate, len(frames)) == (10, 4)
    with Image.open(root / "c.png") as picture:
        assert picture.width > 2 * 400


def test_several_sequences_make_several_films(compare, root):
    for kind in ("data/JPEGImages", "data/Annotations", "one", "two"):
        (root / kind / "cat").symlink_to(root / kind / "bear")
    result = compare("--mp4")
    assert result.stdout.split() == [str(root / name) for name in ("c.png", "c-bear.mp4", "c-cat.mp4")]
    assert all((root / name).is_file() for name in ("c.png", "c-bear.mp4", "c-cat.mp4"))


def test_missing_masks_are_told_in_one_line(compare, root):
    (root / "two" / "bear" / "00002.png").unlink()
    result = compare()
    assert result.exit_code == 2
    assert "two: 1 of 4 frames (00002) of sequence bear have no mask" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--results", "three"), "--results is NAME=FOLDER; got 'three'"),
        (("--results", "one=x"), "--results names 'one' twice"),
        (("--frames", "1,x"), "--frames are whole numbers"),
        (("--frames", "9"), "sequence bear has the frames 0 to 3, but not 9"),
        (("--frames", "1", "--most-different", 2), "exclude each other"),
        (("--sequence", "cow"), "there is no sequence cow"),
    ],
)
def test_bad_options_are_told_in_one_line(compare, options, told):
    result = compare(*options)
    assert result.exit_code == 2
    assert told in result.stderr


def test_scores_of_evaluate_go_into_a_table(devos, root, tmp_path):
    # The sequence is called bear, which is in the train set; by another name it is in the validation set.
    for kind in ("data/JPEGImages", "data/Annotations"):
        (root / kind / "bear").rename(root / kind / "libby")
    report = devos("evaluate", "davis", "--root", root / "data", "--baseline", "copy-first", "--json")
    (tmp_path / "scores.json").write_text(report.stdout)
    result = devos("figure", "table", "--benchmark", "davis2016", "--scores", f"copy={tmp_path / 'scores.json'}",
                   "--training", "none", "-o", tmp_path / "table.csv")  # fmt: skip
    assert result.exit_code == 0
    assert "1 sequence that all methods" in result.stderr
    lines = (tmp_path / "table.csv").read_text().splitlines()
    rows = {row["method"]: row for row in csv.DictReader(lines) if "same 1" in row["group"]}
    assert float(rows["copy"]["J"]) == pytest.approx(100 * json.loads(report.stdout)["j"], abs=0.051)
    assert rows["copy"]["training data"] == "none"
    assert len(rows) == 22


def test_a_table_is_printed_where_no_file_is_named(devos):
    result = devos("figure", "table", "--benchmark", "youtube-vos19")
    assert result.exit_code == 0
    assert result.stdout.startswith("# YouTube-VOS 2019, validation\n")
    assert "| R50-DeAOTL | static images; YouTube-VOS + DAVIS 2017 | 85.9 | AOT MODEL_ZOO |" in result.stdout
