from __future__ import annotations

import numpy as np
import pytest

from devos.engine.segmenter import Segmenter, load
from devos.errors import OptionError
from devos.evaluation.figures.attention import attention_pages
from devos.evaluation.figures.marks import cut_out, heat, upsampled
from devos.evaluation.figures.queries import Queries, middle_of
from devos.frames import Frame, FrameSize


@pytest.fixture(scope="module")
def segmenter(weights) -> Segmenter:
    return load(weights, size=64, memory_every=2, bank=3, device="cpu")


@pytest.fixture
def film(pictures) -> list[Frame]:
    return [Frame(i, i / 24, f"{i:05d}", rgb) for i, rgb in enumerate(pictures(5))]


def test_a_cell_s_attention_stands_at_its_middle():
    weights = np.zeros((4, 8))
    weights[1, 5] = 1
    grown = upsampled(weights, FrameSize(72, 144))
    y, x = np.unravel_index(grown.argmax(), grown.shape)
    # Cells are 18 pixels wide and high: the middle of column 5, row 1 is between pixels 98 and 99, 26 and 27.
    assert x in (98, 99)
    assert y in (26, 27)
    assert grown[:9].max() == 0
    assert grown[:, :81].max() == 0


def test_attention_lights_up_its_place_and_leaves_the_rest_grey():
    weights = np.zeros((4, 8))
    weights[3, 0] = 0.2
    rgb = np.full((72, 144, 3), (40, 160, 90), np.uint8)
    drawn = heat(rgb, weights, 0.2, FrameSize(36, 72)).astype(int)
    assert drawn.shape == (36, 72, 3)
    assert drawn[33, 2].max() > drawn[2, 33].max() + 60
    assert np.ptp(drawn[2, 33]) < 8
    assert np.ptp(drawn[33, 2]) > 40


def test_a_close_up_shows_that_part_of_the_frame_and_grey_beyond_it():
    rgb = np.zeros((40, 80, 3), np.uint8)
    rgb[10:20, 70:80] = 255
    # The window of 20 x 10 pixels from x 70 on: its left half is white, its right half beyond the frame.
    cut = cut_out(rgb, (70.0, 10.0, 20.0, 10.0), FrameSize(50, 100))
    assert (cut[5:45, 5:45] == 255).all()
    assert (cut[5:45, 56:] == (214, 218, 222)).all()


def test_the_page_of_the_last_frame_has_a_block_for_each_query(film, square, segmenter):
    pages = [
        list(attention_pages(film, {0: square}, segmenter, 3, Queries([(20.0, 30.0), (80.0, 10.0)][:count])))
        for count in (1, 2)
    ]
    assert [len(page) for page in pages] == [1, 1]
    (one,), (two,) = pages
    assert one.shape[1] == two.shape[1] == 1646
    assert two.shape[0] - one.shape[0] == 2 * (261 + 26) + 14 + 48, "two frames or fewer need no third row"
    # The second block asks for another place, so it is another picture.
    block = two.shape[0] - one.shape[0]
    assert (two[100:block] != two[100 + block : 2 * block]).any()


def test_every_frame_up_to_the_one_asked_for_has_a_page_of_one_size(film, square, segmenter):
    pages = list(attention_pages(film, {0: square}, segmenter, 4, Queries(), every=True))
    assert len(pages) == 4
    assert len({page.shape for page in pages}) == 1


def test_a_frame_beyond_the_video_is_refused(film, square, segmenter):
    with pytest.raises(OptionError, match="--frame 9 is not in the video: it has 5 frames, 0 to 4"):
        list(attention_pages(film, {0: square}, segmenter, 9, Queries()))


def test_a_frame_with_nothing_before_it_is_refused(film, square, segmenter):
    with pytest.raises(OptionError, match="--frame 2 has nothing to be matched with: the first mask is for frame 2"):
        list(attention_pages(film, {2: square}, segmenter, 2, Queries()))


def test_a_point_outside_the_frame_is_refused(film, square, segmenter):
    with pytest.raises(OptionError, match="--point 96,10 is outside the frame: x is 0 to 95, y 0 to 63"):
        list(attention_pages(film, {0: square}, segmenter, 1, Queries([(96.0, 10.0)])))


def test_an_object_that_is_not_followed_is_refused(film, square, segmenter):
    with pytest.raises(OptionError, match="object 4 is not followed at frame 1; followed are: 1"):
        list(attention_pages(film, {0: square}, segmenter, 1, Queries((), [4])))


def test_the_middle_of_an_object_is_its_centre():
    labels = np.zeros((40, 60), np.uint16)
    labels[10:21, 30:51] = 2
    assert middle_of(labels, 2) == (40, 15)
    assert middle_of(labels, 1) is None


def test_the_middle_of_a_bent_object_lies_inside_it():
    labels = np.zeros((60, 60), np.uint16)
    labels[5:55, 5:15] = labels[45:55, 5:55] = 1
    x, y = middle_of(labels, 1)
    around = labels[int(y) - 1 : int(y) + 2, int(x) - 1 : int(x) + 2]
    assert (around == 1).all()
