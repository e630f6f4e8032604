"""Which files of a folder are frames, files that hold several pictures, and what pixel values mean."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from devos.errors import MaskError, OutputError, VideoError
from devos.io.files import check_output
from devos.io.masks import read_masks
from devos.io.videos import open_video


def photo(index: int, height: int = 48, width: int = 64) -> np.ndarray:
    return np.random.default_rng(index).integers(30, 256, (height, width, 3), dtype=np.uint8)


def mask() -> Image.Image:
    labels = np.zeros((48, 64), np.uint8)
    labels[10:30, 10:30] = 1
    return Image.fromarray(labels * 255)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three photographs."""
    directory = tmp_path / "frames"
    directory.mkdir()
    for index in range(3):
        Image.fromarray(photo(index)).save(directory / f"{index:05d}.png")
    return directory


# --- which files are frames ---


@pytest.mark.parametrize(
    "names", [["mask.png"], ["00000_mask.png", "00001_mask.png", "00002_mask.png"], ["gt00000.bmp"], ["label_1.tif"]]
)
def test_masks_beside_the_frames_are_passed_over_and_told(folder, names):
    for name in names:
        mask().save(folder / name)
    with open_video(folder) as video:
        assert [frame.name for frame in video] == ["00000", "00001", "00002"]
        assert names[0] in video.notes[0] and "no frame" in video.notes[0]


def test_a_given_mask_is_no_frame_whatever_it_looks_like(folder):
    Image.fromarray(photo(9)).save(folder / "00003.png")
    with open_video(folder, not_frames=[folder / "00003.png"]) as video:
        assert video.names == ("00000", "00001", "00002")
        assert "given as a mask" in video.notes[0]


def test_a_thumbnail_of_another_size_and_name_is_passed_over_and_told(folder):
    Image.fromarray(photo(9, 12, 16)).save(folder / "thumb.jpg")
    with open_video(folder) as video:
        assert video.num_frames == 3
        assert "thumb.jpg is no frame (16x12, while 3 others are 64x48)" in video.notes[0]


def test_photographs_of_any_names_are_frames_and_so_are_plain_pictures_among_them(folder, write_frames):
    Image.fromarray(photo(5)).save(folder / "holiday.jpg")
    Image.new("RGB", (64, 48)).save(folder / "00007.png")  # a black frame of the film
    with open_video(folder) as video:
        assert video.names == ("00000", "00001", "00002", "00007", "holiday")
    with open_video(write_frames("a.png", "b1.bmp", "c_mask.png", folder="drawn")) as video:
        assert video.num_frames == 3


# --- several pictures in a file ---


def write_stack(path: Path, pictures: list[np.ndarray], **options: object) -> Path:
    first, *others = [Image.fromarray(picture) for picture in pictures]
    first.save(path, save_all=True, append_images=others, **options)  # type: ignore[arg-type]
    return path


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.tif", {}),
        ("a.gif", {"duration": 40}),
        ("a.png", {"duration": 40}),
        ("a.webp", {"duration": 40, "lossless": True}),
    ],
)
@pytest.mark.parametrize("inside", [False, True])
def test_every_picture_of_a_file_is_a_frame(tmp_path, name, options, inside):
    grey = [np.full((48, 64, 3), 40 * level, np.uint8) for level in range(6)]
    grey[0][:, :32] = 200  # so that an animation cannot leave out what is equal
    directory = tmp_path / "in"
    directory.mkdir()
    path = write_stack(directory / name, grey, **options)
    with open_video(directory if inside else path) as video:
        frames = list(video)
        assert [frame.index for frame in frames] == list(range(6))
        assert [int(frame.rgb[20, 50, 0]) for frame in frames] == [40 * level for level in range(6)]
        assert [frame.index for frame in video.backwards(1, 5)] == [4, 3, 2, 1]
        if options and not inside:
            assert [frame.time_s for frame in frames] == pytest.approx([0.04 * index for index in range(6)])
            assert video.fps == 25
        if inside:
            assert "6 pictures" in video.notes[0]
            assert frames[1].name == "a_0001"


@pytest.mark.parametrize(
    ("description", "axes"),
    [
        ("ImageJ=1.53\nimages=6\nchannels=2\nframes=3\nhyperstack=true\n", "T=3, C=2"),
        ("ImageJ=1.53\nimages=6\nslices=2\nframes=3\nhyperstack=true\n", "T=3, Z=2"),
        ('<OME xmlns="x"><Pixels SizeC="2" SizeT="3" SizeZ="1"></Pixels></OME>', "T=3, C=2"),
    ],
)
def test_pages_that_are_channels_or_slices_are_refused_by_name(tmp_path, description, axes):
    path = write_stack(tmp_path / "a.tif", [photo(0)] * 6, tiffinfo={270: description})
    with pytest.raises(VideoError, match=f"{axes}; C: channels, Z: slices"):
        open_video(path)


