from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from devos.errors import OutputError
from devos.evaluation.figures.sheet import Sheet, fitting, painted, save_pages
from devos.frames import FrameSize
from devos.io.drawing import colour_of


def page(number: int) -> np.ndarray:
    return np.full((50, 81, 3), 40 * number, np.uint8)


@pytest.mark.parametrize("put", [Sheet.picture, Sheet.paste])
def test_a_picture_lands_on_its_pixels_unchanged(put):
    rgb = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    sheet = Sheet(123, 77)
    put(sheet, rgb, 50, 20)
    pixels = sheet.pixels()
    assert pixels.shape == (77, 123, 3)
    np.testing.assert_array_equal(pixels[20:50, 50:90], rgb)
    assert (pixels[:20] == 255).all()
    assert (pixels[:, :50] == 255).all()


def test_a_line_of_text_stays_within_its_width():
    sheet = Sheet(400, 40)
    sheet.text(10, 20, "a name that is far too long for its column", width=120)
    rows, columns = np.nonzero(sheet.pixels().min(2) < 200)
    assert 100 < columns.max() < 132
    assert 10 < rows.min() < rows.max() < 30


def test_the_same_page_is_the_same_to_the_last_pixel():
    def draw() -> np.ndarray:
        sheet = Sheet(200, 60)
        sheet.text(10, 30, "frame 12 · 24 %")
        return sheet.pixels()

    np.testing.assert_array_equal(draw(), draw())


def test_pages_become_a_film_and_the_last_one_a_picture(tmp_path, read_video):
    count = save_pages(map(page, range(5)), tmp_path / "a.png", tmp_path / "a.mp4", Fraction(25))
    rate, frames = read_video(tmp_path / "a.mp4")
    assert count == len(frames) == 5
    assert rate == 25
    assert frames[3][20, 20] == pytest.approx([120] * 3, abs=6)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "a.png")), page(4))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "a.png"]


def test_nothing_is_left_of_a_film_that_fails(tmp_path):
    def failing():
        yield page(0)
        yield page(1)
        raise OutputError("no more")

    with pytest.raises(OutputError):
        save_pages(failing(), tmp_path / "a.png", tmp_path / "a.mp4", Fraction(25))
    assert list(tmp_path.iterdir()) == []


def test_objects_are_filled_and_outlined_in_the_colours_of_overlays():
    rgb = np.zeros((60, 90, 3), np.uint8)
    labels = np.zeros((60, 90), np.uint16)
    labels[20:40, 30:60] = 3
    drawn = painted(rgb, labels, FrameSize(60, 90)).astype(float)
    assert drawn[30, 45] == pytest.approx(0.42 * np.array(colour_of(3)), abs=2)
    assert drawn[30, 30] == pytest.approx(colour_of(3), abs=2)
    assert drawn[:15].max() == 0
    small = painted(rgb, labels, FrameSize(30, 45))
    assert small.shape == (30, 45, 3)
    assert small[15, 22] == pytest.approx(0.42 * np.array(colour_of(3)), abs=2)


def test_a_size_fits_into_a_box_in_its_own_shape():
    assert fitting(FrameSize(480, 854), 427, 420) == FrameSize(240, 427)
    assert fitting(FrameSize(854, 480), 427, 420) == FrameSize(420, 236)
