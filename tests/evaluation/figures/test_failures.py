from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from devos.data.catalog import find_videos
from devos.errors import OptionError
from devos.evaluation.figures.failures import worst_page
from devos.evaluation.predictors import SavedMasks
from devos.evaluation.reports.panels import OUTCOME_COLOURS, Outcome
from devos.evaluation.rules.protocols import Protocol
from devos.evaluation.scoring import score_sequence

HEIGHT, WIDTH, FRAMES = 60, 80, 24


@pytest.fixture
def film(tmp_path):
    """A film with objects 1 and 2, and a maker of predictions that change the true masks of some frames."""

    def path(kind, index, suffix):
        home = tmp_path / kind / "film"
        home.mkdir(parents=True, exist_ok=True)
        return home / f"{index:05d}.{suffix}"

    def make(*changes, pictures=True):
        for index in range(FRAMES):
            labels = np.zeros((HEIGHT, WIDTH), np.uint8)
            labels[20:40, 10:30] = 1
            labels[20:40, 40:60] = 2
            Image.fromarray(np.full((HEIGHT, WIDTH, 3), 90, np.uint8)).save(path("data/JPEGImages", index, "png"))
            Image.fromarray(labels).save(path("data/Annotations", index, "png"))
            for frames, change in changes:
                if index in frames:
                    labels = change(labels)
            Image.fromarray(labels).save(path("masks", index, "png"))
        (video,) = find_videos(tmp_path / "data")
        score = score_sequence(video, SavedMasks(tmp_path / "masks")(video), Protocol.DAVIS2017)
        return video, score, tmp_path / "masks", Protocol.DAVIS2017

    return make


def miss(labels):
    return np.where(labels == 1, 0, labels).astype(np.uint8)


def invent(labels):
    changed = labels.copy()
    changed[45:55, 10:60] = 1
    return changed


def confuse(labels):
    return np.where(labels == 1, 2, labels).astype(np.uint8)


def share(page, kind):
    """Of the page's pixels below its heading, those that lean clearly towards the colour of an outcome, on grey."""
    ground, colour = np.full(3, 90.0), np.array(OUTCOME_COLOURS[kind], float)
    expected = ground * 0.38 + colour * 0.62
    return float((np.abs(page[80:].astype(float) - expected).max(-1) < 6).mean())


@pytest.mark.parametrize(
    ("change", "kind"), [(miss, Outcome.MISSED), (invent, Outcome.FALSE), (confuse, Outcome.CONFUSED)]
)
def test_each_kind_of_error_has_its_colour(film, change, kind):
    page = worst_page(*film(([12], change)))
    kinds = (Outcome.MISSED, Outcome.FALSE, Outcome.CONFUSED)
    assert [share(page, each) > 0.008 for each in kinds] == [each is kind for each in kinds]


def test_there_is_a_row_for_each_bad_frame_and_no_more_than_asked(film):
    arguments = film(([3, 12, 20], miss))
    heights = [worst_page(*arguments, count=count).shape[0] for count in (1, 2, 5)]
    assert heights[1] > heights[0] and 2 * (heights[1] - heights[0]) == heights[2] - heights[0]


def test_outlines_of_the_truth_are_white_wherever_the_prediction_is(film):
    page = worst_page(*film(([12], lambda labels: np.zeros_like(labels))))
    assert (page[120:, 40:] >= 250).all(-1).sum() > 500


def test_a_sequence_without_errors_has_no_sheet(film):
    with pytest.raises(OptionError, match="no frame of sequence film is wrong"):
        worst_page(*film())


def test_a_mask_that_has_gone_is_an_error(film):
    video, score, masks, protocol = film(([12], miss))
    (masks / "film" / "00012.png").unlink()
    with pytest.raises(OptionError, match="frame 00012 of sequence film is not in"):
        worst_page(video, score, masks, protocol)
