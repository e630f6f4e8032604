from __future__ import annotations

import csv
import json
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

import devos
from devos.errors import OptionError


@pytest.fixture
def segmenter(weights):
    return devos.load(weights, size=64, device="cpu")


def test_a_loaded_network_serves_many_videos_and_its_settings_can_be_changed(segmenter, clip, tmp_path):
    for number, source in enumerate(("clip.mp4", "frames")):
        out = tmp_path / f"out{number}"
        summary = devos.segment(clip / source, clip / "first.png", out, model=segmenter, bank=2)
        settings = json.loads(summary.record.read_text())["settings"]
        assert summary.num_frames == 8 and settings["size"] == 64 and settings["bank"] == 2
    with pytest.raises(ValueError, match="already on cpu"):
        devos.segment(clip / "clip.mp4", clip / "first.png", tmp_path / "out", model=segmenter, device="cuda")


def test_progress_is_told_after_each_frame(segmenter, clip, tmp_path):
    told = []
    devos.segment(clip / "clip.mp4", clip / "first.png", tmp_path / "out", model=segmenter, progress=told.append)
    assert [(progress.num_done, progress.num_frames) for progress in told] == [(done, 8) for done in range(1, 9)]
    assert all(earlier.seconds < later.seconds for earlier, later in pairwise(told))


def test_an_interruption_leaves_every_result_readable_and_is_passed_on(segmenter, clip, tmp_path, read_video):
    out = tmp_path / "out"

    def stop(progress):
        if progress.num_done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        devos.segment(clip / "clip.mp4", clip / "first.png", out, model=segmenter, progress=stop)
    record = json.loads((out / "run.json").read_text())
    assert record["status"] == "interrupted" and record["num_frames"] == 3
    assert len(list((out / "masks").iterdir())) == 3
    assert len(read_video(out / "overlay.mp4")[1]) == 3
    with (out / "objects.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 3


def test_a_bug_is_recorded_and_passed_on(segmenter, clip, tmp_path):
    def fail(_):
        raise ZeroDivisionError("oh")

    with pytest.raises(ZeroDivisionError):
        devos.segment(clip / "clip.mp4", clip / "first.png", tmp_path / "out", model=segmenter, progress=fail)
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert (record["status"], record["error"]) == ("failed", "oh")


def test_without_an_overlay_none_is_written(segmenter, clip, tmp_path):
    summary = devos.segment(clip / "clip.mp4", clip / "first.png", tmp_path / "out", model=segmenter, overlay=False)
    assert summary.overlay is None and not (tmp_path / "out" / "overlay.mp4").exists()


def test_several_objects_keep_their_ids_and_given_masks_come_back_exactly(segmenter, clip, tmp_path, square):
    (clip / "given").mkdir()
    first, later = square * 7, np.roll(square, 20, 1) * 12
    Image.fromarray(first).save(clip / "given" / "f1.png")
    Image.fromarray(later).save(clip / "given" / "f4.png")
    summary = devos.segment(clip / "frames", clip / "given", tmp_path / "out", model=segmenter)
    assert summary.object_ids == (7, 12)
    shown = np.asarray(Image.open(summary.masks / "f4.png"))
    assert np.array_equal(shown == 12, later == 12)
    assert set(np.unique(np.asarray(Image.open(summary.masks / "f3.png")))) <= {0, 7}


def test_a_frame_rate_is_kept_as_a_fraction(segmenter, clip, tmp_path):
    for fps in (Fraction(24000, 1001), 24000 / 1001):
        summary = devos.segment(
            clip / "frames", clip / "first.png", tmp_path / "out", model=segmenter, fps=fps, overwrite=True
        )
        assert json.loads(summary.record.read_text())["input"]["fps"] == "24000/1001"
    with pytest.raises(OptionError, match="--fps"):
        devos.segment(clip / "frames", clip / "first.png", tmp_path / "other", model=segmenter, fps=0.0)
