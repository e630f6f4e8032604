from __future__ import annotations

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw

from devos.errors import MaskError
from devos.io.labels import davis_palette, write_label_png
from devos.io.mask_edges import snap, soft_codes
from devos.io.mask_pictures import read_mask_picture
from devos.io.masks import read_masks
from devos.io.videos import open_video


@pytest.fixture
def video(frames):
    """Three frames, a1, a2 and a10, of 64x48."""
    return open_video(frames)


def squares(*values: int, dtype: type = np.uint8) -> np.ndarray:
    """A 48x64 picture of zeros with an 8x8 square of each value."""
    picture = np.zeros((48, 64), dtype)
    for place, value in enumerate(values):
        column, row = 2 + 10 * (place % 6), 2 + 10 * (place // 6)
        picture[row : row + 8, column : column + 8] = value
    return picture


def palette_picture(codes: np.ndarray) -> Image.Image:
    picture = Image.fromarray(codes.astype(np.uint8))
    picture.putpalette(davis_palette().tobytes())
    return picture


def disc(value: int = 255) -> np.ndarray:
    """A mask of one disc with soft edges."""
    picture = np.zeros((48, 64), np.uint8)
    cv2.circle(picture, (32, 24), 15, value, -1)
    return cv2.GaussianBlur(picture, (5, 5), 0)


@pytest.fixture
def read(tmp_path, video):
    """Save a picture as a mask of the first frame and read it."""

    def save_and_read(picture, **options):
        path = tmp_path / "mask.png"
        (picture if isinstance(picture, Image.Image) else Image.fromarray(picture)).save(path)
        return read_masks(path, video, **options)

    return save_and_read


# --- what each kind of picture means ---


def test_the_index_of_a_palette_mask_is_the_id(read):
    given = read(palette_picture(squares(1, 7, 200)))
    assert list(given) == [0]
    assert given[0].dtype == np.uint16
    assert np.array_equal(given[0], squares(1, 7, 200))
    assert given.object_ids == (1, 7, 200)
    assert given.areas == {0: {1: 64, 7: 64, 200: 64}}
    assert given.notes == ()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_value_of_a_grey_mask_is_the_id(read, dtype):
    assert np.array_equal(read(squares(1, 3, 40, dtype=dtype))[0], squares(1, 3, 40))


def test_16_bit_ids_up_to_65535_are_kept(read):
    assert read(squares(300, 65535, dtype=np.uint16)).object_ids == (300, 65535)


@pytest.mark.parametrize(
    "picture",
    [
        Image.fromarray(squares(255)),
        Image.fromarray(squares(255)).convert("RGB"),
        palette_picture(squares(255)),
        Image.fromarray(squares(65535, dtype=np.uint16)),
        Image.fromarray(squares(255)).convert("1"),
        Image.fromarray(squares(255)).convert("LA"),
    ],
    ids=["grey", "rgb", "palette", "16 bit", "1 bit", "grey with alpha"],
)
def test_black_and_white_is_object_1(read, picture):
    given = read(picture)
    assert np.array_equal(given[0], squares(1))


def test_white_read_as_object_1_is_noted(read):
    assert "255 is read as object 1" in read(squares(255)).notes[0]


@pytest.mark.parametrize("picture", [palette_picture(squares(1, 9, 255)), Image.fromarray(squares(1, 2, 255))])
def test_255_beside_other_ids_is_a_void_border(read, picture):
    given = read(picture)
    assert 255 not in given.object_ids and len(given.object_ids) == 2
    assert "255" in given.notes[0]


def test_255_beside_other_greys_is_an_object(read):
    assert read(squares(128, 255)).object_ids == (128, 255)


def test_the_colours_of_the_davis_palette_are_its_ids(read):
    given = read(palette_picture(squares(1, 5, 30)).convert("RGB"))
    assert np.array_equal(given[0], squares(1, 5, 30))
    assert "DAVIS" in given.notes[0]


def test_other_colours_are_numbered_in_their_order_and_noted(read):
    colours = np.zeros((48, 64, 3), np.uint8)
    colours[:10], colours[20:30] = (255, 0, 0), (0, 0, 255)
    given = read(colours)
    assert given[0][25, 0] == 1 and given[0][0, 0] == 2 and given[0][15, 0] == 0
    assert given.notes == ("colour #0000ff is read as object 1", "colour #ff0000 is read as object 2")


def test_greys_saved_as_rgb_are_ids_like_any_grey(read):
    assert read(Image.fromarray(squares(5, 9)).convert("RGB")).object_ids == (5, 9)


def test_a_palette_made_by_a_paint_program_is_read_by_its_colours(read):
    picture = Image.fromarray(1 - squares(1))  # index 1 is the background here
    picture.putpalette([255, 0, 0, 0, 0, 0])
    assert np.array_equal(read(picture)[0], squares(1))


def test_transparent_parts_of_a_coloured_mask_are_background(read):
    picture = np.zeros((48, 64, 4), np.uint8)
    picture[...] = (255, 10, 10, 0)
    picture[:10, :, 3] = 255
    assert read(picture).areas == {0: {1: 640}}


def test_small_and_many_objects_are_no_soft_edges(read):
    picture = np.zeros((48, 64), np.uint8)
    for number in range(60):
        row, column = 1 + 8 * (number // 10), 1 + 6 * (number % 10)
        picture[row : row + 3, column : column + 3] = number + 1
    assert len(read(picture).object_ids) == 60


@pytest.mark.parametrize("ids", [range(2, 7), range(10, 70, 10), [9, 3, 7, 5]])
@pytest.mark.parametrize("gap", [0, 2])
def test_objects_of_2x2_beside_a_large_one_are_objects(read, ids, gap):
    picture = np.zeros((48, 64), np.uint8)
    picture[10:30, 10:40] = 99
    for number, object_id in enumerate(ids):
        picture[30 + gap : 32 + gap, 10 + 5 * number : 12 + 5 * number] = object_id
    assert read(picture).object_ids == (*sorted(ids), 99)


def test_many_tiny_objects_of_a_pixel_or_two_are_objects(read):
    picture = np.zeros((48, 64), np.uint8)
    for number in range(60):
        row, column = 1 + 8 * (number // 10), 1 + 6 * (number % 10)
        picture[row : row + 2, column : column + 2] = number + 1
    assert len(read(picture).object_ids) == 60


def test_snapping_leaves_small_objects_and_names_what_it_takes(read):
    large = Image.new("L", (256, 192))
    ImageDraw.Draw(large).ellipse((40, 40, 150, 150), fill=200)
    picture = np.array(large.resize((64, 48), Image.Resampling.BILINEAR))
    picture[2:4, 50:52] = 7
    given = read(picture, snap=True)
    assert given.object_ids == (7, 200)
    assert given.areas[0][7] == 4
    assert "values were given to their neighbours" in given.notes[0]


def test_a_very_small_object_is_noted(read):
    picture = squares(1)
    picture[40, 40] = 2
    assert "2 (1 px)" in read(picture).notes[0]


# --- what is refused ---


def test_a_missing_mask_is_named(tmp_path, video):
    with pytest.raises(MaskError, match=r"none\.png: no such file or folder"):
        read_masks(tmp_path / "none.png", video)


def test_a_file_that_is_no_picture_is_refused(tmp_path, video):
    (tmp_path / "m.png").write_text("hello")
    with pytest.raises(MaskError, match="not a picture that can be read; a mask is a PNG"):
        read_masks(tmp_path / "m.png", video)


def test_a_mask_of_another_size_is_refused_with_both_sizes(read):
    with pytest.raises(MaskError, match=r"is 32x24, but the video is 64x48; .*--resize-masks"):
        read(squares(1, 2)[::2, ::2])


def test_a_mask_of_another_size_can_be_fitted_with_whole_ids(read):
    given = read(squares(1, 7)[::2, ::2], resize=True)
    assert given[0].shape == (48, 64)
    assert np.array_equal(given[0], squares(1, 7))


def test_a_mask_of_all_background_is_refused(read):
    with pytest.raises(MaskError, match="all background"):
        read(squares())


def test_a_mask_of_all_background_within_a_folder_is_named(write_masks, video):
    folder = write_masks(a1=squares(1), a2=squares())
    with pytest.raises(MaskError, match=r"a2\.png: is all background"):
        read_masks(folder, video)


@pytest.mark.parametrize("shape", [(48, 64), (48, 64, 3)])
def test_a_photograph_is_refused(read, shape):
    noise = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    with pytest.raises(MaskError, match="looks like a photograph"):
        read(noise)


def test_too_many_colours_are_refused(read):
    colours = np.zeros((48, 64, 3), np.uint8)
    for number in range(21):
        colours[number * 2 : number * 2 + 2] = (255, number * 10, 3)
    colours = np.repeat(colours, 1, axis=0)
    with pytest.raises(MaskError, match="colours"):
        read(colours)


# --- soft edges ---


@pytest.mark.parametrize("picture", [disc(), np.maximum(disc(200) // 2, squares(0, 0, 50))])
def test_soft_edges_are_refused_with_the_way_out(read, picture):
    with pytest.raises(MaskError, match=r"soft \(anti-aliased\) edges: \d+ stray values .*--snap-masks"):
        read(picture)


def test_snapping_black_and_white_cuts_at_the_middle(read):
    given = read(disc(), snap=True)
    assert np.array_equal(given[0], (disc() >= 128).astype(np.uint16))


@pytest.mark.parametrize("peak", [240, 255])
def test_snapping_what_is_blurred_all_over_cuts_it_at_half_and_leaves_clear_objects_apart(tmp_path, peak):
    square = np.zeros((48, 64), np.float32)
    square[20:28, 28:36] = 1
    blur = cv2.GaussianBlur(square, (0, 0), 3)
    labels = np.round(blur * peak / blur.max()).astype(np.uint8)
    labels[1:6, 1:6], labels[42:47, 56:63] = 1, 2
    Image.fromarray(labels).save(tmp_path / "mask.png")
    mask = read_mask_picture(tmp_path / "mask.png")
    given = snap(mask, soft_codes(mask)).codes
    assert sorted(np.unique(given).tolist()) == [0, 1, 2, 255]
    assert (given[1:6, 1:6] == 1).all() and (given[42:47, 56:63] == 2).all()
    assert given[24, 32] == 255 and given[24, 32 - 8] == 0


def test_snapping_gives_stray_pixels_to_the_nearest_object(read):
    labels = squares(20, 90)
    soft = cv2.GaussianBlur(labels, (3, 3), 0)
    given = read(soft, snap=True)
    assert given.object_ids == (20, 90)
    assert abs(given.areas[0][20] - 64) <= 36


def test_snapping_colours_leaves_only_the_clear_ones(read):
    colours = np.zeros((48, 64, 3), np.uint8)
    cv2.circle(colours, (20, 24), 12, (250, 0, 0), -1)
    cv2.circle(colours, (48, 24), 12, (0, 0, 250), -1)
    soft = cv2.GaussianBlur(colours, (5, 5), 0)
    with pytest.raises(MaskError, match="--snap-masks"):
        read(soft)
    given = read(soft, snap=True)
    assert given.object_ids == (1, 2)
    assert given[0][24, 48] == 1 and given[0][24, 20] == 2


def test_snapping_leaves_a_hard_mask_as_it_is(read):
    assert np.array_equal(read(squares(1, 2), snap=True)[0], squares(1, 2))


# --- folders of masks ---


@pytest.fixture
def write_masks(tmp_path):
    """A folder with a mask for each name."""

    def write(**masks):
        folder = tmp_path / "masks"
        folder.mkdir(exist_ok=True)
        for name, labels in masks.items():
            Image.fromarray(labels).save(folder / f"{name.lstrip('_')}.png")
        return folder

    return write


def test_masks_belong_to_the_frames_they_are_named_after(write_masks, video):
    given = read_masks(write_masks(a10=squares(3), a1=squares(1, 2)), video)
    assert list(given) == [0, 2]
    assert given.object_ids == (1, 2, 3)
    assert {index: file.name for index, file in given.files.items()} == {0: "a1.png", 2: "a10.png"}


@pytest.mark.parametrize("name", ["_00012", "_12", "_0012"])
def test_masks_of_a_video_file_are_named_by_number_with_any_zeros(write_masks, video_file, name):
    with open_video(video_file) as video:
        assert list(read_masks(write_masks(**{name: squares(1)}), video)) == [12]


def test_a_mask_for_no_frame_is_named_with_an_example(write_masks, video):
    with pytest.raises(MaskError, match=r"b7\.png: belongs to no frame .* named a1 to a10"):
        read_masks(write_masks(b7=squares(1)), video)


@pytest.mark.parametrize("name", ["_00030", "first"])
def test_a_mask_beyond_the_end_of_a_video_file_is_refused(write_masks, video_file, name):
    with open_video(video_file) as video, pytest.raises(MaskError, match="00000 to 00029"):
        read_masks(write_masks(**{name: squares(1)}), video)


def test_two_masks_for_one_frame_are_refused(write_masks, video_file):
    folder = write_masks(_3=squares(1), _03=squares(1))
    with open_video(video_file) as video, pytest.raises(MaskError, match="for the same frame"):
        read_masks(folder, video)


def test_an_empty_folder_of_masks_is_refused(tmp_path, video):
    (tmp_path / "masks").mkdir()
    with pytest.raises(MaskError, match="holds no masks"):
        read_masks(tmp_path / "masks", video)


def test_a_colour_is_the_same_object_in_every_mask(write_masks, video):
    red, both = np.zeros((48, 64, 3), np.uint8), np.zeros((48, 64, 3), np.uint8)
    red[:10] = (250, 0, 0)
    both[:10], both[20:30] = (250, 0, 0), (0, 0, 250)
    given = read_masks(write_masks(a1=red, a2=both), video)
    assert given[0][0, 0] == given[1][0, 0] == 2


def test_a_single_mask_named_after_a_later_frame_is_noted(tmp_path, video):
    write_label_png(tmp_path / "a2.png", squares(1).astype(np.uint16))
    given = read_masks(tmp_path / "a2.png", video)
    assert list(given) == [0]
    assert "used for the first frame" in given.notes[0]


def test_hundreds_of_masks_are_not_held_but_read_again(write_masks, write_frames):
    names = [f"n{number}" for number in range(40)]
    video = open_video(write_frames(*(f"{name}.png" for name in names)))
    given = read_masks(write_masks(**{name: squares(number + 1) for number, name in enumerate(names)}), video)
    assert len(given._held) == 0
    assert [int(labels.max()) for labels in given.values()] == list(range(1, 41))


# --- writing ---


def test_labels_are_written_as_an_indexed_png_with_the_davis_palette(tmp_path):
    labels = squares(1, 2, 255).astype(np.uint16)
    write_label_png(tmp_path / "m.png", labels)
    with Image.open(tmp_path / "m.png") as picture:
        assert picture.mode == "P"
        assert np.array_equal(np.array(picture), labels)
        assert picture.getpalette()[: 3 * 4] == [0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0]


def test_ids_above_255_are_written_as_16_bit_grey(tmp_path, video):
    labels = squares(1, 256, 65535, dtype=np.uint16)
    write_label_png(tmp_path / "m.png", labels)
    assert np.array_equal(read_masks(tmp_path / "m.png", video)[0], labels)


def test_the_davis_palette_is_exact():
    palette = davis_palette().tolist()
    assert palette[:9] == [
        [0, 0, 0],
        [128, 0, 0],
        [0, 128, 0],
        [128, 128, 0],
        [0, 0, 128],
        [128, 0, 128],
        [0, 128, 128],
        [128, 128, 128],
        [64, 0, 0],
    ]
    assert palette[255] == [224, 224, 192]
    assert len({tuple(colour) for colour in palette}) == 256
