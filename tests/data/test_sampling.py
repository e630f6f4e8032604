from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from devos.data import sampling
from devos.data.catalog import VideoInfo, find_videos
from devos.data.clips import VOID, choose_objects, keep_objects
from devos.data.sampling import SamplingConfig, sample_clip

CONFIG = SamplingConfig(size=64, length=4, max_gap=3, max_objects=2)


def clips(video: VideoInfo, config: SamplingConfig = CONFIG, count: int = 12):
    found = [sample_clip(video, config, np.random.default_rng(seed)) for seed in range(count)]
    return [clip for clip in found if clip is not None]


def test_every_clip_shows_all_its_objects_in_its_first_frame(video_root):
    found = clips(find_videos(video_root)[0], count=20)
    assert len(found) >= 15
    for clip in found:
        assert clip.images.shape == (4, 64, 64, 3)
        assert clip.labels.shape == (4, 64, 64)
        assert clip.to_prev.shape == clip.to_curr.shape == (3, 2, 32, 32)
        objects = set(np.unique(clip.labels)) - {0, VOID}
        assert objects == set(range(1, clip.num_objects + 1))
        assert objects <= set(np.unique(clip.labels[0]))
        assert 1 <= clip.num_objects <= 2
        assert clip.source == "ant"


def test_pictures_and_masks_are_cut_alike(video_root):
    """The discs are bright red on a dark texture: where a label is, the picture is red."""
    for clip in clips(find_videos(video_root)[0], replace(CONFIG, max_objects=1)):
        inside, outside = clip.images[clip.labels == 1], clip.images[clip.labels == 0]
        assert (inside[:, 0] > 128).mean() > 0.93
        assert (outside[:, 0] > 128).mean() < 0.5


def test_the_same_chance_gives_the_same_clip(video_root):
    video = find_videos(video_root)[0]
    one, same, other = (sample_clip(video, CONFIG, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert np.array_equal(one.images, same.images)
    assert np.array_equal(one.to_prev, same.to_prev)
    assert not np.array_equal(one.images, other.images)


def test_frames_have_one_gap_and_go_forwards_or_backwards(video_root):
    video = find_videos(video_root)[0]
    steps = set()
    for seed in range(40):
        picked = sampling._frames(video, CONFIG, np.random.default_rng(seed))
        assert len(picked) == 4
        steps |= set(np.diff(picked))
        assert len(set(np.diff(picked))) == 1
    assert steps == {1, 2, 3, -1, -2, -3}


@pytest.mark.parametrize("num_frames", [1, 2, 3])
def test_a_video_shorter_than_the_clip_goes_there_and_back(video_root, num_frames):
    video = find_videos(video_root)[0]
    short = VideoInfo("short", video.frames[:num_frames], video.masks[:num_frames])
    for seed in range(10):
        picked = sampling._frames(short, CONFIG, np.random.default_rng(seed))
        assert len(picked) == 4
        assert set(picked) <= set(range(num_frames))
        assert np.abs(np.diff(picked)).max() <= 1
    assert clips(short)


def test_frames_without_a_mask_are_not_taken(video_root):
    video = find_videos(video_root)[0]
    sparse = VideoInfo("sparse", video.frames, tuple(m if i % 3 == 0 else None for i, m in enumerate(video.masks)))
    for seed in range(20):
        assert all(i % 3 == 0 for i in sampling._frames(sparse, CONFIG, np.random.default_rng(seed)))


def test_a_frame_with_no_object_gives_no_clip(video_root, tmp_path):
    video = find_videos(video_root)[0]
    blank = tmp_path / "blank.png"
    Image.fromarray(np.zeros((96, 128), np.uint8)).save(blank)
    empty = VideoInfo("empty", video.frames, (blank,) * len(video.frames))
    assert sample_clip(empty, CONFIG, np.random.default_rng(0)) is None


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
