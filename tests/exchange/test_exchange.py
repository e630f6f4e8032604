"""Each format is read back by us, and by a program that is not ours where there is one here."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from devos.errors import MaskError, OptionError
from devos.exchange.brush import brush_counts, from_brush
from devos.exchange.coco import as_coco
from devos.exchange.given import read_annotations
from devos.exchange.polygons import fill, outlines
from devos.exchange.registry import FORMATS, chosen
from devos.exchange.rle import coco_counts, from_coco
from devos.frames import FrameSize
from devos.io.files import LISTING

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of pycocotools
READ = [name for name, one in FORMATS.items() if one.read is not None]
MASKS = arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9)))


@pytest.mark.parametrize("name", READ)
def test_ids_names_and_pixels_survive_the_way_there_and_back(write, shots, name):
    back = read_annotations(write(name))
    keys = {str(key): key for key in back}
    for shot in shots:
        key = keys.get(shot.masks.name, keys.get(str(shot.masks.index)))
        labels = np.zeros_like(shot.masks.labels) if key is None else back[key]
        if name == "ctc":  # an object that comes back is a new track of the old one's line
            assert set(np.unique(labels)) == set(np.unique(shot.masks.labels))
        assert np.array_equal(labels, shot.masks.labels), shot.masks.name
    assert back.names == ({7: "swan"} if name in ("coco", "cvat", "cvat-video", "labelme", "label-studio") else {})


@pytest.mark.parametrize("name", FORMATS)
def test_a_writer_that_is_left_by_an_error_leaves_nothing_half_written(tmp_path, info, shots, name):
    path = tmp_path / FORMATS[name].place
    soft = [type(shot)(shot.masks, shot.frame) for shot in shots]
    with pytest.raises(RuntimeError), FORMATS[name].open(path, info) as writer:
        writer.write(soft[0])
        raise RuntimeError
    left = [file for file in tmp_path.rglob("*") if file.is_file() and not file.name.startswith(LISTING)]
    assert not [file for file in left if "partial" in file.name]
    assert path.is_dir() or not path.exists()


@pytest.mark.parametrize("name", ["davis", "objects", "labelme", "ctc"])
def test_a_second_pass_takes_away_what_it_does_not_write_again_and_nothing_else(write, shots, name):
    folder = write(name)
    (folder / "mine.txt").write_text("notes")
    before = {file for file in folder.rglob("*") if file.is_file()}
    write(name, shots[:2])
    after = {file for file in folder.rglob("*") if file.is_file()}
    assert after < before and folder / "mine.txt" in after
    assert not [file for file in after if "4" in file.stem or "3" in file.stem]
    write(name)
    assert {file for file in folder.rglob("*") if file.is_file()} == before


@given(MASKS)
def test_run_lengths_are_those_of_pycocotools(mask):
    theirs = pytest.importorskip("pycocotools.mask").encode(np.asfortranarray(mask.astype(np.uint8)))
    assert coco_counts(mask) == theirs["counts"].decode()
    assert np.array_equal(from_coco(theirs["counts"], FrameSize(*mask.shape)), mask)


@given(MASKS)
def test_the_brush_of_label_studio_keeps_every_pixel(mask):
    assert np.array_equal(from_brush(brush_counts(mask), FrameSize(*mask.shape)), mask)


def test_single_values_of_the_brush_are_read_too():
    bits = f"{8:032b}{7:05b}{2:04b}{3:04b}{7:04b}{15:04b}" + f"000{7:03b}" + f"{0:08b}" * 7 + f"{255:08b}"
    stream = list(int(bits + "0" * (-len(bits) % 8), 2).to_bytes(-(-len(bits) // 8), "big"))
    assert from_brush(stream, FrameSize(1, 2)).tolist() == [[False, True]]


@settings(deadline=None)
@given(MASKS)
def test_outlines_filled_again_are_the_mask_to_the_pixel(mask):
    size = FrameSize(mask.shape[0] + 3, mask.shape[1] + 2)
    full = np.zeros(size, bool)
    full[3:, 2:] = mask
    polygons = outlines(mask, 2, 3)
    assert np.array_equal(fill(polygons, size), full)
    num_parts = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)[0] - 1
    assert len(polygons) == num_parts


@pytest.mark.parametrize("points", [[2, 3, 10, 3, 10, 8, 2, 8], [1.5, 1, 20.25, 4.5, 13, 25.75], [5, 5, 30, 6, 8, 20]])
def test_polygons_are_filled_as_pycocotools_fills_them(points):
    masks = pytest.importorskip("pycocotools.mask")
    theirs = masks.decode(masks.merge(masks.frPyObjects([points], 30, 44))) > 0
    ours = fill([points], FrameSize(30, 44))
    along = np.count_nonzero(ours != theirs)
    assert along <= (0 if all(float(p).is_integer() for p in points) and len(points) == 8 else 12)


def test_pycocotools_reads_our_coco(write, shots):
    coco = pytest.importorskip("pycocotools.coco").COCO(str(write("coco")))
    for masks in (shot.masks for shot in shots):
        found = coco.loadAnns(coco.getAnnIds(imgIds=[masks.index]))
        for annotation in found:
            assert np.array_equal(coco.annToMask(annotation) > 0, masks.labels == annotation["track_id"])
            assert annotation["area"] == np.count_nonzero(masks.labels == annotation["track_id"])
        assert {annotation["track_id"] for annotation in found} == set(np.unique(masks.labels).tolist()) - {0}
        assert [one["track_id"] for one in as_coco(masks)] == [one["track_id"] for one in found]


def test_youtube_vis_has_an_entry_for_each_frame_and_null_where_an_object_is_away(write):
    content = json.loads(write("youtube-vis").read_text())
    away = {annotation["id"]: [s is None for s in annotation["segmentations"]] for annotation in content["annotations"]}
    assert away == {7: [False, False, False, True, False], 300: [False, False, True, True, False]}
    assert content["videos"][0]["file_names"][0] == "clip/f0.jpg" and content["videos"][0]["length"] == 5


def test_pycocotools_reads_the_run_lengths_of_youtube_vis_as_the_sets_own(write, shots):
    masks = pytest.importorskip("pycocotools.mask")
    for annotation in json.loads(write("youtube-vis").read_text())["annotations"]:
        for shot, segmentation in zip(shots, annotation["segmentations"], strict=True):
            if segmentation is not None:
                inside = masks.decode(masks.frPyObjects(segmentation, annotation["height"], annotation["width"]))
                assert np.array_equal(inside > 0, shot.masks.labels == annotation["id"])


def test_burst_and_mots_hold_the_run_lengths_of_each_frame(write, shots):
    masks = pytest.importorskip("pycocotools.mask")
    sequence = json.loads(write("burst").read_text())["sequences"][0]
    for shot, frame in zip(shots, sequence["segmentations"], strict=True):
        for object_id, one in frame.items():
            inside = masks.decode({"size": list(shot.masks.labels.shape), "counts": one["rle"]})
            assert np.array_equal(inside > 0, shot.masks.labels == int(object_id))
    folder = write("mots")
    for shot in shots:
        values = cv2.imread(str(folder / "instances" / f"{shot.masks.index:06d}.png"), cv2.IMREAD_UNCHANGED)
        assert values.dtype == np.uint16
        expected = np.where(shot.masks.labels > 0, shot.masks.labels.astype(int) + 1000, 0)
        assert np.array_equal(values, expected)
    lines = [line.split() for line in (folder / "instances.txt").read_text().splitlines()]
    assert [line[:5] for line in lines[:2]] == [["0", "1007", "1", "30", "44"], ["0", "1300", "1", "30", "44"]]
    assert len(lines) == 7


def test_a_gap_becomes_a_new_track_with_its_parent(write, shots):
    folder = write("ctc")
    rows = [[int(value) for value in line.split()] for line in (folder / "res_track.txt").read_text().splitlines()]
    assert rows == [[7, 0, 2, 0], [300, 0, 1, 0], [301, 4, 4, 7], [302, 4, 4, 300]]
    for masks in (shot.masks for shot in shots):
        labels = cv2.imread(str(folder / f"mask{masks.index:03d}.tif"), cv2.IMREAD_UNCHANGED)
        assert labels.dtype == np.uint16
        assert np.array_equal(labels > 0, masks.labels > 0)
        seen = {row[0] for row in rows if row[1] <= masks.index <= row[2]}
        assert set(np.unique(labels).tolist()) - {0} == seen


def test_a_cell_that_divides_becomes_two_objects(tmp_path):
    for number, labels in enumerate(([[1, 1]], [[2, 3]])):
        Image.fromarray(np.array(labels, np.uint16)).save(tmp_path / f"man_track{number:03d}.tif")
    (tmp_path / "man_track.txt").write_text("1 0 0 0\n2 1 1 1\n3 1 1 1\n")
    back = read_annotations(tmp_path)
    assert back[0].tolist() == [[1, 1]] and back[1].tolist() == [[2, 3]]


def test_the_stack_for_napari_is_read_by_tifffile_with_its_tracks(write, shots):
    tifffile = pytest.importorskip("tifffile")
    folder = write("napari")
    stack = tifffile.imread(folder / "labels.tif")
    assert stack.dtype == np.uint16 and np.array_equal(stack, [shot.masks.labels for shot in shots])
    with (folder / "tracks.csv").open() as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["track-id", "t", "y", "x"] and len(rows) == 8
    ys, xs = np.nonzero(shots[0].masks.labels == 7)
    assert [float(value) for value in rows[1]] == pytest.approx([7, 0, ys.mean(), xs.mean()], abs=1e-3)


def test_numpy_reads_all_labels_with_names_and_times(write, shots):
    with np.load(write("npz")) as content:
        assert np.array_equal(content["labels"], [shot.masks.labels for shot in shots])
        assert content["name"].tolist() == ["f0", "f1", "f2", "f3", "f4"] and content["fps"] == 25
        assert content["time_s"].tolist() == [0.0, 0.04, 0.2, 0.24, 0.28]
    small = [type(shot)(type(shot.masks)(0, 0.0, "a", np.minimum(shot.masks.labels, 7), ())) for shot in shots]
    with np.load(write("npz", small)) as content:
        assert content["labels"].dtype == np.uint8


def test_measures_have_area_box_centre_speed_and_what_touches(write, shots):
    with write("csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 7
    first, other = rows[0], rows[1]
    assert first["object"] == "7" and first["name"] == "swan" and first["area_px"] == str(7 * 9 - 1)
    assert [first[key] for key in ("x", "y", "width", "height")] == ["3", "2", "9", "7"]
    assert first["touching"] == "300" and other["touching"] == "7" and rows[2]["touching"] == ""
    assert first["speed_px_per_frame"] == "" and rows[2]["speed_px_per_frame"] == "1.000"
    assert rows[5]["frame"] == "f4" and rows[5]["speed_px_per_frame"] == "1.000"  # over the two frames between


def test_a_folder_for_each_object_has_a_picture_for_each_frame_that_it_is_followed_on(write, shots):
    folder = write("objects")
    for object_id in (7, 300):
        for shot in shots:
            with Image.open(folder / f"{object_id:03d}" / f"{shot.masks.name}.png") as picture:
                values = np.array(picture)
            assert np.array_equal(values, np.where(shot.masks.labels == object_id, 255, 0))


@pytest.mark.parametrize(("name", "highest"), [("alpha8", 255), ("alpha16", 65535)])
def test_soft_alpha_is_the_probability(write, soft_shots, name, highest):

    folder = write(name, soft_shots)
    values = cv2.imread(str(folder / "007" / "f1.png"), cv2.IMREAD_UNCHANGED)
    assert values.dtype == (np.uint8 if highest == 255 else np.uint16)
    assert values[4, 4] == round(0.75 * highest) and values[0, 0] == round(0.125 * highest)


def test_folders_of_objects_that_begin_at_0_are_numbered_from_1(tmp_path):
    for number in (0, 1):
        (tmp_path / f"{number:03d}").mkdir()
        inside = np.zeros((4, 6), np.uint8)
        inside[number] = 1
        Image.fromarray(inside).save(tmp_path / f"{number:03d}" / "00000.png")
    assert read_annotations(tmp_path)["00000"][:3].tolist() == [[1] * 6, [2] * 6, [0] * 6]


def test_coco_polygons_and_files_without_track_ids_are_read(tmp_path):
    content = {
        "images": [{"id": 4, "file_name": "x/00012.png", "height": 30, "width": 44}],
        "annotations": [
            {"image_id": 4, "segmentation": [[2, 3, 10, 3, 10, 8, 2, 8]]},
            {"image_id": 4, "segmentation": {"size": [30, 44], "counts": [30 * 43, 30]}},
        ],
    }
    (tmp_path / "a.json").write_text(json.dumps(content))
    labels = read_annotations(tmp_path / "a.json")["00012"]
    assert labels[3:8, 2:10].min() == 1 and (labels == 1).sum() == 40
    assert (labels[:, 43] == 2).all()


def test_a_track_of_cvat_ends_where_its_object_is_away(write):
    text = write("cvat-video").read_text()
    assert text.count("<track ") == 3  # the second part of object 300 has one of its own
    assert text.count('outside="1"') == 3 and 'keyframe="0"' not in text


def test_a_picture_that_was_uploaded_to_label_studio_keeps_its_frame(write, tmp_path):
    path = write("label-studio")
    tasks = json.loads(path.read_text())
    tasks[0]["data"]["image"] = "/data/upload/1/0123abcd-f0.jpg"
    tasks[0]["annotations"][0]["result"][0]["id"] = "xY12"
    path.write_text(json.dumps(tasks))
    assert read_annotations(path).ids("f0") == (1, 300)


@pytest.mark.parametrize(
    ("name", "text"),
    [("a.json", "{"), ("a.json", '{"images": []}'), ("a.json", "[1]"), ("a.xml", "<a>"), ("a.xml", "<a></a>"),
     ("a.json", '[{"data": {}}]'), ("a.json", '{"videos": [{}], "annotations": []}'), ("a.txt", "x")],
)  # fmt: skip
def test_what_is_no_such_file_is_one_line(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    with pytest.raises(MaskError, match=r"that can be read|of no kind that is read") as raised:
        read_annotations(tmp_path / name)
    assert "\n" not in str(raised.value)


def test_a_format_that_there_is_not_is_named_with_those_that_there_are():
    with pytest.raises(OptionError, match=r"no format tiffany; there are davis, objects"):
        chosen(["coco", "tiffany"])
    assert len({one.place for one in FORMATS.values()}) == len(FORMATS)


def test_ids_that_16_bits_of_mots_do_not_hold_are_told(write, shots):
    shots[0].masks.labels[0, 0] = 1000
    with pytest.raises(MaskError, match="object 1000 has no place in MOTS"):
        write("mots", [type(shots[0])(shots[0].masks)])


def test_shapes_that_are_no_masks_are_named(tmp_path: Path):
    (tmp_path / "a.xml").write_text(
        '<annotations><image name="f" width="4" height="4"><box xtl="1"/></image></annotations>'
    )
    with pytest.raises(MaskError, match="a shape of the type box; masks and polygons are read"):
        read_annotations(tmp_path / "a.xml")
