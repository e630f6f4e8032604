from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import devos
from devos.engine.grabcut import GrabCut
from devos.engine.marker import Click, Look, Marker, obey
from devos.errors import OptionError, WeightsError


@dataclass
class Stubborn:
    """Answers the same whatever is said, and remembers what it was asked."""

    probability: np.ndarray
    name: str = "stubborn"
    asked: list = field(default_factory=list)

    def look(self, rgb):
        return Look(rgb)

    def answer(self, look, clicks, box, mask):
        self.asked.append((clicks, box, mask))
        return self.probability


@pytest.fixture
def picture():
    return np.zeros((60, 80, 3), np.uint8)


@pytest.fixture
def left_half():
    probability = np.full((60, 80), 0.1, np.float32)
    probability[:, :40] = 0.9
    return probability


def test_every_clicked_pixel_is_as_it_was_said_whatever_the_model_answers(picture, left_half):
    marker = Marker(Stubborn(left_half))
    clicks = [(10, 10, True), (70, 50, True), (20, 30, False), (21, 30, True), (0, 59, False), (79, 0, True)]
    marked = marker.mark(marker.look(picture), clicks)
    assert [bool(marked.mask[y, x]) for x, y, _ in clicks] == [is_object for *_, is_object in clicks]


@given(st.lists(st.tuples(st.integers(0, 79), st.integers(0, 59), st.booleans()), min_size=1, max_size=8))
def test_whatever_is_clicked_comes_out_and_of_two_clicks_on_one_pixel_the_later(clicks):
    answer = np.zeros((60, 80), bool)
    answer[:, :40] = True
    obeyed = obey(answer, [Click(*click) for click in clicks])
    last = {(x, y): is_object for x, y, is_object in clicks}
    assert {(x, y): bool(obeyed[y, x]) for x, y in last} == last


def test_where_clicks_agree_with_the_answer_it_stays(picture, left_half):
    marker = Marker(Stubborn(left_half))
    marked = marker.mark(marker.look(picture), [(10, 10, True), (70, 50, False)])
    assert np.array_equal(marked.mask, left_half > 0.5)
    assert marked.confidence == pytest.approx(0.9)


def test_a_click_does_not_lose_a_mask_that_agrees_with_more_clicks(picture, left_half):
    before = np.zeros((60, 80), bool)
    before[20:40, 20:70] = True
    clicks = [(60, 30, True), (65, 30, True), (10, 10, False)]
    marked = Marker(Stubborn(left_half)).mark(Look(picture), clicks, mask=before)
    assert np.array_equal(marked.mask, before)


def test_a_click_changes_what_it_asked_for_and_nothing_elsewhere(picture):
    """The model would move the object's left edge too, and lose a part of it far from the click."""
    before = np.zeros((60, 80), bool)
    before[10:50, 20:60] = True
    probability = np.where(before, np.float32(0.9), np.float32(0.1))
    probability[10:50, 60:70] = 0.9
    probability[10:20, 20:25] = 0.1
    marker, look = Marker(Stubborn(probability)), Look(picture)
    wanted = before.copy()
    wanted[10:50, 60:70] = True
    assert np.array_equal(marker.mark(look, [(40, 30, True), (65, 30, True)], mask=before).mask, wanted)
    both = marker.mark(look, [(40, 30, True), (22, 15, False), (65, 30, True)], mask=before).mask
    assert np.array_equal(both, probability > 0.5), "each of two new clicks is heard"
    assert np.array_equal(marker.mark(look, [(40, 30, True)], mask=before).mask, before), "it was right already"


def test_parts_that_lie_apart_are_not_taken_in_unless_clicked_or_there_before(picture):
    probability = np.zeros((60, 80), np.float32)
    probability[10:30, 5:25] = probability[10:30, 40:60] = probability[40:55, 5:25] = 0.9
    marker, look = Marker(Stubborn(probability)), Look(picture)
    first = marker.mark(look, [(10, 20, True)]).mask
    assert first[15, 8] and not first[15, 45] and not first[45, 8]
    second = marker.mark(look, [(10, 20, True), (50, 20, True)], mask=first).mask
    assert second[15, 8] and second[15, 45] and not second[45, 8]
    before = np.zeros((60, 80), bool)
    before[40:60, 0:30] = True
    third = marker.mark(look, [(10, 20, True)], mask=before).mask
    assert third[15, 8] and third[45, 8] and not third[15, 45]
    assert marker.mark(look, box=(0, 0, 80, 60)).mask[45, 8]


