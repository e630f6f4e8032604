from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from devos.data.catalog import VideoInfo, find_videos, read_labels
from devos.errors import VideoError
from devos.evaluation.measures.stability import temporal_stability, trusted_flow
from devos.evaluation.scoring import Protocol
from devos.flow.estimator import FlowPair, GivenFlow, NoFlow

STEP_PX = 4
NUM_FRAMES = 7


def texture(seed: int, height: int, width: int) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 256, (height // 12 + 1, width // 12 + 1, 3), np.uint8)
    return cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)


def sliding_box(root: Path, height: int = 96, width: int = 128, ids: tuple[int, ...] = (1,)) -> VideoInfo:
    """A textured box that slides right over a textured ground; boxes of further ids below it stand still."""
    for index in range(NUM_FRAMES):
        picture, labels = texture(0, height, width) // 2, np.zeros((height, width), np.uint8)
        left = 20 + STEP_PX * index
        picture[20:52, left : left + 40] = texture(1, 40, 40)[:32] // 2 + 127
        labels[20:52, left : left + 40] = ids[0]
        for row, object_id in enumerate(ids[1:]):
            labels[60 + 10 * row : 68 + 10 * row, 20:60] = object_id
        for kind, content in (("JPEGImages", picture), ("Annotations", labels)):
            path = root / kind / "clip" / f"{index:05d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(content).save(path)
    return find_videos(root)[0]


def true_maps(video: VideoInfo) -> list[np.ndarray]:
    return [read_labels(path) for path in video.masks]


@pytest.mark.parametrize(("height", "width"), [(96, 128), (97, 129)])
def test_a_mask_that_moves_with_the_picture_is_stable_at_even_and_odd_sizes(tmp_path, height, width):
    video = sliding_box(tmp_path, height, width)
    score = temporal_stability(video, true_maps(video), Protocol.DAVIS2017)[1]
    assert score.truth > 0.95
    assert score.difference == 0
    assert score.pairs == NUM_FRAMES - 3


def test_a_mask_that_flickers_is_less_stable_than_the_truth(tmp_path):
    video = sliding_box(tmp_path)
    maps = true_maps(video)
    flickering = [cv2.erode(labels, np.ones((7, 7))) if index % 2 else labels for index, labels in enumerate(maps)]
    score = temporal_stability(video, flickering, Protocol.DAVIS2017)[1]
    assert score.difference < -0.15
    steadily_small = [cv2.erode(labels, np.ones((7, 7))) for labels in maps]
    assert temporal_stability(video, steadily_small, Protocol.DAVIS2017)[1].difference > -0.05


def test_a_mask_that_does_not_move_with_its_object_is_less_stable(tmp_path):
    video = sliding_box(tmp_path)
    still = temporal_stability(video, [true_maps(video)[3]] * NUM_FRAMES, Protocol.DAVIS2017)[1]
    assert still.difference < -0.03


def test_without_any_flow_the_figures_are_those_of_the_bare_masks(tmp_path):
    video = sliding_box(tmp_path)
    still = [true_maps(video)[0]] * NUM_FRAMES
    score = temporal_stability(video, still, Protocol.DAVIS2017, flow=NoFlow())[1]
    assert score.predicted == 1
    assert score.truth == pytest.approx((40 - STEP_PX) / (40 + STEP_PX))


def test_an_object_that_is_lost_throughout_has_no_figure_and_the_others_keep_theirs(tmp_path):
    video = sliding_box(tmp_path, ids=(1, 2))
    lost = [np.where(labels == 2, np.uint16(0), labels) for labels in true_maps(video)]
    assert list(temporal_stability(video, true_maps(video), Protocol.DAVIS2017)) == [1, 2]
    assert list(temporal_stability(video, lost, Protocol.DAVIS2017)) == [1]


def test_pairs_on_which_the_object_is_lost_do_not_count_and_its_return_costs_one_pair(tmp_path):
    video = sliding_box(tmp_path, ids=(1, 2))
    maps = true_maps(video)
    for index in (1, 2, 3):
        maps[index] = np.where(maps[index] == 2, np.uint16(0), maps[index])
    score = temporal_stability(video, maps, Protocol.DAVIS2017, flow=NoFlow())[2]
    assert score.pairs == 2
    assert score.predicted == 0.5
    assert score.truth == 1


def test_under_davis2016_every_value_is_the_one_object(tmp_path):
    video = sliding_box(tmp_path, ids=(255,))
    assert list(temporal_stability(video, true_maps(video), Protocol.DAVIS2016)) == [1]
    assert temporal_stability(video, true_maps(video), Protocol.DAVIS2017) == {}


def test_what_is_uncovered_or_comes_from_outside_is_not_trusted_and_the_rest_is():
    """Exact flow of a box that moves right by 8 pixels over a still ground, and of a ground that moves left by 6."""
    box_was, box_is = (slice(10, 30), slice(10, 30)), (slice(10, 30), slice(14, 34))
    to_prev, to_curr = np.zeros((2, 2, 40, 50), np.float32)
    to_prev[0][box_is], to_curr[0][box_was] = -8, 8
    picture = np.zeros((80, 100, 3), np.uint8)
    _, trusted = trusted_flow(GivenFlow(lambda *_: FlowPair(to_prev, to_curr)), picture, picture)
    assert trusted[22:58, 30:66].all()
    assert not trusted[22:58, 21:27].any()
    assert trusted[:, :18].all()
    assert trusted[:, 70:].all()
    to_prev, to_curr = np.zeros((2, 2, 40, 50), np.float32)
    to_prev[0], to_curr[0] = 6, -6
    _, trusted = trusted_flow(GivenFlow(lambda *_: FlowPair(to_prev, to_curr)), picture, picture)
    assert trusted[:, :94].all()
    assert not trusted[:, 94:].any()


def test_the_share_of_the_object_that_could_be_judged_is_told(tmp_path):
    video = sliding_box(tmp_path)
    assert temporal_stability(video, true_maps(video), Protocol.DAVIS2017, flow=NoFlow())[1].trusted == 1
    assert 0.5 < temporal_stability(video, true_maps(video), Protocol.DAVIS2017)[1].trusted < 1


def test_pictures_are_asked_for(tmp_path):
    video = sliding_box(tmp_path)
    with pytest.raises(VideoError, match="pictures of sequence clip are not known"):
        temporal_stability(VideoInfo("clip", (), video.masks), true_maps(video), Protocol.DAVIS2017)


def test_pictures_of_another_size_than_the_masks_are_named(tmp_path):
    video = sliding_box(tmp_path)
    Image.fromarray(np.zeros((10, 12, 3), np.uint8)).save(video.frames[2])
    with pytest.raises(VideoError, match=r"00002\.png is 12x10, but its true mask is 128x96"):
        temporal_stability(video, true_maps(video), Protocol.DAVIS2017)
