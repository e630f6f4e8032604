from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from devos.data.catalog import VideoInfo, find_masks
from devos.errors import MaskError
from devos.evaluation.benchmark import evaluate
from devos.evaluation.predictors import CopyFirst, SavedMasks
from devos.evaluation.rules.meta import FrameRange, Meta, ObjectMeta
from devos.evaluation.rules.protocols import Protocol
from devos.evaluation.scoring import given_labels, score_sequence

NOTHING = np.zeros((60, 80), np.uint16)


def boxes(**tops: int) -> np.ndarray:
    """A map with a box for each id: boxes(_1=4, _3=20) has object 1 from row 4 on and object 3 from row 20 on."""
    labels = NOTHING.copy()
    for name, top in tops.items():
        labels[top : top + 8, 10:24] = int(name[1:])
    return labels


def write(folder: Path, label_maps: list[np.ndarray], first: int = 0, step: int = 1) -> VideoInfo:
    folder.mkdir(parents=True)
    for index, labels in enumerate(label_maps):
        Image.fromarray(labels.astype(np.uint8)).save(folder / f"{first + step * index:05d}.png")
    return find_masks(folder)[0]


def sparse(video: VideoInfo, *gaps: int) -> VideoInfo:
    """The same video without the true masks of some frames."""
    pictures = tuple(path for path in video.masks if path is not None)
    return VideoInfo(video.name, pictures, tuple(None if i in gaps else path for i, path in enumerate(video.masks)))


def test_youtube_scores_each_object_from_the_frame_after_its_first(tmp_path):
    video = write(tmp_path / "clip", [boxes(_1=2)] * 2 + [boxes(_1=2, _2=20)] * 3)
    score = score_sequence(video, [boxes(_1=2)] * 5, Protocol.YOUTUBE_VOS)
    assert {object_id: quality.frames for object_id, quality in score.objects.items()} == {1: (1, 2, 3, 4), 2: (3, 4)}
    assert score.objects[2].region.values == (0.0, 0.0)
    assert score.skipped == {"the first true mask is given": (0,)}
    assert score.notes == ("clip: object ids 2 are in no predicted mask",)


@pytest.mark.parametrize("protocol", [Protocol.YOUTUBE_VOS, Protocol.VOS_BENCHMARK, Protocol.LVOS])
def test_only_frames_with_a_true_mask_are_scored_and_the_others_are_told(tmp_path, protocol):
    video = sparse(write(tmp_path / "clip", [boxes(_1=2)] * 9), 1, 2, 4, 5, 7)
    score = score_sequence(video, [boxes(_1=2)] * 9, protocol)
    assert score.objects[1].frames == ((3, 6, 8) if protocol is Protocol.YOUTUBE_VOS else (3, 6))
    assert score.skipped["frames without a true mask are not scored"] == (1, 2, 4, 5, 7)


@pytest.mark.parametrize("protocol", [Protocol.DAVIS2017, Protocol.DAVIS2016, Protocol.MOSE, Protocol.MOSE2])
def test_where_every_frame_must_have_a_true_mask_a_gap_is_an_error(tmp_path, protocol):
    video = sparse(write(tmp_path / "clip", [boxes(_1=2)] * 5), 2)
    with pytest.raises(MaskError, match="frame 00002 of sequence clip has no true mask"):
        score_sequence(video, [boxes(_1=2)] * 5, protocol)


def test_saved_masks_are_needed_just_where_they_are_scored(tmp_path):
    video = sparse(write(tmp_path / "gt" / "clip", [boxes(_1=2)] * 7), 1, 2, 4, 5)
    write(tmp_path / "pred" / "clip", [boxes(_1=2)] * 2, first=3, step=3)
    scores = evaluate([video], SavedMasks(tmp_path / "pred"), Protocol.YOUTUBE_VOS, workers=1)
    assert scores.sequences[0].objects[1].frames == (3, 6)
    (tmp_path / "pred" / "clip" / "00006.png").unlink()
    with pytest.raises(MaskError, match=r"00006\.png is missing"):
        evaluate([video], SavedMasks(tmp_path / "pred"), Protocol.YOUTUBE_VOS, workers=1)


