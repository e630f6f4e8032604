from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from devos.data.photo_sets import list_photos
from devos.data.sources import Place, open_source
from devos.errors import InputError, OptionError

HEIGHT, WIDTH = 36, 48
SQUARE = [[4, 6, 20, 6, 20, 26, 4, 26]]
"""A polygon around columns 4 to 19 and rows 6 to 25."""


def run_lengths(region: np.ndarray) -> list[int]:
    """COCO's: down the columns, starting with what is not in the region."""
    flat = region.T.ravel()
    changes = np.flatnonzero(np.diff(flat.astype(int))) + 1
    bounds = [0, *changes, len(flat)]
    return ([0] if flat[0] else []) + [int(b - a) for a, b in itertools.pairwise(bounds)]


def write(root: Path, annotations: list[dict], part: str = "val2017") -> None:
    images = [{"id": i, "file_name": f"{i:012d}.jpg", "height": HEIGHT, "width": WIDTH} for i in (9, 7, 8)]
    (root / "annotations").mkdir(parents=True, exist_ok=True)
    content = json.dumps({"images": images, "annotations": annotations})
    (root / "annotations" / f"instances_{part}.json").write_text(content)


def region(rows: slice, columns: slice) -> np.ndarray:
    full = np.zeros((HEIGHT, WIDTH), bool)
    full[rows, columns] = True
    return full


@pytest.fixture
def coco(tmp_path, made) -> Path:
    for i in (7, 8, 9):
        made.picture(tmp_path / "val2017" / f"{i:012d}.jpg", seed=i)
    small, crowd = region(slice(10, 20), slice(10, 16)), region(slice(24, 30), slice(0, 48))
    write(tmp_path, [
        {"image_id": 9, "segmentation": {"counts": run_lengths(small), "size": [HEIGHT, WIDTH]}, "iscrowd": 0},
        {"image_id": 9, "segmentation": SQUARE, "iscrowd": 0},
        {"image_id": 9, "segmentation": {"counts": run_lengths(crowd), "size": [HEIGHT, WIDTH]}, "iscrowd": 1},
        {"image_id": 7, "segmentation": SQUARE},
    ])  # fmt: skip
    return tmp_path


def test_polygons_and_run_lengths_are_read_small_over_large_and_crowds_are_void(coco):
    photos = list_photos("coco", coco).photos
    assert [photo.image.name for photo in photos] == ["000000000007.jpg", "000000000009.jpg"]
    photo = photos[1].read()
    expected = np.zeros((HEIGHT, WIDTH), np.uint8)
    expected[24:30] = 255
    expected[6:26, 4:20] = 1
    expected[10:20, 10:16] = 2
    assert photo.rgb.shape == (HEIGHT, WIDTH, 3)
    assert np.array_equal(photo.labels, expected)


def test_compressed_run_lengths_are_read_too(coco):
    from pycocotools import mask

    box = region(slice(3, 9), slice(30, 40))
    coded = mask.encode(np.asfortranarray(box.astype(np.uint8)))
    text = {"counts": coded["counts"].decode(), "size": coded["size"]}
    write(coco, [{"image_id": 8, "segmentation": text}])
    assert np.array_equal(list_photos("coco", coco).photos[0].labels(), box)


def test_of_several_parts_the_one_whose_pictures_are_there_is_taken_or_the_one_that_is_named(coco, made):
    write(coco, [{"image_id": 8, "segmentation": SQUARE}], "train2017")
    assert len(list_photos("coco", coco).photos) == 2
    made.picture(coco / "train2017" / "000000000008.jpg")
    assert len(list_photos("coco", coco, split="train2017").photos) == 1
    with pytest.raises(OptionError, match="has train2017 and val2017; say which"):
        list_photos("coco", coco)
    with pytest.raises(OptionError, match="choose the split among train2017, val2017"):
        list_photos("coco", coco, split="test2017")


def test_missing_files_and_files_of_something_else_are_told(coco, tmp_path):
    (coco / "val2017").rename(coco / "val")
    with pytest.raises(InputError, match="neither val2017 nor images is there\nexpected:"):
        list_photos("coco", coco)
    (coco / "val").rename(coco / "images")
    assert len(list_photos("coco", coco).photos) == 2
    (coco / "annotations" / "instances_val2017.json").write_text("[]")
    with pytest.raises(InputError, match="is not an instances file of COCO"):
        list_photos("coco", coco)
    (coco / "annotations" / "instances_val2017.json").unlink()
    with pytest.raises(InputError, match=r"there is no instances_\*\.json"):
        list_photos("coco", coco)


