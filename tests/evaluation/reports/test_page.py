from __future__ import annotations

import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from devos.data.catalog import find_masks, find_videos, read_labels
from devos.evaluation.benchmark import evaluate
from devos.evaluation.measures.stability import StabilityScore
from devos.evaluation.measures.swaps import sequence_swaps
from devos.evaluation.predictors import SavedMasks
from devos.evaluation.reports import page, panels
from devos.evaluation.reports.page import render_page
from devos.evaluation.reports.rows import Evaluation
from devos.evaluation.reports.worst import find_lapses
from devos.evaluation.rules.protocols import Protocol

VOID_TAGS = {"meta", "img", "br", "path"}


class Page(HTMLParser):
    """What a page is made of; AssertionError where a tag is not closed in its turn."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(html)
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.tags[tag] += 1
        self.attributes.append((tag, dict(attrs)))
        if tag not in VOID_TAGS or tag == "path":
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags[tag] += 1
        self.attributes.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if self._open and self._open[-1] not in ("style", "script"):
            self.text += data

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.attributes if name == tag]


@pytest.fixture(autouse=True)
def _small_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Quick to make."""
    monkeypatch.setattr(panels, "WIDTH_PX", 64)


@pytest.fixture
def evaluation(video_root: Path, tmp_path: Path) -> Evaluation:
    """Two sequences of two objects that exchange their ids on frames 5 to 7 of the first, and one of them lost on 9."""
    return evaluation_of(video_root, tmp_path / "predicted")


def evaluation_of(root: Path, predicted: Path, *, pictures: bool = True, **settings) -> Evaluation:
    videos = find_videos(root) if pictures else find_masks(root / "Annotations" / "480p")
    for number, video in enumerate(videos):
        for index, path in enumerate(video.masks):
            labels = read_labels(path)
            if number == 0 and index in (5, 6, 7):
                labels = np.choose(np.minimum(labels, 3), [0, 2, 1, 0])
            if number == 0 and index == 9:
                labels = np.where(labels == 1, 0, labels)
            target = predicted / video.name / f"{video.stems[index]}.png"
            target.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.where(labels == 255, 0, labels).astype(np.uint8)).save(target)
    saved = SavedMasks(predicted)
    scores = evaluate(videos, saved, Protocol.DAVIS2017, workers=1)
    by_name = {video.name: video for video in videos}
    defaults = {
        "run": {"method": "made", "settings": {"size": 480, "scales": [1, 1.5]}, "means": {"jf": 0.123}},
        "swaps": {video.name: sequence_swaps(video, saved(video), Protocol.DAVIS2017) for video in videos},
        "lapses": {
            score.name: find_lapses(score, by_name[score.name], predicted, scores.protocol)
            for score in scores.sequences
        },
    }
    return Evaluation(scores, by_name, predicted, **{**defaults, **settings})


def test_the_page_is_whole_and_needs_nothing_from_elsewhere(evaluation):
    html = render_page(evaluation)
    made = Page(html)
    links = [attributes.get(name) for _, attributes in made.attributes for name in ("src", "href")]
    assert all(link.startswith(("#", "data:image/webp;base64,")) for link in links if link is not None)
    assert not re.search(r"https?://|@import|url\(", re.sub(r"base64,[\w+/=]+", "", html))
    assert not made.tags.keys() & {"link", "iframe", "object"}


def test_the_headline_the_settings_and_every_object_are_told(evaluation):
    text = Page(render_page(evaluation)).text
    means = evaluation.scores.means
    for figure in (means.jf, means.j, means.f):
        assert f"{100 * figure:.1f}" in text
    assert "settings.size480" in re.sub(r"\s", "", text)
    assert "1, 1.5" in text
    assert "12.3" not in text
    assert text.count("Object 1") == text.count("Object 2") == 2


def test_what_went_wrong_is_said_in_words(evaluation):
    text = re.sub(r"\s+", " ", Page(render_page(evaluation)).text)
    assert "lost, nothing predicted, on 1 frame: 00009" in text
    assert "predicted only where it is not on 3 frames: 00005\N{EN DASH}00007" in text
    assert "swapped once, first on frame 00005, to id 2; under a wrong id on 3 of 10 frames" in text
    assert "10 of 12 frames are scored; the first and the last true mask are not scored: 00000, 00011." in text