def test_an_object_that_is_never_scored_is_left_out_and_named(tmp_path):
    video = write(tmp_path / "clip", [boxes(_1=2)] * 3 + [boxes(_1=2, _2=20)])
    score = score_sequence(video, [boxes(_1=2)] * 4, Protocol.YOUTUBE_VOS)
    assert list(score.objects) == [1]
    assert score.notes == ("clip: object ids 2 come after the first frame and are not scored",)


def test_g_is_the_mean_of_j_and_f_of_seen_and_of_unseen_objects(tmp_path):
    video = write(tmp_path / "gt" / "clip", [boxes(_1=2, _2=12, _3=22)] * 4)
    write(tmp_path / "pred" / "clip", [boxes(_1=2, _2=13, _3=25)] * 4)
    meta = Meta(
        {"clip": {1: ObjectMeta("ape"), 2: ObjectMeta("ape"), 3: ObjectMeta("yak")}},
        unseen_categories=frozenset(["yak"]),
    )
    scores = evaluate([video], SavedMasks(tmp_path / "pred"), Protocol.YOUTUBE_VOS, meta=meta, workers=1)
    one, two, three = scores.objects
    assert [quality.seen for quality in scores.objects] == [True, True, False]
    assert scores.extras["J seen"] == pytest.approx((one.region.mean + two.region.mean) / 2)
    assert scores.extras["F unseen"] == pytest.approx(three.boundary.mean)
    four = [scores.extras[name] for name in ("J seen", "J unseen", "F seen", "F unseen")]
    assert len(set(four)) >= 3
    assert scores.extras["G"] == pytest.approx(sum(four) / 4) == pytest.approx(scores.means.jf)


def test_without_knowledge_of_classes_every_object_weighs_the_same_and_there_is_no_g(tmp_path):
    video = write(tmp_path / "gt" / "clip", [boxes(_1=2, _2=12)] * 4)
    write(tmp_path / "pred" / "clip", [boxes(_1=2, _2=14)] * 4)
    scores = evaluate([video], SavedMasks(tmp_path / "pred"), Protocol.YOUTUBE_VOS, workers=1)
    assert scores.extras == {}
    assert scores.means.j == pytest.approx(sum(quality.region.mean for quality in scores.objects) / 2)


def test_lvos_takes_each_objects_range_from_the_meta_file_by_frame_number(tmp_path):
    video = write(tmp_path / "clip", [boxes(_1=2, _2=20)] * 7, first=1, step=5)  # frames 1, 6, 11, ... 31
    meta = Meta({"clip": {1: ObjectMeta(frames=FrameRange(1, 31, 7)), 2: ObjectMeta(frames=FrameRange(6, 27, 5))}})
    score = score_sequence(video, [boxes(_1=2, _2=20)] * 7, Protocol.LVOS, meta)
    assert {object_id: quality.frames for object_id, quality in score.objects.items()} == {
        1: (1, 2, 3, 4, 5),
        2: (2, 3, 4),
    }


def test_lvos_asks_for_masks_of_the_meta_files_own_release(tmp_path):
    video = write(tmp_path / "clip", [boxes(_1=2)] * 7, first=1, step=5)
    meta = Meta({"clip": {1: ObjectMeta(frames=FrameRange(1, 61, 13))}})
    with pytest.raises(MaskError, match="scores object 1 of sequence clip on frame 31, which has no true mask"):
        score_sequence(video, [boxes(_1=2)] * 7, Protocol.LVOS, meta)


def test_v_is_0_for_an_object_that_is_followed_evenly_and_more_for_another(tmp_path):
    video = write(tmp_path / "clip", [boxes(_1=2, _2=18)] * 6)
    even, uneven = boxes(_1=3, _2=18), boxes(_1=3)
    score = score_sequence(video, [even, even, uneven, even, uneven, even], Protocol.LVOS)
    assert score.objects[1].extras["V"] == 0
    assert score.objects[2].extras["V"] == pytest.approx(0.5)


def test_proposals_are_matched_with_the_objects_that_they_fit(tmp_path):
    video = write(tmp_path / "clip", [boxes(_1=2, _2=18)] * 3)
    score = score_sequence(video, [boxes(_9=2, _4=18, _5=10)] * 3, Protocol.DAVIS2017_UNSUPERVISED)
    assert score.matches == {1: 9, 2: 4}
    assert [quality.frames for quality in score.objects.values()] == [(0, 1, 2)] * 2


