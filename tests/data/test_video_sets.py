from __future__ import annotations

import json

import pytest

from devos.data.findings import Kind
from devos.data.sources import Place, open_source
from devos.data.video_sets import list_videos
from devos.errors import InputError, OptionError


def names(found):
    return [video.name for video in found.videos]


@pytest.mark.parametrize(("layout", "year"), [("davis2017", "2017"), ("davis2016", "480p"), ("davis2016", "2016")])
def test_davis_is_read_by_its_training_list(davis, layout, year, made):
    root = davis({"bear": [made.boxes(1)] * 2, "cow": [made.boxes(1, 2)] * 2}, year)
    made.video(root, "swan", [made.boxes(1)] * 2, part="480p")
    (root / "ImageSets" / year / "val.txt").write_text("swan\n")
    assert names(list_videos(layout, root)) == ["bear", "cow"]
    assert names(list_videos(layout, root, split="val")) == ["swan"]


def test_the_lists_of_davis_2016_that_name_every_frame_are_read(davis, made):
    root = davis({"bear": [made.boxes(255)] * 2}, "480p")
    lines = [f"/JPEGImages/480p/bear/{i:05d}.jpg /Annotations/480p/bear/{i:05d}.png" for i in range(2)]
    (root / "ImageSets" / "480p" / "train.txt").write_text("\n".join(lines))
    assert names(list_videos("davis2016", root)) == ["bear"]


@pytest.mark.parametrize("inner", ["train", ""])
def test_youtube_vos_is_read_from_its_train_folder_or_from_outside(tmp_path, inner, made):
    made.video(tmp_path / inner, "0a1b", [made.boxes(1), made.boxes(1, 2)], step=5)
    meta = {"videos": {"0a1b": {"objects": {"1": {"category": "ape"}, "2": {"category": "ape"}}}}}
    (tmp_path / inner / "meta.json").write_text(json.dumps(meta))
    found = list_videos("youtube-vos", tmp_path)
    assert names(found) == ["0a1b"]
    assert found.videos[0].stems == ("00000", "00005")
    assert found.objects == {"0a1b": frozenset({1, 2})}


def test_youtube_vos_with_all_frames_has_masks_on_every_fifth(tmp_path, made):
    maps = [made.boxes(1) if i % 5 == 0 else None for i in range(11)]
    made.video(tmp_path / "train", "0a1b", maps)
    source, (findings,) = open_source("youtube-vos", [Place("youtube-vos", tmp_path)])
    assert source.items[0].masked == (0, 5, 10)
    assert source.items[0].spacing == 5
    assert findings.items == ()


def test_objects_that_meta_json_names_otherwise_than_the_masks_are_told_and_the_video_is_kept(tmp_path, made):
    made.video(tmp_path / "train", "0a1b", [made.boxes(1, 2)] * 2, step=5)
    (tmp_path / "train" / "meta.json").write_text('{"videos": {"0a1b": {"objects": {"1": {}, "3": {}}}}}')
    source, (findings,) = open_source("youtube-vos", [Place("youtube-vos", tmp_path)])
    assert len(source.items) == 1
    assert findings.lines()[1].endswith("(1): 0a1b (named [1, 3], seen [1, 2])")


def test_a_meta_json_of_something_else_is_refused(tmp_path, made):
    made.video(tmp_path / "train", "0a1b", [made.boxes(1)] * 2)
    (tmp_path / "train" / "meta.json").write_text("[]")
    with pytest.raises(InputError, match=r"meta\.json is not YouTube-VOS's"):
        list_videos("youtube-vos", tmp_path)


def test_mose_is_read_from_its_train_folder(tmp_path, made):
    made.video(tmp_path / "train", "00ff", [made.boxes(1, 2, 3)] * 3)
    made.video(tmp_path / "valid", "11ff", [made.boxes(1)])
    assert names(list_videos("mose", tmp_path)) == ["00ff"]


@pytest.mark.parametrize("part", ["", "480p"])
def test_any_folder_like_davis_is_read_with_and_without_lists(tmp_path, part, made):
    for name in ("ant", "bee"):
        made.video(tmp_path, name, [made.boxes(1)] * 2, part=part)
    assert names(list_videos("davis-like", tmp_path)) == ["ant", "bee"]
    (tmp_path / "ImageSets" / "mine").mkdir(parents=True)
    (tmp_path / "ImageSets" / "mine" / "few.txt").write_text("bee\n")
    assert names(list_videos("davis-like", tmp_path, split="few")) == ["bee"]
    assert names(list_videos("davis-like", tmp_path)) == ["ant", "bee"]


def test_a_misnamed_folder_is_answered_with_the_expected_tree_and_what_is_there(tmp_path, made):
    made.video(tmp_path / "train", "00ff", [made.boxes(1)])
    (tmp_path / "train" / "JPEGImages").rename(tmp_path / "train" / "JPEGimages_")
    with pytest.raises(InputError) as error:
        list_videos("mose", tmp_path)
    text = str(error.value)
    assert "train/JPEGImages is missing" in text
    assert "    JPEGImages/<video>/00000.jpg" in text
    assert "JPEGimages_/" in text


def test_a_missing_list_missing_masks_and_a_missing_root_are_told_with_the_tree(davis, tmp_path, made):
    root = davis({"bear": [made.boxes(1)] * 2})
    with pytest.raises(InputError, match=r"ImageSets/480p/train\.txt and ImageSets/2016/train\.txt are missing"):
        list_videos("davis2016", root)
    (root / "Annotations").rename(root / "annotations")
    with pytest.raises(InputError, match=r"Annotations/480p is missing\nexpected:\n  ROOT/"):
        list_videos("davis2017", root)
    with pytest.raises(InputError, match="there is no such folder"):
        list_videos("davis2017", tmp_path / "nowhere")


def test_the_folder_beside_which_looks_right_is_named(davis, made):
    root = davis({"bear": [made.boxes(1)] * 2})
    with pytest.raises(InputError, match=f"give {root} instead, which looks right"):
        list_videos("davis2017", root.parent)
    with pytest.raises(InputError, match=f"give {root} instead, which looks right"):
        list_videos("davis2017", root / "JPEGImages")


def test_a_layout_that_is_not_known_is_answered_with_those_that_are(tmp_path):
    with pytest.raises(OptionError, match="choose one of davis2017, davis2016, youtube-vos, mose, davis-like"):
        list_videos("davis", tmp_path)


def test_a_sequence_of_the_list_without_pictures_and_one_with_a_stray_mask_are_findings(davis, made):
    root = davis({"bear": [made.boxes(1)] * 2, "cow": [made.boxes(1)] * 2, "dog": []})
    (root / "JPEGImages" / "480p" / "cow" / "00001.jpg").unlink()
    found = list_videos("davis2017", root)
    assert names(found) == ["bear"]
    assert [(f.kind, f.name, f.text) for f in found.findings] == [
        (Kind.STRAY_MASKS, "cow", "1 of 2, 00001.png first"),
        (Kind.NO_PICTURES, "dog", "listed, but not there"),
    ]
    source, (findings,) = open_source("davis", [Place("davis2017", root)])
    assert findings.lines()[0] == "davis: 1 of 3 sequences are used; 2 left out"
    assert [video.name for video in source.items] == ["bear"]