def test_each_worst_frame_has_four_pictures_with_their_words(evaluation):
    images = Page(render_page(evaluation)).of("img")
    worst = [f"{t}: frame 0000{n} of ant" for n in (5, 7, 9) for t in ("Picture", "Truth", "Prediction", "Errors")]
    assert [image["alt"].replace(" (enlarged)", "") for image in images] == worst


def test_a_perfect_sequence_has_no_worst_frame(evaluation):
    assert "None: every scored frame is perfect." in Page(render_page(evaluation)).text


def test_tables_and_charts_can_be_read_aloud(evaluation):
    made = Page(render_page(evaluation))
    assert all(head["scope"] in ("row", "col") for head in made.of("th"))
    charts = made.of("svg")
    assert len(charts) == 4
    assert all(chart["role"] == "img" for chart in charts)
    told = "J and F of object 1 of ant from frame 00000 to 00011: J from 0.0 to 100.0"
    assert charts[0]["aria-label"].startswith(told)
    assert made.tags["title"] == 1 + 4 * 10


def test_the_worst_sequence_comes_first_in_full_and_last_in_no_table(evaluation):
    made = Page(render_page(evaluation))
    assert [article["id"] for article in made.of("article")] == ["sequence-1", "sequence-2"]
    flipped = Evaluation(
        type(evaluation.scores)(evaluation.scores.protocol, evaluation.scores.sequences[::-1]), evaluation.videos
    )
    assert [article["id"] for article in Page(render_page(flipped)).of("article")] == ["sequence-2", "sequence-1"]


def test_with_many_sequences_only_the_worst_are_shown_in_full_and_the_page_says_so(evaluation, monkeypatch):
    monkeypatch.setattr(page, "MOST_SEQUENCES", 1)
    made = Page(render_page(evaluation))
    assert [article["id"] for article in made.of("article")] == ["sequence-1"]
    assert "Only the 1 sequences" not in made.text
    assert "Only the sequence with the lowest J&F, of 2, is shown here" in re.sub(r"\s+", " ", made.text)
    assert made.text.count("bee") == 3


def test_a_name_with_markup_in_it_stays_a_name(video_root, tmp_path):
    odd = "<script>alert(1)&'\""
    for kind in ("JPEGImages", "Annotations"):
        (video_root / kind / "480p" / "ant").rename(video_root / kind / "480p" / odd)
    made = Page(render_page(evaluation_of(video_root, tmp_path / "predicted", run={"method": odd})))
    assert made.tags["script"] == 1
    assert odd in made.text


def test_without_pictures_masks_are_shown_alone(video_root, tmp_path):
    images = Page(render_page(evaluation_of(video_root, tmp_path / "predicted", pictures=False))).of("img")
    assert [image["alt"].split(":")[0].split()[0] for image in images[:3]] == ["Truth", "Prediction", "Errors"]


def test_without_the_predicted_masks_the_page_says_so_and_shows_the_truth(evaluation):
    alone = Evaluation(evaluation.scores, evaluation.videos)
    made = Page(render_page(alone))
    assert "The predicted masks were not kept" in made.text
    assert {image["alt"].split(":")[0].split()[0] for image in made.of("img")} == {"Picture", "Truth"}
    assert "Lost" not in made.text
    assert "Swaps" not in made.text


def test_stability_is_told_as_its_difference_from_the_truth(video_root, tmp_path):
    steady = {"ant": {1: StabilityScore(predicted=0.8, truth=0.9, pairs=8, trusted=1.0)}}
    made = Page(render_page(evaluation_of(video_root, tmp_path / "predicted", stability=steady)))
    assert "Stability against truth\N{MINUS SIGN}10.0" in made.text
    assert any(cell.get("title") == "predicted 80.0, true 90.0, 8 pairs of frames" for cell in made.of("td"))


def test_a_page_without_its_pictures_stays_small(evaluation):
    html = render_page(evaluation)
    assert len(re.sub(r"base64,[\w+/=]+", "", html)) < 40_000


def test_frames_are_named_as_stretches_of_those_that_are_scored():
    names = [f"{index:02d}" for index in range(60)]
    every_fifth = range(0, 60, 5)
    assert page._spans([5, 10, 15, 30], every_fifth, names) == "05\N{EN DASH}15, 30"
    assert page._spans([5, 10, 15], range(60), names) == "05, 10, 15"
    assert page._spans(range(0, 60, 2), range(60), names) == "00, 02, 04, 06, 08, 10, and 24 more stretches"
