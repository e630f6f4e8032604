from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from devos.data.findings import Kind
from devos.data.photo_sets import PHOTO_LAYOUTS, list_photos
from devos.data.sources import LAYOUTS, Place, open_source
from devos.errors import InputError, OptionError

PUBLISHED = {
    "duts": ("DUTS-TR-Image/a.jpg", "DUTS-TR-Mask/a.png"),
    "ecssd": ("images/0001.jpg", "ground_truth_mask/0001.png"),
    "msra10k": ("Imgs/1.jpg", "Imgs/1.png"),
    "hku-is": ("imgs/0004.png", "gt/0004.png"),
    "fss1000": ("ab_wheel/1.jpg", "ab_wheel/1.png"),
    "big": ("val_im.jpg", "val_gt.png"),
    "hrsod": ("HRSOD_train/9.jpg", "HRSOD_train_mask/9.png"),
    "pairs": ("a.jpg", "a.png"),
    "voc2012": ("JPEGImages/2007_000032.jpg", "SegmentationObject/2007_000032.png"),
    "voc2012-class": ("JPEGImages/2007_000032.jpg", "SegmentationClass/2007_000032.png"),
    "aot-static": ("JPEGImages/ECSSD/1.jpg", "Annotations/ECSSD/1.png"),
    "own": ("cats/images/1.webp", "cats/masks/1.png"),
}


def test_every_layout_of_photos_is_tried_here():
    assert set(PUBLISHED) == set(PHOTO_LAYOUTS)
    assert {*PHOTO_LAYOUTS, "coco"} <= set(LAYOUTS)


@pytest.mark.parametrize("layout", PUBLISHED)
def test_a_set_is_read_from_its_published_folders(layout, tmp_path, made):
    picture, mask = (tmp_path / name for name in PUBLISHED[layout])
    made.picture(picture)
    made.picture(picture.with_name(f"unmarked{picture.suffix}"))
    binary = PHOTO_LAYOUTS[layout].is_binary
    labels = made.boxes(255) if binary else made.boxes(1, 7)
    if not binary:
        labels[9, :20] = 255
    made.labels(mask, labels, "L" if binary else "P")
    (photo,) = list_photos(layout, tmp_path).photos
    assert (photo.image, photo.mask) == (picture, mask)
    read = photo.read()
    assert read.rgb.shape == (*labels.shape, 3)
    assert np.array_equal(read.labels, labels == 255 if binary else labels)


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "RGBA"])
def test_a_saliency_mask_of_any_kind_is_read_by_its_brightness(mode, tmp_path, made):
    """FSS-1000's masks are colour pictures; others have soft borders."""
    made.picture(tmp_path / "dog" / "1.jpg")
    soft = made.boxes(255)
    soft[9, 2:14], soft[24, 2:14] = 130, 120
    Image.fromarray(soft).convert(mode, dither=Image.Dither.NONE).save(tmp_path / "dog" / "1.png")
    labels = list_photos("fss1000", tmp_path).photos[0].read().labels
    assert np.array_equal(labels, soft > 127)


def test_all_classes_and_all_sets_are_read_in_natural_order(tmp_path, made):
    for name in ("dog/10", "dog/2", "ape/1"):
        made.picture(tmp_path / f"{name}.jpg")
        made.labels(tmp_path / f"{name}.png", made.boxes(255), "L")
    photos = list_photos("fss1000", tmp_path).photos
    assert [f"{p.image.parent.name}/{p.image.stem}" for p in photos] == ["ape/1", "dog/2", "dog/10"]


@pytest.mark.parametrize("layout", sorted(set(PUBLISHED) - {"pairs", "big"}))
def test_a_misnamed_folder_is_answered_with_the_expected_tree_and_what_is_there(layout, tmp_path, made):
    made.picture(tmp_path / "Pictures" / "1.gif.jpg")
    with pytest.raises(InputError) as error:
        list_photos(layout, tmp_path)
    text = str(error.value)
    assert PHOTO_LAYOUTS[layout].title in text
    assert all(f"  {line}" in text for line in PHOTO_LAYOUTS[layout].tree.splitlines())
    assert "Pictures/\n      1.gif.jpg" in text


