"""Each format is read back by us, and by a program that is not ours where there is one here."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from devos.errors import MaskError
from devos.exchange.cells import CellsWriter
from devos.exchange.coco import CocoWriter, YouTubeVisWriter, read_coco
from devos.exchange.cvat import CvatWriter, read_cvat
from devos.exchange.labelme import LabelmeWriter, read_labelme
from devos.exchange.rle import coco_counts, from_coco
from devos.exchange.tables import VideoInfo
from devos.frames import FrameSize, MaskFrame, ObjectScore

SIZE = FrameSize(30, 44)


def frames() -> list[MaskFrame]:
    """Objects 7 and 300; 300 is away on frame 2, frame 3 is empty."""
    made = []
    for index in range(5):
        labels = np.zeros(SIZE, np.uint16)
        if index != 3:
            labels[2 + index : 9 + index, 3:12] = 7
            labels[5 + index, 5] = 0
        if index not in (2, 3):
            labels[20:30, 30 + index : 44] = 300
        scores = (ObjectScore(7, 0.9, 0.8), ObjectScore(300, 0.7, 0.6))
        made.append(MaskFrame(index, index / 25, f"f{index}", labels, scores))
    return made


INFO = VideoInfo("clip", SIZE, 5, 25.0)
FORMATS = {
    "coco": (CocoWriter, "a.json", read_coco),
    "youtube-vis": (YouTubeVisWriter, "a.json", read_coco),
    "cvat": (CvatWriter, "a.xml", read_cvat),
    "labelme": (LabelmeWriter, "a", read_labelme),
}


def write(writer, path: Path) -> Path:
    with writer(path, INFO) as opened:
        for masks in frames():
            opened.write(masks)
    return path


@pytest.mark.parametrize("name", FORMATS)
def test_ids_names_and_pixels_survive_the_way_there_and_back(tmp_path, name):
    writer, file, read = FORMATS[name]
    back = read(write(writer, tmp_path / file))
    for masks in frames():
        labels = back.get(masks.name, np.zeros(SIZE, np.uint16))
        assert np.array_equal(labels, masks.labels), masks.name


@given(arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_run_lengths_are_those_of_pycocotools(mask):
    theirs = pytest.importorskip("pycocotools.mask").encode(np.asfortranarray(mask.astype(np.uint8)))
    assert coco_counts(mask) == theirs["counts"].decode()
    assert np.array_equal(from_coco(theirs["counts"], FrameSize(*mask.shape)), mask)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_pycocotools_reads_our_coco(tmp_path):
    coco = pytest.importorskip("pycocotools.coco").COCO(str(write(CocoWriter, tmp_path / "a.json")))
    for masks in frames():
        found = coco.loadAnns(coco.getAnnIds(imgIds=[masks.index]))
        for annotation in found:
            assert np.array_equal(coco.annToMask(annotation) > 0, masks.labels == annotation["track_id"])
            assert annotation["area"] == np.count_nonzero(masks.labels == annotation["track_id"])
        assert {annotation["track_id"] for annotation in found} == set(np.unique(masks.labels).tolist()) - {0}


def test_youtube_vis_has_an_entry_for_each_frame_and_null_where_an_object_is_away(tmp_path):
    content = json.loads(write(YouTubeVisWriter, tmp_path / "a.json").read_text())
    away = {annotation["id"]: [s is None for s in annotation["segmentations"]] for annotation in content["annotations"]}
    assert away == {7: [False, False, False, True, False], 300: [False, False, True, True, False]}
    assert content["videos"][0]["file_names"][0] == "clip/f0.jpg"


def test_a_gap_becomes_a_new_track_with_its_parent(tmp_path):
    folder = write(CellsWriter, tmp_path / "ctc")
    rows = [[int(value) for value in line.split()] for line in (folder / "res_track.txt").read_text().splitlines()]
    assert rows == [[7, 0, 2, 0], [300, 0, 1, 0], [301, 4, 4, 7], [302, 4, 4, 300]]
    for masks in frames():
        labels = cv2.imread(str(folder / f"mask{masks.index:03d}.tif"), cv2.IMREAD_UNCHANGED)
        assert labels.dtype == np.uint16
        assert np.array_equal(labels > 0, masks.labels > 0)
        seen = {row[0] for row in rows if row[1] <= masks.index <= row[2]}
        assert set(np.unique(labels).tolist()) - {0} == seen


def test_coco_polygons_and_files_without_track_ids_are_read(tmp_path):
    content = {
        "images": [{"id": 4, "file_name": "x/00012.png", "height": 30, "width": 44}],
        "annotations": [
            {"image_id": 4, "segmentation": [[2, 3, 10, 3, 10, 8, 2, 8]]},
            {"image_id": 4, "segmentation": {"size": [30, 44], "counts": [30 * 43, 30]}},
        ],
    }
    (tmp_path / "a.json").write_text(json.dumps(content))
    labels = read_coco(tmp_path / "a.json")["00012"]
    assert labels[3:9, 2:11].min() == 1 and (labels == 1).sum() == 54
    assert (labels[:, 43] == 2).all()


@pytest.mark.parametrize(("name", "text"), [("a.json", "{"), ("a.json", '{"images": []}'), ("a.xml", "<a>")])
def test_what_is_no_such_file_is_one_line(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    with pytest.raises(MaskError, match="that can be read"):
        (read_cvat if name.endswith("xml") else read_coco)(tmp_path / name)
