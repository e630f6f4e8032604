from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from devos.data.catalog import VideoInfo, find_masks
from devos.errors import MaskError
from devos.evaluation.benchmark import evaluate
from devos.evaluation.predictors import SavedMasks
from devos.evaluation.scoring import Protocol, choose_protocol, score_sequence


def write_video(folder: Path, label_maps: list[np.ndarray]) -> VideoInfo:
    folder.mkdir(parents=True)
    for index, labels in enumerate(label_maps):
        Image.fromarray(labels.astype(np.uint8)).save(folder / f"{index:05d}.png")
    return find_masks(folder)[0]


def square(value: int, left: int = 4) -> np.ndarray:
    labels = np.zeros((20, 30), np.uint16)
    labels[5:15, left : left + 10] = value
    return labels


def test_a_predicted_id_that_the_truth_never_has_is_ignored_and_named(golden_masks):
    folder = golden_masks / "c11_extra_id"
    scores = evaluate(find_masks(folder / "gt"), SavedMasks(folder / "pred"), Protocol.DAVIS2017, workers=1)
    assert list(scores.sequences[0].objects) == [1, 2]
    assert scores.sequences[0].notes == ("extra: predicted ids 4 are not among the scored objects and were ignored",)


def test_an_object_that_comes_later_with_a_higher_id_is_not_scored_and_named(golden_masks):
    folder = golden_masks / "c09_late_high"
    scores = {
        score.name: score
        for score in evaluate(
            find_masks(folder / "gt"), SavedMasks(folder / "pred"), Protocol.DAVIS2017, workers=1
        ).sequences
    }
    assert list(scores["late5"].objects) == [1, 2]
    assert "late5: object ids 5 come after the first frame and are not scored" in scores["late5"].notes


def test_a_gap_in_the_ids_is_scored_as_officially_and_named(golden_masks):
    folder = golden_masks / "c07_idgaps"
    scores = evaluate(find_masks(folder / "gt"), SavedMasks(folder / "pred"), Protocol.DAVIS2017, workers=1)
    notes = [note for score in scores.sequences for note in score.notes]
    assert "g137: object ids 2, 4, 5, 6 are on no true mask but are scored, as the official program does" in notes


def test_masks_of_0_and_255_have_no_object_under_davis2017(tmp_path):
    video = write_video(tmp_path / "clip", [square(255)] * 4)
    with pytest.raises(MaskError, match=r"clip has no object under davis2017.*--protocol davis2016"):
        score_sequence(video, [square(1)] * 4, Protocol.DAVIS2017)


def test_a_sequence_of_two_frames_cannot_be_scored(tmp_path):
    video = write_video(tmp_path / "clip", [square(1)] * 2)
    with pytest.raises(MaskError, match="clip has 2 frames with a true mask; none is left to score"):
        score_sequence(video, [square(1)] * 2, Protocol.DAVIS2017)


def test_the_first_and_the_last_frame_do_not_count(tmp_path):
    video = write_video(tmp_path / "clip", [square(1)] * 4)
    nothing = np.zeros((20, 30), np.uint16)
    score = score_sequence(video, [nothing, square(1), square(1), nothing], Protocol.DAVIS2017)
    assert score.objects[1].region.mean == 1.0


def test_a_prediction_of_another_size_is_refused_with_both_sizes(tmp_path):
    video = write_video(tmp_path / "clip", [square(1)] * 3)
    with pytest.raises(MaskError, match="frame 00001 of sequence clip is 20x30 pixels, but the true one is 30x20"):
        score_sequence(video, [square(1).T] * 3, Protocol.DAVIS2017)


def test_a_frame_without_a_true_mask_is_named(tmp_path):
    video = write_video(tmp_path / "clip", [square(1)] * 4)
    frames = tuple(path for path in video.masks if path is not None)
    gappy = VideoInfo("clip", frames, (*video.masks[:2], None, video.masks[3]))
    with pytest.raises(MaskError, match="frame 00002 of sequence clip has no true mask"):
        score_sequence(gappy, [square(1)] * 4, Protocol.DAVIS2017)


def test_too_few_predictions_are_our_own_mistake(tmp_path):
    video = write_video(tmp_path / "clip", [square(1)] * 4)
    with pytest.raises(ValueError, match="expected 4 predicted label maps"):
        score_sequence(video, [square(1)] * 3, Protocol.DAVIS2017)


@pytest.mark.parametrize(
    ("values", "protocol"),
    [((255, 255), Protocol.DAVIS2016), ((1, 255), Protocol.DAVIS2017), ((1, 1), Protocol.DAVIS2017)],
)
def test_masks_of_0_and_255_alone_mean_davis2016(tmp_path, values, protocol):
    videos = [write_video(tmp_path / str(index), [square(value)] * 3) for index, value in enumerate(values)]
    assert choose_protocol(videos) is protocol
