from __future__ import annotations

import json


def test_bench_tells_both_speeds(devos, weights, tmp_path, write_video, pictures):
    film = tmp_path / "film.mp4"
    write_video(film, pictures(5))
    result = devos("bench", film, "--model", weights, "--size", 64, "--repeats", 1, "--frames", 4)
    assert result.exit_code == 0, result.stderr
    assert "network alone" in result.stdout and "whole job" in result.stdout and "peak memory" in result.stdout


def test_bench_measures_a_job_without_an_overlay_too(devos, weights, tmp_path, write_video, pictures):
    film = tmp_path / "film.mp4"
    write_video(film, pictures(4))
    options = ("--model", weights, "--size", 64, "--repeats", 1, "--frames", 3, "--no-overlay", "--json")
    result = devos("bench", film, *options)
    assert result.exit_code == 0
    content = json.loads(result.stdout)
    assert content["num_objects"] == 1 and content["num_frames"] == 4 and content["fps"] > 0
    assert not content["overlay"]
    assert content["ms_per_frame"].get("write_overlay", 0) < 0.1


def test_a_video_that_is_not_there_is_one_line(devos, tmp_path):
    result = devos("bench", tmp_path / "none.mp4")
    assert result.exit_code == 2 and result.stderr.count("\n") == 1 and "none.mp4" in result.stderr
