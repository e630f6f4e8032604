from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from devos.data.catalog import find_videos
from devos.data.clips import VOID, Footage, choose_objects, keep_objects
from devos.data.footage import shoot
from devos.data.index import TrainingVideo
from devos.data.merge import merge, merge_look_alike
from devos.data.sampler import Pick, pick_frames
from devos.errors import MaskError, VideoError

ZOOM = (1.0, 2.2)


@pytest.fixture
def video(video_root) -> TrainingVideo:
    return TrainingVideo(find_videos(video_root)[0])


def take(video, seed, max_objects=2, size=64) -> Footage:
    rng = np.random.default_rng(seed)
    return shoot(video, pick_frames(video, 4, 3, max_objects, rng), size, ZOOM, rng)


def test_every_clip_shows_all_its_objects_in_its_first_frame(video):
    for seed in range(20):
        footage = take(video, seed)
        assert footage.images.shape == (4, 64, 64, 3)
        assert footage.labels.shape == (4, 64, 64)
        objects = set(np.unique(footage.labels)) - {0, VOID}
        assert objects == set(range(1, footage.num_objects + 1))
        assert objects <= set(np.unique(footage.labels[0]))
        assert 1 <= footage.num_objects <= 2
        assert footage.source == "ant"


def test_pictures_and_masks_are_cut_alike(video):
    """The discs are bright red on a dark texture: where a label is, the picture is red."""
    for seed in range(10):
        footage = take(video, seed, max_objects=1)
        inside, outside = footage.images[footage.labels == 1], footage.images[footage.labels == 0]
        assert (inside[:, 0] > 128).mean() > 0.93
        assert (outside[:, 0] > 128).mean() < 0.5


def test_the_same_chance_gives_the_same_clip(video):
    one, same, other = (take(video, seed) for seed in (3, 3, 4))
    assert np.array_equal(one.images, same.images)
    assert np.array_equal(one.labels, same.labels)
    assert not np.array_equal(one.images, other.images)


def test_an_object_too_small_for_a_choice_is_still_found(tmp_path, made):
    tiny = np.zeros((36, 48), np.uint8)
    tiny[20:22, 30:32] = 6
    made.video(tmp_path, "tiny", [tiny] * 4)
    tiny_video = TrainingVideo(find_videos(tmp_path)[0])
    assert {take(tiny_video, seed, size=32).num_objects for seed in range(20)} == {1}


def test_files_that_went_bad_after_the_check_are_errors_that_name_them(video, made):
    pick = Pick((0, 1, 2), (1,), 1)
    video.facts  # noqa: B018 (looked at before)
    frame, mask = video.info.frames[1], video.info.masks[2]
    whole = frame.read_bytes()
    frame.write_bytes(whole[:200])
    with pytest.raises(VideoError, match=r"ant/00001\.jpg cannot be read as a picture"):
        shoot(video, pick, 64, ZOOM, np.random.default_rng(0))
    made.picture(frame, size=(50, 60))
    with pytest.raises(MaskError, match=r"00001\.jpg is 60x50, but its mask is 128x96"):
        shoot(video, pick, 64, ZOOM, np.random.default_rng(0))
    frame.write_bytes(whole)
    made.labels(mask, made.boxes(1))
    with pytest.raises(MaskError, match="ant: masks have the sizes"):
        shoot(video, pick, 64, ZOOM, np.random.default_rng(0))
    Image.fromarray(np.zeros((96, 128), np.uint8)).save(mask)
    with pytest.raises(MaskError, match=r"00002\.png has changed since it was looked at"):
        shoot(video, replace(pick, frames=(2, 1, 0)), 64, ZOOM, np.random.default_rng(0))


def test_kept_objects_are_renumbered_the_others_are_background_and_void_stays():
    labels = np.array([[[0, 3, 7, 9, 255]]], np.uint8)
    assert keep_objects(labels, [9, 3]).tolist() == [[[0, 2, 0, 1, 255]]]


def test_objects_too_small_to_be_followed_are_not_chosen():
    first = np.zeros((100, 100), np.uint8)
    first[:5, :5], first[50:, :50], first[:50, 50:], first[50:, 50:] = 1, 2, 3, 255
    chosen = [choose_objects(first, 2, np.random.default_rng(seed)) for seed in range(30)]
    assert {len(c) for c in chosen} == {1, 2}
    assert {i for c in chosen for i in c} == {2, 3}
    assert choose_objects(np.zeros((9, 9), np.uint8), 3, np.random.default_rng(0)) == []


def footage(value: int, *rows: list[int]) -> Footage:
    """Two frames of 40 x 40 pixels; each row of labels fills a stripe of 10 x 10 fields. All pixels have one value."""
    labels = np.kron(np.array(rows, np.uint8), np.ones((10, 10), np.uint8))
    return Footage(np.full((2, 40, 40, 3), value, np.uint8), np.stack([labels, labels]), f"of {value}")


