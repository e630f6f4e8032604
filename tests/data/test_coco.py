from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from devos.data.photo_sets import list_photos
from devos.errors import InputError, MaskError, OptionError

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


def test_an_annotation_that_cannot_be_decoded_names_the_file_and_the_picture(coco):
    write(coco, [{"image_id": 8, "segmentation": {"counts": 5}}])
    with pytest.raises(MaskError, match=r"instances_val2017\.json: a mask of 000000000008\.jpg cannot be decoded"):
        list_photos("coco", coco).photos[0].read()


def test_without_pycocotools_the_extra_is_named(coco, monkeypatch):
    monkeypatch.setitem(sys.modules, "pycocotools", None)
    with pytest.raises(OptionError, match=r"pip install 'devos\[coco\]'"):
        list_photos("coco", coco)
