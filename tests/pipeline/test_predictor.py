from __future__ import annotations

import tempfile

import numpy as np
import pytest
import torch

import devos
from devos.errors import MaskError, OptionError, VideoError

NUM_FRAMES = 12


@pytest.fixture
def film(tmp_path, write_video, pictures):
    write_video(tmp_path / "film.mp4", pictures(NUM_FRAMES))
    return tmp_path / "film.mp4"


@pytest.fixture(scope="module")
def predictor(weights):
    return devos.VideoPredictor(weights, size=64, device="cpu", runtime="torch")


@pytest.fixture
def masks(square):
    other = np.zeros_like(square, bool)
    other[48:60, 40:70] = True
    return {7: square > 0, 2: other}


class StandIn:
    """The signatures and the counting of SAM 2's video predictor; every mask stays where it was given."""

    def __init__(self, num_frames):
        self._num_frames = num_frames

    def init_state(self, video_path, offload_video_to_cpu=False, offload_state_to_cpu=False,
                   async_loading_frames=False):  # fmt: skip
        return {"num_frames": self._num_frames, "masks": {}, "frames": set()}

    def add_new_mask(self, inference_state, frame_idx, obj_id, mask):
        inference_state["masks"][obj_id] = torch.as_tensor(mask)
        inference_state["frames"].add(frame_idx)
        return frame_idx, list(inference_state["masks"]), self._logits(inference_state)

    def _logits(self, state):
        return torch.stack([torch.where(mask, 10.0, -10.0)[None] for mask in state["masks"].values()])

    def propagate_in_video(self, inference_state, start_frame_idx=None, max_frame_num_to_track=None, reverse=False):
        start = min(inference_state["frames"]) if start_frame_idx is None else start_frame_idx
        count = inference_state["num_frames"] if max_frame_num_to_track is None else max_frame_num_to_track
        if reverse:
            order = range(start, max(start - count, 0) - 1, -1)
        else:
            order = range(start, min(start + count, inference_state["num_frames"] - 1) + 1)
        for index in order:
            yield index, list(inference_state["masks"]), self._logits(inference_state)

    def remove_object(self, inference_state, obj_id, strict=False, need_output=True):
        del inference_state["masks"][obj_id]
        return list(inference_state["masks"]), []

    def reset_state(self, inference_state):
        inference_state["masks"].clear()
        inference_state["frames"].clear()


def written_for_sam_2(predictor, video, masks):
    """A program as people have it; what it saw, as plain values."""
    seen = []

    def see(frame_idx, obj_ids, mask_logits):
        assert mask_logits.dtype == torch.float32 and mask_logits.shape[1] == 1
        seen.append((frame_idx, obj_ids, tuple(mask_logits.shape)))

    state = predictor.init_state(str(video), offload_video_to_cpu=True)
    for obj_id, mask in masks.items():
        _, obj_ids, mask_logits = predictor.add_new_mask(state, frame_idx=4, obj_id=obj_id, mask=mask)
        see(4, obj_ids, mask_logits)
        assert torch.equal(mask_logits[obj_ids.index(obj_id), 0] > 0, torch.as_tensor(mask))
    segments = {}
    for frame_idx, obj_ids, mask_logits in predictor.propagate_in_video(state):
        see(frame_idx, obj_ids, mask_logits)
        segments[frame_idx] = {i: (mask_logits[n] > 0.0).cpu().numpy() for n, i in enumerate(obj_ids)}
    for frame_idx, obj_ids, mask_logits in predictor.propagate_in_video(state, reverse=True):
        see(frame_idx, obj_ids, mask_logits)
    for answer in predictor.propagate_in_video(state, start_frame_idx=6, max_frame_num_to_track=2):
        see(*answer)
    obj_ids, _ = predictor.remove_object(state, 7)
    seen.append(obj_ids)
    for answer in predictor.propagate_in_video(state, start_frame_idx=3, max_frame_num_to_track=1, reverse=True):
        see(*answer)
    predictor.reset_state(state)
    predictor.add_new_mask(state, 10, 3, masks[7])
    for answer in predictor.propagate_in_video(state):
        see(*answer)
    return seen, segments