def test_a_model_that_finds_nothing_leaves_the_clicks_alone(picture):
    """In a process of its own it was a crash: OpenCV does not survive a picture without pixels."""
    marker, look = Marker(Stubborn(np.zeros((60, 80), np.float32))), Look(picture)
    first = marker.mark(look, [(40, 30, True)])
    assert 1 <= first.mask.sum() < 10 and first.mask[30, 40] and first.confidence == 0
    again = marker.mark(look, [(40, 30, True), (10, 10, False)], mask=first.mask).mask
    assert again[30, 40] and not again[10, 10]
    assert not marker.mark(look, box=(10, 10, 30, 30)).mask.any()
    assert not marker.mark(look, [(5, 5, False)]).mask.any()


def test_points_beyond_the_picture_empty_boxes_and_saying_nothing_are_refused_with_what_to_do(picture, left_half):
    marker = Marker(Stubborn(left_half))
    look = marker.look(picture)
    with pytest.raises(OptionError, match="80,10 lies beyond the picture, which is 80x60: x is 0 to 79"):
        marker.mark(look, [(80, 10, True)])
    with pytest.raises(OptionError, match="holds no pixel"):
        marker.mark(look, box=(90, 0, 120, 10))
    with pytest.raises(OptionError, match="give a click on it, or a box"):
        marker.mark(look)
    with pytest.raises(OptionError, match="the mask so far is 3x2, but the picture is 80x60"):
        marker.mark(look, [(1, 1, True)], mask=np.zeros((2, 3), bool))


def test_an_empty_mask_so_far_is_none_and_a_box_is_kept_within_the_picture(picture, left_half):
    model = Stubborn(left_half)
    Marker(model).mark(Look(picture), [(1, 2, True)], (-5, -5, 200, 30), np.zeros((60, 80), bool))
    assert model.asked == [([Click(1, 2, True)], (0, 0, 80, 30), None)]


@pytest.fixture
def scene():
    """A yellow square on dark noise, and its mask."""
    rgb = np.random.default_rng(0).integers(0, 90, (120, 160, 3), dtype=np.uint8)
    rgb[40:80, 60:110] = (230, 200, 40)
    truth = np.zeros((120, 160), bool)
    truth[40:80, 60:110] = True
    return rgb, truth


@pytest.mark.parametrize("how", ["click", "box", "mask"])
def test_grabcut_finds_a_square_by_its_colour_from_a_click_a_box_or_a_rough_mask(scene, how):
    rgb, truth = scene
    marker = devos.load_marker("grabcut")
    rough = np.zeros_like(truth)
    rough[45:90, 70:115] = True
    said = {"click": {"clicks": [(80, 60, True)]}, "box": {"box": (52, 32, 118, 88)},
            "mask": {"clicks": [(64, 44, True)], "mask": rough}}[how]  # fmt: skip
    mask = marker.mark(marker.look(rgb), **said).mask
    assert (mask & truth).sum() / (mask | truth).sum() > 0.9


def test_grabcut_gives_the_same_answer_every_time(scene):
    marker = Marker(GrabCut())
    answers = [marker.mark(marker.look(scene[0]), [(80, 60, True)]).mask for _ in range(2)]
    assert np.array_equal(*answers)


def test_a_click_model_that_is_not_there_is_one_line_that_names_those_that_are(tmp_path):
    with pytest.raises(OptionError, match="choose auto, clicks, grabcut"):
        devos.load_marker("sam2")
    with pytest.raises(OptionError, match=r"ENCODER\.onnx,DECODER\.onnx"):
        devos.load_marker("encoder.onnx")
    with pytest.raises(WeightsError, match="there is no weights file"):
        devos.load_marker(tmp_path / "none.safetensors")
