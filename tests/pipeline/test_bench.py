from __future__ import annotations

import json

import numpy as np
import pytest

import devos
from devos.errors import OptionError
from devos.frames import FrameSize
from devos.pipeline.bench import bench, disks


@pytest.fixture(scope="module")
def film(tmp_path_factory, write_video, pictures):
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    write_video(path, pictures(6))
    return path


@pytest.fixture(scope="module")
def report(film, weights):
    told = []
    made = bench(film, film, lambda: devos.load(weights, size=64), objects=12, repeats=2, watch=told.append)
    assert told == ["the network alone", "the whole job, 1 of 2", "the whole job, 2 of 2"]
    return made


def test_a_report_says_what_was_measured_and_on_what(report):
    assert (report.num_frames, report.num_objects, report.frame, report.settings["size"]) == (6, 12, "96x64", 64)
    assert report.precision == "float32" and report.machine["versions"]["torch"] and report.machine["cpu"]
    assert json.loads(json.dumps(report.as_json()))["fps_of_each"] == list(report.fps_of_each)


def test_times_fit_together(report):
    assert len(report.fps_of_each) == 2 and min(report.fps_of_each) <= report.fps <= max(report.fps_of_each)
    assert report.network_fps > 0 and report.load_seconds > 0 and report.first_mask_seconds > 0
    assert report.peak_mib > 50
    # The network's part of the job cannot be much less than the time that it takes alone.
    assert report.ms_per_frame["network"] > 0.2 * 1000 / report.network_fps


def test_disks_are_as_many_objects_as_asked_for():
    for count in (1, 2, 10, 50):
        labels = disks(FrameSize(480, 854), count)
        assert np.unique(labels).tolist() == list(range(count + 1))


@pytest.mark.parametrize("count", [0, -1, 5000])
def test_disks_that_do_not_fit_are_refused(count):
    with pytest.raises(OptionError, match="--objects is a number from 1"):
        disks(FrameSize(64, 96), count)


def test_too_few_repeats_or_frames_are_refused_before_anything_is_loaded(film):
    def load():
        raise AssertionError("loaded")

    for wrong in ({"repeats": 0}, {"frames": 2}):
        with pytest.raises(OptionError, match=f"--{next(iter(wrong))} is a number from"):
            bench(film, film, load, **wrong)
