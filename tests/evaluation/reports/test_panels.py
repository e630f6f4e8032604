from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from devos.evaluation.reports.panels import (
    OUTCOME_COLOURS,
    WIDTH_PX,
    Outcome,
    Panel,
    Tally,
    draw_panels,
    outcomes,
    tally,
)

IDS = (1, 2)


def labels(*boxes: tuple[int, slice, slice], height: int = 60, width: int = 100) -> np.ndarray:
    canvas = np.zeros((height, width), np.uint16)
    for object_id, rows, columns in boxes:
        canvas[rows, columns] = object_id
    return canvas


def pixels(panel: Panel) -> np.ndarray:
    kind, _, text = panel.data_uri.partition(",")
    assert kind == "data:image/webp;base64"
    with Image.open(io.BytesIO(base64.b64decode(text))) as picture:
        assert picture.format == "WEBP"
        assert picture.size == (panel.width, panel.height)
        return np.asarray(picture.convert("RGB")).astype(int)


def test_every_pixel_has_the_outcome_of_its_two_ids():
    truth = np.array([[0, 1, 1, 0, 1, 0, 9]], np.uint16)
    predicted = np.array([[0, 1, 0, 2, 2, 9, 9]], np.uint16)
    found = outcomes(truth, predicted, IDS)
    wanted = [Outcome.GROUND, Outcome.RIGHT, Outcome.MISSED, Outcome.FALSE, Outcome.CONFUSED]
    assert found[0].tolist() == [*wanted, Outcome.GROUND, Outcome.GROUND]
    assert tally(found) == Tally(right=1, missed=1, false=1, confused=1)
    assert tally(found).true == 3


@pytest.mark.parametrize("kind", list(OUTCOME_COLOURS))
def test_the_error_picture_shows_each_outcome_in_its_colour(kind):
    found = np.zeros((60, 100), np.uint8)
    found[10:50, 20:80] = kind
    truth = labels((1, slice(10, 50), slice(20, 80)))
    errors = pixels(draw_panels(None, truth, truth, found)[-1])
    inside = errors[72:144, 108:252].reshape(-1, 3)
    brightest = inside[inside.sum(1).argsort()[-500:]].mean(0)
    hues = {other: np.array(colour) / np.linalg.norm(colour) for other, colour in OUTCOME_COLOURS.items()}
    likeness = {other: hue @ brightest for other, hue in hues.items()}
    assert max(likeness, key=likeness.get) is kind


def test_all_four_pictures_have_one_size_and_say_what_they_show():
    truth = labels((1, slice(5, 55), slice(10, 90)))
    predicted = labels((1, slice(5, 55), slice(10, 50)))
    picture = np.full((60, 100, 3), 90, np.uint8)
    panels = draw_panels(picture, truth, predicted, outcomes(truth, predicted, IDS))
    assert [panel.title for panel in panels] == ["Picture", "Truth", "Prediction", "Errors"]
    assert {(panel.width, panel.height) for panel in panels} == {(WIDTH_PX, 216)}
    truth_seen, predicted_seen = pixels(panels[1]), pixels(panels[2])
    assert np.abs(truth_seen[108, 270] - 90).sum() > 60
    assert np.abs(predicted_seen[108, 270] - 90).sum() < 25


def test_what_is_not_known_has_no_picture():
    truth = labels((1, slice(5, 55), slice(10, 90)))
    assert [panel.title for panel in draw_panels(None, truth, None, None)] == ["Truth"]


def test_a_small_object_is_shown_enlarged_and_its_place_on_the_whole_picture():
    truth = labels((1, slice(4, 10), slice(80, 90)))
    picture = np.full((60, 100, 3), 90, np.uint8)
    panels = draw_panels(picture, truth, truth, outcomes(truth, truth, IDS))
    assert [panel.title for panel in panels] == [
        "Picture",
        *(f"{t} (enlarged)" for t in ("Truth", "Prediction", "Errors")),
    ]
    assert {(panel.width, panel.height) for panel in panels} == {(WIDTH_PX, 216)}
    right = pixels(panels[3]).sum(2) > 400
    assert 0.08 < right.mean() < 0.2  # 60 of the 30 x 18 pixels that are shown
    whole = pixels(panels[0])
    assert np.abs(whole[:, :216] - 90).max() < 30
    assert np.abs(whole - 90).max() > 80


def test_nothing_at_all_on_a_frame_is_shown_as_the_whole_frame():
    empty = labels()
    panels = draw_panels(None, empty, empty, outcomes(empty, empty, IDS))
    assert [panel.title for panel in panels] == ["Truth", "Prediction", "Errors"]
