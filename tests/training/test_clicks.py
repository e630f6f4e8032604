"""Training the click head, on made-up photos and videos: does it learn, is it the same again, does it go on."""

from __future__ import annotations

import shutil
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from devos.data.click_samples import SHAPES, click_data
from devos.errors import InputError
from devos.frames import FrameSize
from devos.model.encoder import EfficientNetLite0
from devos.training.checkpoints import save_checkpoint
from devos.training.clicks import ClickTrainer, ClickTraining, click_loss, make_batch, train_clicks

SMALL = (FrameSize(64, 96),)
TINY = ClickTraining(num_steps=4, batch_size=2, shapes=SMALL, warmup_steps=1, checkpoint_every=2)


@pytest.fixture
def data(tmp_path, photo_root, video_root):
    (tmp_path / "static").symlink_to(photo_root)
    (tmp_path / "video-train").symlink_to(video_root)
    return tmp_path


@pytest.fixture
def backbone():
    torch.manual_seed(0)
    return EfficientNetLite0()


def test_a_picture_shows_its_object_and_is_the_same_for_the_same_chance(data):
    source = click_data(data, held_out=False)
    for seed in range(6):
        one, other = (source.sample(SHAPES[seed % 4], np.random.default_rng(seed)) for _ in range(2))
        assert one.rgb.shape[:2] == one.truth.shape == tuple(SHAPES[seed % 4])
        assert np.count_nonzero(one.truth == 1) >= 80
        assert np.array_equal(one.rgb, other.rgb) and np.array_equal(one.truth, other.truth)


def test_in_a_crowd_each_part_that_moves_is_an_object_of_its_own(tmp_path):
    home = tmp_path / "video-sbi"
    labels = np.zeros((100, 200), np.uint8)
    cv2.circle(labels, (50, 50), 20, 1, -1)
    cv2.circle(labels, (150, 50), 20, 1, -1)
    for folder, picture in (("JPEGImages", np.repeat(labels[..., None] * 200, 3, 2)), ("Annotations", labels)):
        (home / folder / "hall").mkdir(parents=True)
        Image.fromarray(picture).save(home / folder / "hall" / "0.png")
    (tmp_path / "static" / "x" / "images").mkdir(parents=True)
    (tmp_path / "static" / "x" / "masks").mkdir()
    Image.fromarray(np.repeat(labels[..., None], 3, 2)).save(tmp_path / "static" / "x" / "images" / "0.png")
    Image.fromarray(labels).save(tmp_path / "static" / "x" / "masks" / "0.png")
    source = click_data(tmp_path, held_out=False, shares=(0.0, 0.0, 1.0))
    for seed in range(5):
        truth = source.sample(SHAPES[0], np.random.default_rng(seed)).truth
        assert cv2.connectedComponents((truth == 1).astype(np.uint8))[0] == 2  # the background, and one disc


def test_what_is_held_out_is_not_trained_on_and_a_folder_without_pictures_is_refused(data, tmp_path_factory):
    for number in range(60):
        for folder in ("images", "masks"):
            shutil.copy(
                data / "static" / "things" / folder / "0.png", data / "static" / "things" / folder / f"n{number}.png"
            )
    kept, held = (click_data(data, held_out=held_out) for held_out in (False, True))
    assert held.photos
    assert not set(kept.photos) & set(held.photos)
    assert len(kept.photos) + len(held.photos) == 64
    with pytest.raises(InputError):
        click_data(tmp_path_factory.mktemp("empty"), held_out=False)


def test_the_first_thing_said_is_a_click_a_box_or_a_click_on_a_wrong_mask(data):
    source = click_data(data, held_out=False)
    kinds = set()
    for step in range(12):
        batch, _ = make_batch(source, ClickTraining(batch_size=4, shapes=SMALL), step)
        for clicks, box, mask in zip(batch.clicks, batch.boxes, batch.mask, strict=True):
            said = (len(clicks) > 1, len(clicks) > 0, bool(box.any()), bool(mask.any()))
            assert said[1] or said[2] or said[3]
            kinds.add(said)
    assert {(False, True, False, False), (False, False, True, False), (False, True, False, True)} <= kinds


def test_the_loss_leaves_out_what_is_not_known_and_is_least_for_the_truth():
    truth = torch.zeros(1, 1, 8, 8)
    truth[..., :4] = 1
    known = torch.ones_like(truth)
    known[..., 0, :] = 0
    right = (truth * 2 - 1) * 9
    wrong_there = right.clone()
    wrong_there[..., 0, :] *= -1
    assert click_loss(right, truth, known) == pytest.approx(click_loss(wrong_there, truth, known))
    assert click_loss(right, truth, known) < click_loss(right * 0.1, truth, known) < click_loss(-right, truth, known)


def test_the_head_learns_on_one_batch_asked_again_and_again(data, backbone):
    source = click_data(data, held_out=False)
    config = replace(TINY, num_steps=100, learning_rate=3e-3)
    trainer, overlaps = ClickTrainer(config, backbone), []
    for _ in range(30):
        overlaps.append(trainer.learn(*make_batch(source, config, 0))[1])
    assert np.mean(overlaps[-5:]) > np.mean(overlaps[:5]) + 0.1


def test_a_run_that_was_stopped_goes_on_and_ends_the_same(data, backbone, tmp_path):
    source, told = click_data(data, held_out=False), []
    whole = train_clicks(TINY, backbone, source, tmp_path / "whole", tell=told.append)

    stopped = ClickTrainer(TINY, backbone)
    for _ in range(2):
        stopped.learn(*make_batch(source, TINY, stopped.step))
    (tmp_path / "parts").mkdir()
    save_checkpoint(stopped.state(), tmp_path / "parts" / "checkpoint.pt")
    parts = train_clicks(TINY, backbone, source, tmp_path / "parts", tell=told.append)
    assert told == ["going on from step 2"]
    assert parts.step == whole.step == 4
    assert all(torch.allclose(value, parts.average[name], atol=1e-4) for name, value in whole.average.items())
