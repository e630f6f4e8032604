from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from devos.data.catalog import find_masks, find_videos, read_labels, read_picture
from devos.errors import InputError, MaskError, VideoError


def write_png(path: Path, mode: str = "L", value: int = 1) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, (4, 3), value).save(path)


def write_sequence(root: Path, name: str, resolution: str = "480p", num_frames: int = 3) -> None:
    for index in range(num_frames):
        write_png(root / "JPEGImages" / resolution / name / f"{index:05d}.jpg")
        write_png(root / "Annotations" / resolution / name / f"{index:05d}.png")


def write_split(root: Path, year: str, split: str, lines: list[str]) -> None:
    (root / "ImageSets" / year).mkdir(parents=True, exist_ok=True)
    (root / "ImageSets" / year / f"{split}.txt").write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize("resolution", ["480p", "240p", ""])
def test_sequences_are_found_under_any_resolution_folder_and_under_none(tmp_path, resolution):
    write_sequence(tmp_path, "goat", resolution)
    write_sequence(tmp_path, "bear", resolution)
    videos = find_videos(tmp_path)
    assert [video.name for video in videos] == ["bear", "goat"]
    assert videos[0].stems == ("00000", "00001", "00002")
    assert [path.name for path in videos[0].masks] == ["00000.png", "00001.png", "00002.png"]


def test_of_several_resolutions_the_usual_one_is_taken_unless_one_is_named(tmp_path):
    write_sequence(tmp_path, "bear", "480p")
    write_sequence(tmp_path, "bear", "Full-Resolution")
    assert "480p" in find_videos(tmp_path)[0].frames[0].parts
    assert "Full-Resolution" in find_videos(tmp_path, resolution="Full-Resolution")[0].frames[0].parts


def test_a_resolution_that_is_not_there_is_answered_with_those_that_are(tmp_path):
    write_sequence(tmp_path, "bear", "240p")
    with pytest.raises(InputError, match=r"no folder 480p; choose --resolution among 240p"):
        find_videos(tmp_path, resolution="480p")


def test_a_split_picks_its_sequences_from_the_last_year_unless_one_is_named(tmp_path):
    for name in ("bear", "goat", "swan"):
        write_sequence(tmp_path, name)
    write_split(tmp_path, "2016", "val", ["bear"])
    write_split(tmp_path, "2017", "val", ["goat", "swan", ""])
    assert [video.name for video in find_videos(tmp_path, split="val")] == ["goat", "swan"]
    assert [video.name for video in find_videos(tmp_path, split="val", year="2016")] == ["bear"]


def test_the_lists_of_2016_that_name_every_frame_are_read(tmp_path):
    write_sequence(tmp_path, "bear")
    lines = [f"/JPEGImages/480p/bear/{i:05d}.jpg /Annotations/480p/bear/{i:05d}.png" for i in range(3)]
    write_split(tmp_path, "480p", "val", lines)
    assert [video.name for video in find_videos(tmp_path, split="val")] == ["bear"]


def test_without_lists_every_sequence_is_taken(tmp_path):
    write_sequence(tmp_path, "bear")
    assert len(find_videos(tmp_path, split="val")) == 1


def test_a_split_that_is_not_there_is_answered_with_those_that_are(tmp_path):
    write_sequence(tmp_path, "bear")
    write_split(tmp_path, "2017", "train", ["bear"])
    with pytest.raises(InputError, match=r"no list \*/val.txt; choose --split among 2017/train"):
        find_videos(tmp_path, split="val")


def test_a_sequence_of_the_list_that_is_not_on_disk_is_named(tmp_path):
    write_sequence(tmp_path, "bear")
    write_split(tmp_path, "2017", "val", ["bear", "goat"])
    with pytest.raises(VideoError, match="expected the frames of sequence goat"):
        find_videos(tmp_path, split="val")


def test_a_wrong_root_is_answered_with_the_expected_tree(tmp_path):
    (tmp_path / "holiday").mkdir()
    with pytest.raises(InputError, match=r"it holds holiday\); expected ROOT/JPEGImages/"):
        find_videos(tmp_path)
    with pytest.raises(InputError, match="there is no such folder"):
        find_videos(tmp_path / "nowhere")
    (tmp_path / "JPEGImages").mkdir()
    with pytest.raises(InputError, match="holds no sequence"):
        find_videos(tmp_path)


def test_frames_without_a_mask_are_told(tmp_path):
    write_sequence(tmp_path, "bear")
    (tmp_path / "Annotations" / "480p" / "bear" / "00001.png").unlink()
    assert find_videos(tmp_path)[0].masks[1] is None


def test_a_mask_without_a_frame_is_refused(tmp_path):
    write_sequence(tmp_path, "bear")
    write_png(tmp_path / "Annotations" / "480p" / "bear" / "00009.png")
    with pytest.raises(MaskError, match=r"00009\.png belongs to no frame"):
        find_videos(tmp_path)


def test_mask_folders_are_found_with_and_without_sequence_folders(tmp_path):
    write_png(tmp_path / "bear" / "00000.png")
    write_png(tmp_path / "goat" / "00000.png")
    assert [video.name for video in find_masks(tmp_path)] == ["bear", "goat"]
    assert [video.name for video in find_masks(tmp_path / "bear")] == ["bear"]


def test_a_folder_without_masks_is_refused(tmp_path):
    with pytest.raises(InputError, match="holds no PNG"):
        find_masks(tmp_path)
    with pytest.raises(InputError, match="is no folder"):
        find_masks(tmp_path / "nowhere")


def test_palette_values_are_the_ids_whatever_their_colours(tmp_path):
    image = Image.fromarray(np.array([[0, 3], [7, 255]], np.uint8))
    image.putpalette([200, 10, 10] * 256)
    image.save(tmp_path / "mask.png")
    labels = read_labels(tmp_path / "mask.png")
    assert image.mode == "P"
    assert labels.dtype == np.uint16
    assert labels.tolist() == [[0, 3], [7, 255]]


@pytest.mark.parametrize(("mode", "value"), [("1", 1), ("L", 9), ("I;16", 40000)])
def test_grey_masks_of_1_8_and_16_bits_are_read(tmp_path, mode, value):
    write_png(tmp_path / "mask.png", mode, value)
    assert np.unique(read_labels(tmp_path / "mask.png")).tolist() == [value]


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA"])
def test_a_colour_mask_is_refused_with_what_to_do(tmp_path, mode):
    write_png(tmp_path / "mask.png", mode, 0)
    with pytest.raises(MaskError, match="save it as a palette or grey PNG"):
        read_labels(tmp_path / "mask.png")


def test_damaged_files_are_named(tmp_path):
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n")
    with pytest.raises(MaskError, match=r"broken\.png cannot be read as a mask"):
        read_labels(tmp_path / "broken.png")
    with pytest.raises(VideoError, match=r"broken\.png cannot be read as a picture"):
        read_picture(tmp_path / "broken.png")
