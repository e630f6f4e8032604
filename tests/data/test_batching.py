from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from devos.data.augment import degrade, jitter_light, move_light
from devos.data.batching import Batches, ClipsConfig, Shard, Stage, _pick_photos, collate
from devos.data.catalog import find_videos
from devos.data.clips import VOID, Clip
from devos.data.index import TrainingVideo
from devos.data.mixing import MergeConfig, Mix, Part, davis_youtube
from devos.data.photo_sets import list_photos
from devos.data.sampler import Curriculum
from devos.data.sources import Photos, Videos
from devos.data.synthetic import SyntheticConfig
from devos.errors import InputError, MaskError, OptionError, VideoError

STAGES = (
    Stage(until=0.5, length=2, max_objects=1, max_gap=1, video_share=0.5),
    Stage(until=1.0, length=3, max_objects=2, max_gap=2, video_share=0.5),
)
CONFIG = ClipsConfig(stages=STAGES, size=64, batch_size=2, num_batches=6, seed=7)


@pytest.fixture
def batches(video_root, photo_root) -> Batches:
    return Batches(CONFIG, find_videos(video_root), list_photos("own", photo_root).photos)


def tensors(batch):
    return batch.images, batch.slots, batch.used, batch.to_prev, batch.to_curr


def test_a_batch_depends_on_its_number_and_the_seed_alone(batches, video_root, photo_root):
    again = Batches(CONFIG, find_videos(video_root), list_photos("own", photo_root).photos)
    batches[0]
    assert all(torch.equal(a, b) for a, b in zip(tensors(batches[4]), tensors(again[4]), strict=True))
    other = Batches(replace(CONFIG, seed=8), find_videos(video_root), list_photos("own", photo_root).photos)
    assert not torch.equal(batches[4].images, other[4].images)
    assert not torch.equal(batches[4].images, batches[5].images)


@pytest.mark.parametrize("world", [1, 2, 4])
def test_the_shares_of_several_processes_are_the_batch_of_one_slots_included(world, video_root, photo_root):
    config, videos, photos = (
        replace(CONFIG, batch_size=4),
        find_videos(video_root),
        list_photos("own", photo_root).photos,
    )
    shares = [Batches(config, videos, photos, shard=Shard(rank, world))[3] for rank in range(world)]
    for whole, *parts in zip(tensors(Batches(config, videos, photos)[3]), *map(tensors, shares), strict=True):
        assert torch.equal(whole, torch.cat(parts))


def test_a_batch_that_cannot_be_shared_alike_is_refused():
    with pytest.raises(OptionError, match="2 clips cannot be shared alike by 3 processes"):
        Batches(CONFIG, (), (), shard=Shard(0, 3))
    with pytest.raises(ValueError, match="got rank 2 of 2"):
        Shard(2, 2)


def test_clips_grow_as_the_stages_say(batches):
    assert len(batches) == 6
    assert [batches[i].images.shape[1] for i in range(6)] == [2, 2, 2, 3, 3, 3]
    assert all(batches[i].used.sum(1).max() <= 2 for i in range(3))


def test_a_batch_is_what_the_network_and_the_loss_take(batches):
    batch = batches[5]
    assert batch.images.shape == (2, 3, 3, 64, 64)
    assert batch.to_prev.shape == batch.to_curr.shape == (2, 2, 2, 32, 32)
    assert 0 <= batch.images.min() < batch.images.max() <= 1
    for slots, used in zip(batch.slots, batch.used, strict=True):
        seen = set(slots.unique().tolist()) - {VOID}
        assert used[0]
        assert seen <= set(used.nonzero()[:, 0].tolist())
        assert seen - {0} == set(used.nonzero()[:, 0].tolist()) - {0}


def test_without_photos_all_clips_are_videos_and_without_videos_none(video_root, photo_root):
    videos, photos = find_videos(video_root), list_photos("own", photo_root).photos
    assert {Batches(CONFIG, videos, ()).clip(i, 0).source for i in range(6)} <= {"ant", "bee"}
    assert {Batches(CONFIG, (), photos).clip(i, 0).source for i in range(6)} == {"synthetic"}
    both = Batches(CONFIG, videos, photos)
    assert {both.clip(i, j).source for i in range(6) for j in range(4)} == {"ant", "bee", "synthetic"}
    with pytest.raises(OptionError, match="there is no videos and no photos"):
        Batches(CONFIG, ())


def made_up_clip(num_objects: int) -> Clip:
    labels = np.zeros((2, 8, 8), np.uint8)
    for i in range(num_objects):
        labels[:, i, :4] = i + 1
    labels[:, 7] = VOID
    flow = np.zeros((1, 2, 4, 4), np.float32)
    return Clip(np.zeros((2, 8, 8, 3), np.uint8), labels, flow, flow, "made up")


def test_objects_lie_in_random_slots_so_that_no_identity_is_special():
    clip, places = made_up_clip(2), []
    for seed in range(60):
        batch = collate([clip], 5, np.random.default_rng(seed))
        first, second = batch.slots[0, 0, 0, 0].item(), batch.slots[0, 0, 1, 0].item()
        assert first != second
        assert batch.used[0].nonzero()[:, 0].tolist() == sorted([0, first, second])
        assert (batch.slots[0, :, 7] == VOID).all()
        assert (batch.slots[0, :, 2:7] == 0).all()
        places.append(first)
    assert set(places) == {1, 2, 3, 4, 5}


