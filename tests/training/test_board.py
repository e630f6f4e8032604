from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from devos.io.drawing import COLOURS
from devos.training.board import draw_clip
from devos.training.loop import train
from devos.training.trainer import Trainer


def test_a_clip_is_drawn_as_pictures_above_the_truth_above_the_prediction(config, make_batches):
    batch = make_batches(config)[0]
    batch.images[0] = 0
    batch.slots[0] = 0
    batch.slots[0, 1, :32, :32] = 2
    batch.slots[0, 1, 60:, 60:] = 255
    predicted = torch.zeros(2, 16, 16, dtype=torch.uint8)
    predicted[0, :4, :4] = 2
    sheet = draw_clip(batch, 0, predicted)
    assert sheet.shape == (3 * 64 + 4, 3 * 64 + 4, 3)
    half = COLOURS[1] // 2
    truth, answer = sheet[66:130, 66:130], sheet[132:, 66:130]
    assert (truth[:32, :32] == half).all() and (truth[61:, 61:] == 127).all() and not truth[40:60].any()
    assert (answer[:16, :16] == half).all() and not answer[16:].any()
    assert not sheet[:64, :64].any() and not sheet[132:, :64].any() and (sheet[64:66] == 255).all()


def test_large_frames_are_drawn_smaller(config, make_batches):
    batch = make_batches(replace(config, clips=replace(config.clips, size=192)))[0]
    assert draw_clip(batch, 1, torch.zeros(2, 48, 48, dtype=torch.uint8)).shape == (3 * 96 + 4, 3 * 96 + 4, 3)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_board_shows_every_figure_of_the_log_the_validations_and_clips(config, make_model, make_batches, tmp_path):
    reading = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    config = replace(config, pictures_every=2, validate_every=5)
    train(Trainer(config, make_model()), make_batches(config), tmp_path, workers=0, board=True,
          validate=lambda model, step: {"J&F": 0.5})  # fmt: skip
    board = reading.EventAccumulator(str(tmp_path / "board")).Reload()
    tags = board.Tags()
    figures = {"entropy", "dice", "j", "learning_rate", "gradient_norm", "seconds_per_step", "clips_per_s", "waiting"}
    assert set(tags["scalars"]) == {f"train/{name}" for name in figures} | {"validation/J&F"}
    log = (tmp_path / "log.csv").read_text().splitlines()[1:]
    points = board.Scalars("train/entropy")
    assert [point.step for point in points] == [1, 2, 3, 4, 5]
    assert np.allclose([point.value for point in points], [float(row.split(",")[1]) for row in log], rtol=1e-4)
    assert set(tags["images"]) == {"clips/0", "clips/1"}
    assert [picture.step for picture in board.Images("clips/1")] == [2, 4, 5]