def test_more_than_twenty_proposals_are_refused_but_high_ids_are_not(tmp_path):
    video = write(tmp_path / "clip", [boxes(_1=2)] * 3)
    score = score_sequence(video, [boxes(_200=2, _77=20)] * 3, Protocol.DAVIS2017_UNSUPERVISED)
    assert score.matches == {1: 200}
    assert score.objects[1].region.mean == 1.0
    many = np.tile(np.arange(1, 22, dtype=np.uint16), (60, 4))[:, :80]
    with pytest.raises(MaskError, match="clip has 21 predicted ids; at most 20"):
        score_sequence(video, [many] * 3, Protocol.DAVIS2017_UNSUPERVISED)


def test_void_is_left_out_of_both_masks_where_ids_are_matched(tmp_path):
    truth = boxes(_1=4)
    truth[12:16, 10:24] = 255
    video = write(tmp_path / "clip", [truth] * 3)
    predicted = boxes(_1=4)
    predicted[12:16, 10:24] = 1
    score = score_sequence(video, [predicted] * 3, Protocol.DAVIS2017_UNSUPERVISED)
    assert score.objects[1].region.mean == score.objects[1].boundary.mean == 1.0
    assert score_sequence(video, [predicted] * 3, Protocol.DAVIS2017).objects[1].region.mean < 1.0


def test_an_object_of_the_meta_file_alone_is_scored_under_mose2(tmp_path):
    video = write(tmp_path / "clip", [boxes(_1=2)] * 4)
    meta = Meta({"clip": {1: ObjectMeta(), 255: ObjectMeta()}})
    score = score_sequence(video, [boxes(_1=2, _255=20)] * 4, Protocol.MOSE2, meta)
    assert score.objects[255].region.values == pytest.approx([1 / (8 * 14 + 1)] * 2)
    assert list(score_sequence(video, [boxes(_1=2)] * 4, Protocol.MOSE2).objects) == [1]


@pytest.mark.parametrize("protocol", Protocol)
def test_a_perfect_prediction_scores_1_under_every_protocol(tmp_path, protocol):
    maps = [boxes(_1=2 + index, _2=18) for index in range(5)]
    write(tmp_path / "pred" / "clip", maps)
    videos = [write(tmp_path / "gt" / "clip", maps)]
    meta = Meta(unseen_sequences=frozenset())
    scores = evaluate(videos, SavedMasks(tmp_path / "pred"), protocol, meta=meta, workers=1)
    assert (scores.means.jf, scores.means.j, scores.means.f) == (1.0, 1.0, 1.0)
    assert scores.extras.get("V", 0.0) == 0.0
    assert scores.sequences[0].notes == ()
    assert len(scores.measures) == 2 + len(scores.objects[0].others)


@pytest.mark.parametrize("protocol", Protocol)
def test_eight_and_sixteen_bits_score_the_same(tmp_path, protocol):
    maps = [boxes(_1=2 + index, _2=18) for index in range(5)]
    video = write(tmp_path / "clip", maps)
    guess = [boxes(_1=3 + index, _2=19) for index in range(5)]
    assert score_sequence(video, guess, protocol) == score_sequence(
        video, [labels.astype(np.uint8) for labels in guess], protocol
    )


def test_objects_that_come_later_are_given_where_they_first_are(tmp_path):
    video = sparse(write(tmp_path / "clip", [boxes(_1=2)] * 2 + [boxes(_1=5, _2=20, _255=12)] * 3), 2)
    given = given_labels(video, Protocol.YOUTUBE_VOS)
    assert list(given) == [0, 3]
    np.testing.assert_array_equal(given[3], boxes(_2=20))
    assert list(given_labels(sparse(video), Protocol.DAVIS2017)) == [0]
    maps = list(CopyFirst(Protocol.YOUTUBE_VOS)(video))
    np.testing.assert_array_equal(maps[2], boxes(_1=2))
    np.testing.assert_array_equal(maps[4], boxes(_1=2, _2=20))