def test_slices_alone_are_taken_as_moments_and_told(tmp_path):
    path = write_stack(tmp_path / "a.tif", [photo(0)] * 6, tiffinfo={270: "ImageJ=1.53\nimages=6\nslices=6\n"})
    with open_video(path) as video:
        assert video.num_frames == 6
        assert "slices (Z) are taken as moments" in video.notes[0]


# --- what values mean ---


def deep_folder(tmp_path: Path, highest: int, *, colour: bool, suffix: str = "png") -> Path:
    directory = tmp_path / "deep"
    directory.mkdir()
    for index in range(3):
        ramp = np.linspace(0, highest, 64).astype(np.uint16)[None].repeat(48, 0)
        cv2.imwrite(str(directory / f"{index}.{suffix}"), np.dstack([ramp // 4, ramp // 2, ramp]) if colour else ramp)
    return directory


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize(("highest", "white"), [(1020, 1023), (4000, 4095), (200, 255), (65000, 65535)])
def test_values_of_10_or_12_bits_are_seen_and_told(tmp_path, highest, white, colour, suffix):
    with open_video(deep_folder(tmp_path, highest, colour=colour, suffix=suffix)) as video:
        frame = next(iter(video))
        assert int(frame.rgb[0, -1, 0]) == round(255 * highest / white)
        assert bool(video.notes) == (white < 65535)
        if video.notes:
            assert f"go up to {highest}: {white} is taken as white" in video.notes[0]
        if colour:
            assert int(frame.rgb[0, -1, 1]) == pytest.approx(255 * (highest // 2) / white, abs=1)


def test_which_value_is_white_can_be_said(tmp_path):
    with open_video(deep_folder(tmp_path, 1020, colour=False), white=2040) as video:
        assert next(iter(video)).rgb.max() == 128 and video.notes == ()


def test_white_is_zero_where_a_tiff_says_so(tmp_path):
    values = np.full((48, 64), 65535 - 257 * 40, np.uint16)
    values[40:] = 0
    (tmp_path / "f").mkdir()
    Image.fromarray(values).save(tmp_path / "f" / "a.tif", tiffinfo={262: 0})
    with Image.open(tmp_path / "f" / "a.tif") as picture:
        assert picture.tag_v2[262] == 0
    with open_video(tmp_path / "f") as video:
        assert next(iter(video)).rgb[0, 0].tolist() == [40, 40, 40]


def test_nearly_black_frames_are_told(tmp_path, write_frames):
    with open_video(write_frames("a.png", "b.png", "c.png")) as video:
        list(video)
        assert video.notes == ("3 of 3 frames are nearly black: little can be followed there",)


def test_cmyk_and_palettes_are_seen_as_meant(tmp_path):
    (tmp_path / "f").mkdir()
    Image.new("CMYK", (64, 48), (0, 255, 255, 0)).save(tmp_path / "f" / "0.tif")
    red = Image.new("P", (64, 48), 7)
    red.putpalette([0] * 21 + [255, 0, 0] + [0] * 744)
    red.save(tmp_path / "f" / "1.png")
    with open_video(tmp_path / "f") as video:
        assert [frame.rgb[0, 0].tolist() for frame in video] == [[255, 0, 0], [255, 0, 0]]


# --- names and rights ---


@pytest.mark.skipif(sys.platform != "linux", reason="only here are names any bytes")
def test_names_that_are_no_utf_8_are_refused_before_the_work(folder, tmp_path):
    strange = os.fsdecode(b"caf\xe9")
    with (
        open_video(folder) as video,
        pytest.raises(MaskError, match=r"caf\\udce9: the name is not UTF-8; rename it"),
    ):
        read_masks(tmp_path / strange, video)
    with pytest.raises(OutputError, match="not UTF-8"):
        check_output(tmp_path / strange)
    Image.fromarray(photo(4)).save(folder / (strange + ".png"))
    with pytest.raises(VideoError, match=r"caf\\udce9.png: the name is not UTF-8"):
        open_video(folder)
    folder.rename(tmp_path / strange)
    with pytest.raises(VideoError, match="not UTF-8"):
        open_video(tmp_path / strange)


def test_what_the_system_forbids_is_one_of_our_errors(folder, tmp_path, monkeypatch):
    def forbid(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    with open_video(folder) as video:
        monkeypatch.setattr(Path, "iterdir", forbid)
        with pytest.raises(VideoError, match="Permission denied"):
            open_video(folder)
        with pytest.raises(MaskError, match="Permission denied"):
            read_masks(folder, video)
        monkeypatch.setattr(Path, "exists", forbid)
        with pytest.raises(MaskError, match="Permission denied"):
            read_masks(tmp_path / "m.png", video)
        monkeypatch.setattr(Path, "is_dir", forbid)
        with pytest.raises(VideoError, match="Permission denied"):
            open_video(folder)
