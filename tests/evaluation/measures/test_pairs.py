from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from devos.data.catalog import VideoInfo, find_masks
from devos.errors import MaskError
from devos.evaluation.measures.pairs import counted, label_pairs, saved_pair
from devos.evaluation.rules.protocols import Protocol

TRUTH = np.array([[0, 1, 2, 255]], np.uint16)
PREDICTED = np.array([[3, 1, 0, 2]], np.uint16)


@pytest.mark.parametrize(
    ("protocol", "truth", "predicted"),
    [
        (Protocol.DAVIS2016, [0, 1, 1, 1], [1, 1, 0, 1]),
        (Protocol.DAVIS2017, [0, 1, 2, 0], [3, 1, 0, 2]),
        (Protocol.DAVIS2017_UNSUPERVISED, [0, 1, 2, 0], [3, 1, 0, 0]),
        (Protocol.VOS_BENCHMARK, [0, 1, 2, 255], [3, 1, 0, 2]),
    ],
)
def test_what_counts_is_what_the_protocol_says_of_void_and_of_values(protocol, truth, predicted):
    counts = counted(TRUTH, PREDICTED, protocol)
    assert [labels[0].tolist() for labels in counts] == [truth, predicted]


def test_matched_ids_become_the_objects_own_and_others_background():
    _, predicted = counted(TRUTH, PREDICTED, Protocol.DAVIS2017_UNSUPERVISED, {1: 3, 2: 9})
    assert predicted[0].tolist() == [1, 0, 0, 0]


@pytest.fixture
def video(tmp_path: Path) -> VideoInfo:
    home = tmp_path / "truth" / "ant"
    home.mkdir(parents=True)
    for index in range(4):
        Image.fromarray(TRUTH.astype(np.uint8)).save(home / f"{index:05d}.png")
    return find_masks(tmp_path / "truth")[0]


def test_the_given_and_the_last_frame_and_frames_without_a_true_mask_are_left_out(video):
    sparse = VideoInfo("ant", video.masks, (*video.masks[:2], None, video.masks[3]))
    frames = [pair.frame for pair in label_pairs(sparse, [PREDICTED] * 4, Protocol.DAVIS2017)]
    assert frames == [1]


def test_a_saved_mask_is_found_in_its_sequence_s_folder_or_in_a_lone_one_s(video, tmp_path):
    home = tmp_path / "out" / "ant"
    home.mkdir(parents=True)
    Image.fromarray(PREDICTED.astype(np.uint8)).save(home / "00002.png")
    for folder in (home.parent, home):
        assert saved_pair(video, folder, 2, Protocol.DAVIS2017)[1].tolist() == PREDICTED.tolist()
        assert saved_pair(video, folder, 1, Protocol.DAVIS2017)[1] is None
    assert saved_pair(video, None, 2, Protocol.DAVIS2017)[0].tolist() == [[0, 1, 2, 0]]


def test_a_saved_mask_of_another_size_is_named(video, tmp_path):
    Image.fromarray(np.zeros((3, 3), np.uint8)).save(tmp_path / "00002.png")
    with pytest.raises(MaskError, match=r"00002\.png is 3x3 pixels, but the true one is 4x1"):
        saved_pair(video, tmp_path, 2, Protocol.DAVIS2017)