def test_a_program_written_for_sam_2_sees_the_same_frames_objects_and_shapes(predictor, film, masks):
    ours, segments = written_for_sam_2(predictor, film, masks)
    theirs, _ = written_for_sam_2(StandIn(NUM_FRAMES), film, masks)
    assert ours == theirs
    assert all(np.array_equal(segments[4][i][0], mask) for i, mask in masks.items())


def test_what_it_gives_are_the_masks_of_a_project_that_stays_where_it_is_told(predictor, film, masks, tmp_path):
    state = predictor.init_state(film, out=tmp_path / "kept")
    predictor.add_new_mask(state, 0, 7, masks[7])
    given = {index: logits for index, _, logits in predictor.propagate_in_video(state)}
    stored = devos.Project.open(tmp_path / "kept").masks
    assert sorted(given) == sorted(stored) == list(range(NUM_FRAMES))
    assert all(np.array_equal(given[i][0, 0].numpy() > 0, stored[i] == 7) for i in stored)


def test_a_correction_is_followed_alone_and_all_frames_are_given_in_order(predictor, film, masks):
    state = predictor.init_state(film)
    for obj_id, mask in masks.items():
        predictor.add_new_mask(state, 0, obj_id, mask)
    before = {index: logits for index, _, logits in predictor.propagate_in_video(state)}
    predictor.add_new_mask(state, 6, 2, np.roll(masks[2], -10, 1))
    after = {index: logits for index, _, logits in predictor.propagate_in_video(state)}
    assert list(after) == list(range(NUM_FRAMES))
    assert all(torch.equal(before[i], after[i]) for i in range(6))
    assert np.array_equal(after[6][1, 0].numpy() > 0, np.roll(masks[2], -10, 1))


def test_objects_marked_on_different_frames_are_all_there_when_a_frame_is_given(predictor, film, masks):
    state = predictor.init_state(film)
    predictor.add_new_mask(state, 0, 7, masks[7])
    predictor.add_new_mask(state, 5, 2, masks[2])
    answers = list(predictor.propagate_in_video(state))
    assert [index for index, _, _ in answers] == list(range(NUM_FRAMES))
    assert np.array_equal(answers[5][2][1, 0].numpy() > 0, masks[2] & ~(answers[5][2][0, 0].numpy() > 0))


def test_leaving_the_iteration_loses_nothing(predictor, film, masks):
    state = predictor.init_state(film)
    predictor.add_new_mask(state, 0, 7, masks[7])
    for index, _, _ in predictor.propagate_in_video(state):
        if index == 3:
            break
    assert [index for index, _, _ in predictor.propagate_in_video(state)] == list(range(NUM_FRAMES))


def test_an_id_of_numpy_comes_back_as_a_plain_one(predictor, film, masks):
    state = predictor.init_state(film)
    for obj_id in (np.int64(7), np.uint8(7)):
        _, obj_ids, _ = predictor.add_new_mask(state, 0, obj_id, masks[7])
        assert obj_ids == [7] and type(obj_ids[0]) is int


def test_of_a_video_that_cannot_be_opened_nothing_stays_behind(predictor, tmp_path, monkeypatch):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    with pytest.raises(VideoError):
        predictor.init_state(tmp_path / "none.mp4")
    assert not list((tmp_path / "temporary").iterdir())


def test_what_cannot_be_meant_is_refused(predictor, film, masks):
    state = predictor.init_state(film)
    with pytest.raises(OptionError, match="call add_new_mask first"):
        next(iter(predictor.propagate_in_video(state)))
    for obj_id in (0, 65536, 7.5, "cat"):
        with pytest.raises(MaskError, match="from 1 to 65535"):
            predictor.add_new_mask(state, 0, obj_id, masks[7])
    assert state.obj_ids == [] and state.first_annotated is None
    with pytest.raises(MaskError):
        predictor.add_new_mask(state, 0, 1, masks[7][:-2])
    assert predictor.remove_object(state, 5) == ([], [])
    with pytest.raises(OptionError, match="no object 5"):
        predictor.remove_object(state, 5, strict=True)
