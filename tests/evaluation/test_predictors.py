from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from devos.data.catalog import VideoInfo, find_videos, read_labels
from devos.errors import MaskError, OutputError, VideoError
from devos.evaluation.predictors import CopyFirst, FlowWarp, ModelPredictor, SavedMasks, saving
from devos.evaluation.scoring import Protocol, score_sequence

NUM_FRAMES = 5
STEP_PX = 3


def write_sliding_square(root: Path, height: int, width: int) -> VideoInfo:
    """A textured square that slides to the right over a textured ground, in DAVIS's layout."""
    chance = np.random.default_rng(0)
    ground, thing = (chance.integers(0, 255, (height // 4, width // 4, 3), np.uint8) for _ in range(2))
    ground, thing = (
        np.asarray(Image.fromarray(part).resize((width, height), Image.Resampling.BICUBIC)) for part in (ground, thing)
    )
    (root / "JPEGImages" / "clip").mkdir(parents=True)
    (root / "Annotations" / "clip").mkdir(parents=True)
    for index in range(NUM_FRAMES):
        left = 20 + STEP_PX * index
        picture, labels = ground.copy(), np.zeros((height, width), np.uint8)
        picture[30:70, left : left + 40] = thing[:40, :40]
        labels[30:70, left : left + 40] = 7
        Image.fromarray(picture).save(root / "JPEGImages" / "clip" / f"{index:05d}.png")
        Image.fromarray(labels).save(root / "Annotations" / "clip" / f"{index:05d}.png")
    return find_videos(root)[0]


@pytest.fixture
def video(tmp_path: Path) -> VideoInfo:
    return write_sliding_square(tmp_path / "data", 96, 128)


def test_copying_the_first_mask_gives_it_for_every_frame(video):
    maps = list(CopyFirst(Protocol.DAVIS2017)(video))
    assert len(maps) == NUM_FRAMES
    assert all(np.array_equal(labels, read_labels(video.masks[0])) for labels in maps)


def test_under_davis2016_a_method_is_given_0_and_1(video):
    labels = next(CopyFirst(Protocol.DAVIS2016)(video))
    assert set(np.unique(labels)) == {0, 1}


@pytest.mark.parametrize("size", [(96, 128), (97, 129)])
def test_flow_moves_the_mask_with_its_object_at_even_and_odd_sizes(tmp_path, size):
    video = write_sliding_square(tmp_path, *size)
    moved = score_sequence(video, FlowWarp(Protocol.DAVIS2017)(video), Protocol.DAVIS2017).objects[7]
    copied = score_sequence(video, CopyFirst(Protocol.DAVIS2017)(video), Protocol.DAVIS2017).objects[7]
    assert moved.region.mean > copied.region.mean + 0.05


def test_pictures_are_asked_for_where_flow_needs_them(video):
    with pytest.raises(VideoError, match="pictures of sequence clip are not known"):
        list(FlowWarp(Protocol.DAVIS2017)(VideoInfo("clip", (), video.masks)))


def test_a_model_is_given_the_first_mask_and_no_other(video):
    given = []

    class Session:
        def step(self, picture, masks):
            given.append(masks)
            return SimpleNamespace(labels=np.zeros(picture.shape[:2], np.uint16))

    predictor = ModelPredictor(SimpleNamespace(session=Session), Protocol.DAVIS2017)
    assert len(list(predictor(video))) == NUM_FRAMES
    assert np.array_equal(given[0], read_labels(video.masks[0]))
    assert given[1:] == [None] * (NUM_FRAMES - 1)


def test_saved_masks_are_found_again_and_score_the_same(video, tmp_path):
    predictor = FlowWarp(Protocol.DAVIS2017)
    written = score_sequence(video, saving(predictor, tmp_path / "out")(video), Protocol.DAVIS2017)
    assert (tmp_path / "out" / "clip" / "00004.png").is_file()
    assert score_sequence(video, SavedMasks(tmp_path / "out")(video), Protocol.DAVIS2017) == written


def test_a_folder_with_something_in_it_is_not_written_to(video, tmp_path):
    with pytest.raises(OutputError, match="is not an empty folder"):
        saving(CopyFirst(Protocol.DAVIS2017), tmp_path / "data")


def test_a_missing_prediction_is_named_but_the_first_and_last_may_be_missing(video, tmp_path):
    home = tmp_path / "out" / "clip"
    list(saving(CopyFirst(Protocol.DAVIS2017), tmp_path / "out")(video))
    (home / "00000.png").unlink()
    (home / "00004.png").unlink()
    score_sequence(video, SavedMasks(tmp_path / "out")(video), Protocol.DAVIS2017)
    (home / "00002.png").unlink()
    with pytest.raises(MaskError, match=r"00002\.png is missing; every frame of sequence clip"):
        score_sequence(video, SavedMasks(tmp_path / "out")(video), Protocol.DAVIS2017)


def test_one_sequence_of_masks_may_lie_directly_in_the_folder(video, tmp_path):
    list(saving(CopyFirst(Protocol.DAVIS2017), tmp_path / "out")(video))
    assert len(list(SavedMasks(tmp_path / "out" / "clip")(video))) == NUM_FRAMES


def test_each_video_is_looked_at_in_the_size_that_its_given_masks_ask_for(video, monkeypatch):
    asked = []

    class Network:
        def with_settings(self, **settings):
            asked.append(settings)
            return self

        def session(self):
            nothing = SimpleNamespace(labels=np.zeros((1, 1), np.uint16))
            return SimpleNamespace(step=lambda picture, masks: nothing)

    monkeypatch.setattr("devos.evaluation.predictors.choose_size", lambda areas, frame: (areas, tuple(frame)))
    list(ModelPredictor(Network(), Protocol.DAVIS2017, auto_size=True)(video))
    first = read_labels(video.masks[0])
    areas = {int(i): int(np.count_nonzero(first == i)) for i in np.unique(first) if i}
    assert asked == [{"size": (areas, first.shape)}] and areas