SIZE = [HEIGHT, WIDTH]
BAD = {
    "no polygon": [],
    "an empty polygon": [[]],
    "a polygon beside a good one": [*SQUARE, []],
    "four numbers, which pycocotools takes for a box": [[4, 6, 20, 26]],
    "an odd number of numbers": [[4, 6, 20, 6, 20, 26, 4]],
    "no numbers": [["4", "6", "20", "6", "20", "26"]],
    "not a number": [[4, 6, float("nan"), 6, 20, 26]],
    "far outside": [[4, 6, 1e9, 6, 20, 1e9]],
    "no pixel": [[4, 6, 4, 6, 4, 6]],
    "nothing": None,
    "a number": 5,
    "no run lengths": {"counts": 5},
    "too long": {"counts": [5, 10**9], "size": SIZE},
    "too short": {"counts": [5, 6], "size": SIZE},
    "negative": {"counts": [-5, HEIGHT * WIDTH + 5], "size": SIZE},
    "of another picture": {"counts": [0, 48 * 48], "size": [48, 48]},
    "packed, and too long": {"counts": "ooooooooooooo5", "size": SIZE},
    "packed, and cut": {"counts": "o", "size": SIZE},
    "packed, and no such characters": {"counts": "\x01", "size": SIZE},
}


@pytest.mark.parametrize("segmentation", BAD.values(), ids=BAD)
def test_one_bad_annotation_costs_that_annotation_and_is_named_by_its_id(coco, segmentation):
    write(coco, [{"id": 41, "image_id": 8, "segmentation": SQUARE},
                 {"id": 42, "image_id": 8, "segmentation": segmentation, "iscrowd": 0}])  # fmt: skip
    source, (findings,) = open_source("photos", [Place("coco", coco)])
    assert len(source.items) == 1 and source.items[0].labels().max() == 1
    assert findings.num_used == 1 and findings.left_out == ()
    assert "used, entries that are left out by themselves (1): " in findings.lines()[1]
    assert "annotation 42 " in findings.lines()[1] and "Error" not in findings.lines()[1]


def test_a_photo_whose_every_annotation_is_bad_is_left_out(coco):
    write(coco, [{"id": 1, "image_id": 8, "segmentation": SQUARE}, {"id": 2, "image_id": 7, "segmentation": []}])
    source, (findings,) = open_source("photos", [Place("coco", coco)])
    assert [photo.image.name for photo in source.items] == ["000000000008.jpg"]
    assert findings.left_out == ("val2017/000000000007",)


def test_an_entry_that_belongs_to_nothing_costs_that_entry(coco):
    write(coco, [{"id": 1, "image_id": 8, "segmentation": SQUARE}, {"id": 2, "image_id": 99, "segmentation": SQUARE},
                 {"id": 3, "segmentation": SQUARE}, {"id": 4, "image_id": [8], "segmentation": SQUARE}, 5])  # fmt: skip
    path = coco / "annotations" / "instances_val2017.json"
    content = json.loads(path.read_text())
    content["images"] += [{"id": 12, "height": 5, "width": 5}, {"id": 13, "file_name": 5, "height": "a"}, "x"]
    path.write_text(json.dumps(content))
    found = list_photos("coco", coco)
    assert [photo.image.name for photo in found.photos] == ["000000000008.jpg"]
    assert [finding.name for finding in found.findings] == [
        "image 12", "image 13", "image number 5", "annotation 2", "annotation 3", "annotation 4", "annotation number 4",
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["[" * 100_000, '{"images": 5, "annotations": []}', '{"images": []}', "\x00"])
def test_a_file_of_something_else_is_told_in_one_line(coco, text):
    (coco / "annotations" / "instances_val2017.json").write_text(text)
    with pytest.raises(InputError, match="is not an instances file of COCO"):
        list_photos("coco", coco)


def test_what_is_no_text_is_told_without_all_of_it(coco):
    """Found by benchmarks/fuzz.py: the error of a decoder holds the whole file."""
    path = coco / "annotations" / "instances_val2017.json"
    path.write_bytes(path.read_bytes().replace(b"file_name", b"\xff" * 9, 1) + b" " * 5000)
    with pytest.raises(InputError, match="is not an instances file of COCO") as told:
        list_photos("coco", coco)
    assert len(str(told.value)) < 500


def test_without_pycocotools_the_extra_is_named(coco, monkeypatch):
    monkeypatch.setitem(sys.modules, "pycocotools", None)
    with pytest.raises(OptionError, match=r"is not installed: .+install .*pycocotools"):
        list_photos("coco", coco)