FIRST = footage(10, [0, 0, 1, 1], [0, 0, 2, 2], [255, 255, 2, 2], [0, 0, 0, 0])


def fields(merged: Footage) -> list[list[int]]:
    return merged.labels[0, ::10, ::10].tolist()


def test_merged_objects_lie_over_the_first_clip_with_their_pixels_and_ids_of_their_own():
    second = footage(99, [0, 1, 1, 0], [0, 0, 0, 0], [255, 2, 0, 0], [0, 2, 0, 255])
    merged = merge(FIRST, second, 10)
    assert fields(merged) == [[0, 3, 3, 1], [0, 0, 2, 2], [255, 4, 2, 2], [0, 4, 0, 0]]
    pasted = (second.labels > 0) & (second.labels != VOID)
    assert (merged.images[pasted] == 99).all()
    assert (merged.images[~pasted] == 10).all()
    assert merged.num_objects == 4
    assert merged.source == "of 10 + of 99"


def test_what_is_merged_has_no_more_objects_than_slots_and_the_rest_is_not_pasted():
    second = footage(99, [1, 1, 0, 0], [2, 2, 0, 0], [0, 0, 0, 0], [3, 3, 3, 3])
    for slots, expected in ((3, 1), (4, 2), (5, 3)):
        merged = merge(FIRST, second, slots)
        assert merged.num_objects == slots
        assert len(set(np.unique(merged.labels)) - {0, VOID}) == slots
        assert (merged.images[0, :, :, 0] == 99).sum() == (
            (second.labels[0] > 0) & (second.labels[0] <= expected)
        ).sum()
    full = merge(FIRST, second, 2)
    assert np.array_equal(full.labels, FIRST.labels)
    assert np.array_equal(full.images, FIRST.images)


def test_an_object_that_a_pasted_one_hides_at_first_is_no_object_and_one_hidden_later_is():
    labels = footage(99, [0, 0, 1, 1], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]).labels
    hiding = replace(footage(99, [0] * 4, [0] * 4, [0] * 4, [0] * 4), labels=np.stack([labels[0], labels[0] * 0]))
    at_first = merge(FIRST, hiding, 10)
    assert fields(at_first) == [[0, 0, 2, 2], [0, 0, 1, 1], [255, 255, 1, 1], [0, 0, 0, 0]]
    assert at_first.labels[1, ::10, ::10].tolist() == [[0, 0, 0, 0], [0, 0, 1, 1], [255, 255, 1, 1], [0, 0, 0, 0]]
    later = merge(FIRST, replace(hiding, labels=hiding.labels[::-1].copy()), 10)
    assert later.num_objects == 2
    assert later.labels[0, 5, 25] == 1


def test_what_is_merged_behind_is_seen_only_where_the_first_clip_has_nothing():
    second = footage(99, [0, 0, 1, 1], [0, 2, 2, 0], [3, 0, 0, 0], [0, 0, 0, 0])
    merged = merge(FIRST, second, 10, behind=True)
    # 3 lies on void and 1 is hidden, so that neither is an object.
    assert fields(merged) == [[0, 0, 1, 1], [0, 3, 2, 2], [255, 255, 2, 2], [0, 0, 0, 0]]
    assert (merged.images[0, ::10, ::10, 0] == [[10] * 4, [10, 99, 10, 10], [10] * 4, [10] * 4]).all()


def look_alikes(seeds: range) -> list[Footage]:
    again = footage(99, [0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0])
    return [merge_look_alike(FIRST, again, 10, np.random.default_rng(seed)) for seed in seeds]


def test_look_alikes_lie_elsewhere_in_front_or_behind_and_never_take_an_id():
    found = look_alikes(range(40))
    places = set()
    for merged in found:
        own = (FIRST.labels > 0) & (FIRST.labels != VOID)
        kept = np.where(own & (merged.labels < 3), merged.labels == FIRST.labels, True)
        assert kept.all()
        copy = merged.labels == 3
        assert (merged.images[~copy] == 10).all()
        assert (np.abs(merged.images[copy].astype(int) - 99) < 80).all()
        places.add(copy.tobytes())
    assert len(places) > 30
    covers = [(merged.labels[(FIRST.labels > 0) & (FIRST.labels != VOID)] == 3).any() for merged in found]
    assert 3 < sum(covers) < 37
    assert np.array_equal(look_alikes(range(1))[0].labels, found[0].labels)


def test_what_the_border_cuts_is_no_look_alike():
    cut = footage(99, [0, 0, 0, 0], [1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0])
    assert merge_look_alike(FIRST, cut, 10, np.random.default_rng(0)) is FIRST


def test_clips_of_different_sizes_are_not_merged(video):
    with pytest.raises(ValueError, match="cannot be merged"):
        merge(FIRST, take(video, 0), 10)