def test_the_folder_inside_which_looks_right_is_named(tmp_path, made):
    made.picture(tmp_path / "MSRA10K_Imgs_GT" / "Imgs" / "1.jpg")
    with pytest.raises(InputError, match=r"give .*MSRA10K_Imgs_GT instead"):
        list_photos("msra10k", tmp_path)
    with pytest.raises(InputError, match="Imgs and Imgs share no names"):
        list_photos("msra10k", tmp_path / "MSRA10K_Imgs_GT")


def test_a_layout_that_is_not_known_is_answered_with_those_that_are(tmp_path):
    with pytest.raises(OptionError, match=r"no layout of photos is called 'sod'; choose one of duts, .*coco"):
        list_photos("sod", tmp_path)


def test_photos_that_cannot_be_used_are_left_out_and_named(tmp_path, made):
    root = tmp_path / "ecssd"
    images, masks = root / "images", root / "ground_truth_mask"
    for name in ("good", "small", "blank", "torn", "bad"):
        made.picture(images / f"{name}.jpg")
        made.labels(masks / f"{name}.png", made.boxes(255), "L")
    made.labels(masks / "small.png", made.boxes(255)[:20], "L")
    made.labels(masks / "blank.png", made.boxes(), "L")
    made.labels(masks / "stray.png", made.boxes(255), "L")
    (images / "torn.jpg").write_bytes((images / "torn.jpg").read_bytes()[:-300])
    (masks / "bad.png").write_bytes(b"\x89PNG\r\n")
    source, (findings,) = open_source("static", [Place("ecssd", root)], cache=tmp_path / "cache")
    assert [photo.image.stem for photo in source.items] == ["good"]
    found = {(item.name, item.kind) for item in findings.items}
    assert found == {
        ("images/small", Kind.WRONG_SIZE), ("images/blank", Kind.NO_OBJECT), ("images/torn", Kind.BAD_PICTURE),
        ("images/bad", Kind.BAD_MASK), ("images/stray", Kind.STRAY_MASKS),
    }  # fmt: skip
    lines = findings.lines()
    assert lines[0] == "static: 1 of 6 photos are used; 5 left out"
    assert "  left out, sizes differ (1): images/small (small.png is 48x20, the picture 48x36)" in lines
    _, again = open_source("static", [Place("ecssd", root)], cache=tmp_path / "cache")
    assert again == (findings,)
    made.labels(masks / "bad.png", made.boxes(255), "L")
    _, (after,) = open_source("static", [Place("ecssd", root)], cache=tmp_path / "cache")
    assert after.num_used == 2


def test_a_photo_that_goes_bad_after_the_check_is_an_error_that_names_it(tmp_path, made):
    made.picture(tmp_path / "a.jpg")
    made.labels(tmp_path / "a.png", made.boxes(255)[:20], "L")
    (photo,) = list_photos("pairs", tmp_path).photos
    with pytest.raises(InputError, match=r"a\.png is 48x20, but a\.jpg is 48x36"):
        photo.read()


def test_several_sets_make_one_source_and_videos_are_none_of_them(tmp_path, made):
    made.picture(tmp_path / "one" / "a.jpg")
    made.labels(tmp_path / "one" / "a.png", made.boxes(255), "L")
    made.video(tmp_path / "two", "bear", [made.boxes(1)] * 2)
    pairs = Place("pairs", tmp_path / "one")
    source, findings = open_source("static", [pairs, Place("pairs", tmp_path / "one")])
    assert len(source.items) == 2
    assert [f.source for f in findings] == ["static (pairs)"] * 2
    with pytest.raises(OptionError, match="static has videos and photos"):
        open_source("static", [pairs, Place("davis-like", tmp_path / "two")])