def test_light_changes_the_whole_clip_alike_and_by_chance_alone():
    images = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), np.uint8)
    images[1] = images[0]
    one, same, other = (jitter_light(images, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
    assert np.abs(one[0].astype(int) - one[1]).mean() < 15
    assert one.dtype == np.uint8


def test_cameras_and_codecs_keep_the_picture_recognisable():
    ramp = np.arange(0, 256, 4, np.uint8)
    images = np.stack([np.dstack([np.tile(ramp, (64, 1))] * 3)] * 2)
    results = [degrade(images, np.random.default_rng(seed)) for seed in range(30)]
    changed = [not np.array_equal(r, images) for r in results]
    assert 3 < sum(changed) < 27
    assert all(r.shape == images.shape and np.abs(r.astype(int) - images).mean() < 12 for r in results)


def test_clips_are_the_same_with_any_number_of_workers(batches):
    alone, shared = (list(DataLoader(batches, batch_size=None, num_workers=workers)) for workers in (0, 2))
    assert len(alone) == len(shared) == 6
    for one, other in zip(alone, shared, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(tensors(one), tensors(other), strict=True))


def merging(video_root, **options) -> Batches:
    """Batches of the videos alone, every clip merged."""
    part = Part(source="mine", share=1.0, merge=MergeConfig(probability=1.0))
    stage = Stage(until=1.0, length=3, max_objects=2, max_gap=Curriculum(), mix=Mix(parts=(part,)))
    found = Videos(tuple(TrainingVideo(video) for video in find_videos(video_root)))
    return Batches(replace(CONFIG, stages=(stage,), **options), {"mine": found})


def test_a_mix_with_a_merge_gives_clips_of_two_videos(video_root):
    batches = merging(video_root)
    clips = [batches.clip(i, place) for i in range(4) for place in range(2)]
    assert {clip.source for clip in clips} == {"ant + bee", "bee + ant"}
    assert all(1 <= clip.num_objects <= 4 for clip in clips)
    assert max(clip.num_objects for clip in clips) > 2
    assert {batches.draw(i, 0).source for i in range(6)} == {"mine"}


def test_merged_clips_fit_the_slots(video_root):
    batches = merging(video_root, num_slots=2)
    assert all(batches[i].used.sum(1).max() <= 3 for i in range(3))


def test_a_folder_is_where_things_of_one_kind_come_from(tmp_path, photo_root):
    shutil.copytree(photo_root / "things", photo_root / "others")
    source = Photos(list_photos("own", photo_root).photos)
    assert [{item.image.parent.parent.name for item in items} for items in source.folders] == [{"others"}, {"things"}]
    for share, kinds in ((1.0, {1}), (0.0, {1, 2})):
        config = SyntheticConfig(max_layers=4, same_set=share)
        picked = [_pick_photos(source, config, np.random.default_rng(seed)) for seed in range(30)]
        assert {len(photos) for photos in picked} == {2, 3, 4, 5}
        assert {len({photo.mask.parent for photo in photos[1:]}) for photos in picked} == kinds


def test_look_alikes_of_the_same_video_are_objects_of_their_own(video_root):
    part = Part(source="mine", share=1.0, merge=MergeConfig(look_alike=1.0))
    stage = Stage(until=1.0, length=3, max_objects=1, max_gap=2, mix=Mix(parts=(part,)))
    found = Videos(tuple(TrainingVideo(video) for video in find_videos(video_root)))
    batches = Batches(replace(CONFIG, stages=(stage,), zoom=(1.0, 1.0)), {"mine": found})
    clips = [batches.clip(i, place) for i in range(6) for place in range(2)]
    twice = [clip for clip in clips if clip.num_objects == 2]
    assert len(twice) >= 6
    assert {clip.source for clip in twice} == {"ant + ant", "bee + bee"}


def test_light_moves_over_the_scene_smoothly_and_by_chance_alone():
    images = np.full((4, 32, 32, 3), 150, np.uint8)
    one, same, other = (move_light(images, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
    many = np.stack([move_light(images, np.random.default_rng(seed)) for seed in range(20)]).astype(int)
    uneven, changing = many.std((2, 3)).mean(), np.abs(np.diff(many, axis=1)).mean()
    assert uneven > 3
    assert 0.3 < changing < 15
    # It is nowhere night, and seldom dazzling.
    assert 40 < many.mean((1, 2, 3, 4)).min() < many.mean((1, 2, 3, 4)).max() < 230


def test_a_video_that_goes_bad_while_training_is_an_error_that_names_it(video_root):
    batches = merging(video_root)
    batches[0]  # its masks are known now
    for path in video_root.glob("JPEGImages/480p/*/*.jpg"):
        path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(VideoError, match=r"\.jpg cannot be read as a picture"):
        batches[0]
    with pytest.raises(InputError, match=r"(ant|bee): a picture cannot be read \(00000\.jpg: "):
        merging(video_root)[0]


def test_photos_without_anything_to_follow_are_an_error_that_names_them(photo_root):
    for path in photo_root.glob("*/masks/*.png"):
        Image.fromarray(np.zeros((100, 120), np.uint8)).save(path)
    with pytest.raises(MaskError, match=r"50 scenes made of photos showed no object.*/masks/\d\.png"):
        Batches(CONFIG, (), list_photos("own", photo_root).photos)[0]


def test_a_stage_has_a_mix_or_a_share_of_videos():
    for options in ({}, {"mix": davis_youtube(), "video_share": 0.5}):
        with pytest.raises(ValueError, match="either a mix or a video_share"):
            Stage(until=1.0, length=3, max_objects=2, max_gap=2, **options)
