from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from devos.data.catalog import VideoInfo, find_masks
from devos.evaluation.measures.metrics import Statistics
from devos.evaluation.predictors import SavedMasks
from devos.evaluation.reports.worst import Lapses, find_lapses, frame_values, worst_frames
from devos.evaluation.rules.protocols import Protocol
from devos.evaluation.rules.quality import ObjectQuality, SequenceScore
from devos.evaluation.scoring import score_sequence


def quality(values: list[float], first: int = 1, step: int = 1) -> ObjectQuality:
    """J and F alike, on every `step`-th frame from `first`."""
    frames = tuple(range(first, first + step * len(values), step))
    return ObjectQuality(frames, Statistics.of(values), Statistics.of(values))


def sequence(*objects: ObjectQuality) -> SequenceScore:
    return SequenceScore("ant", dict(enumerate(objects, start=1)))


def test_a_frame_s_value_is_the_mean_over_the_objects_that_are_evaluated_on_it():
    values = frame_values(sequence(quality([0.2, 0.4, 0.6]), quality([0.8, 1.0], first=2)))
    assert values == pytest.approx({1: 0.2, 2: 0.6, 3: 0.8})


def test_the_worst_frames_are_not_neighbours():
    values = [0.9] * 30
    values[10:15] = [0.3, 0.2, 0.1, 0.2, 0.3]
    values[25] = 0.8
    assert worst_frames(sequence(quality(values)), count=2) == [13, 26]


def test_frames_that_are_evaluated_now_and_then_are_apart_in_evaluated_frames():
    values = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
    assert worst_frames(sequence(quality(values, first=5, step=5)), count=1) == [5]
    assert worst_frames(sequence(quality(values, first=5, step=5)), count=3) == [5, 15, 25]
    assert worst_frames(sequence(quality([*values, 0.7, 0.8], first=5, step=5)), count=2) == [5, 15]


def test_a_perfect_frame_is_never_among_the_worst():
    assert worst_frames(sequence(quality([1.0, 0.9, 1.0, 1.0]))) == [2]
    assert worst_frames(sequence(quality([1.0] * 4))) == []


def write(folder: Path, maps: list[np.ndarray]) -> None:
    folder.mkdir(parents=True)
    for index, labels in enumerate(maps):
        Image.fromarray(labels).save(folder / f"{index:05d}.png")


def frame(*boxes: tuple[int, int]) -> np.ndarray:
    """Boxes of 6 x 6 pixels: id, left."""
    labels = np.zeros((10, 40), np.uint8)
    for object_id, left in boxes:
        labels[2:8, left : left + 6] = object_id
    return labels


@pytest.fixture
def video(tmp_path: Path) -> VideoInfo:
    """Object 1 is always there, object 2 not on frame 4."""
    both = frame((1, 2), (2, 20))
    write(tmp_path / "truth" / "ant", [both, both, both, both, frame((1, 2)), both, both])
    return find_masks(tmp_path / "truth")[0]


def lapses_of(video: VideoInfo, folder: Path, protocol: Protocol = Protocol.DAVIS2017) -> dict[int, Lapses]:
    score = score_sequence(video, SavedMasks(folder)(video), protocol)
    return find_lapses(score, video, folder, protocol)


@pytest.mark.parametrize("protocol", [Protocol.DAVIS2017, Protocol.MOSE2])
def test_lapses_are_told_apart_by_what_was_predicted(video, tmp_path, protocol):
    right, swapped = frame((1, 2), (2, 20)), frame((1, 20), (2, 2))
    write(tmp_path / "out" / "ant", [right, right, frame((1, 2)), swapped, right, right, right])
    lapses = lapses_of(video, tmp_path / "out", protocol)
    assert lapses == {1: Lapses(elsewhere=(3,)), 2: Lapses(lost=(2,), elsewhere=(3,), invented=(4,))}


def test_a_poor_overlap_is_no_lapse_and_a_good_sequence_has_none(video, tmp_path):
    write(tmp_path / "out" / "ant", [frame((1, 6), (2, 24))] * 4 + [frame((1, 6))] + [frame((1, 6), (2, 24))] * 2)
    assert lapses_of(video, tmp_path / "out") == {}


def test_matched_ids_are_followed_by_the_object_they_stand_for(video, tmp_path):
    """Ids 7 and 8 are proposals; 8, which is object 2, is lost on frame 5."""
    both = frame((7, 2), (8, 20))
    write(tmp_path / "out" / "ant", [both, both, both, both, frame((7, 2)), frame((7, 2)), both])
    assert lapses_of(video, tmp_path / "out", Protocol.DAVIS2017_UNSUPERVISED) == {2: Lapses(lost=(5,))}
