from __future__ import annotations

import csv
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter
from safetensors.numpy import save_file

from devos.io import davis_palette


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def labels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "objects.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def record(out: Path) -> dict:
    return json.loads((out / "run.json").read_text())


def assert_refused(result, *fragments: object) -> None:
    """Exit code 2, nothing on stdout, and one line on stderr that has every fragment."""
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert result.stderr.startswith("error: ") and result.stderr.count("\n") == 1
    for fragment in fragments:
        assert str(fragment) in result.stderr


def test_stdout_is_one_json_object_that_names_every_result(segment, out, clip):
    result = segment()
    assert result.exit_code == 0, result.output
    summary = json.loads(result.stdout)
    assert summary["num_frames"] == 8 and summary["object_ids"] == [1]
    for name in ("masks", "overlay", "table", "record"):
        assert Path(summary[name]).exists()
    # No bar where there is no terminal; of the object, which is small at this size, a note.
    assert [line[:5] for line in result.stderr.splitlines()] == ["note:"]


def test_the_masks_have_the_size_of_the_source_and_the_davis_palette(segment, out, square):
    segment()
    files = sorted((out / "masks").iterdir())
    assert [file.name for file in files] == [f"{index:05d}.png" for index in range(8)]
    for file in files:
        with Image.open(file) as picture:
            assert picture.mode == "P" and picture.size == (96, 64)
            assert picture.getpalette()[:768] == davis_palette().ravel().tolist()
    assert np.array_equal(labels(files[0]), square)


def test_the_overlay_has_the_frames_and_the_rate_of_the_source(segment, out, read_video):
    segment()
    rate, frames = read_video(out / "overlay.mp4")
    assert len(frames) == 8 and frames[0].shape == (64, 96, 3)
    assert float(rate) == pytest.approx(30000 / 1001, rel=1e-3)


def test_the_overlay_may_be_left_out(segment, out):
    summary = json.loads(segment("--no-overlay").stdout)
    assert summary["overlay"] is None
    assert not (out / "overlay.mp4").exists()
    assert len(list((out / "masks").iterdir())) == summary["num_frames"]


def test_the_table_has_a_line_for_each_object_and_frame(segment, out):
    segment()
    table = rows(out)
    assert [row["frame"] for row in table] == [f"{index:05d}" for index in range(8)]
    assert {key: table[0][key] for key in ("object", "area", "x_min", "y_min", "x_max", "y_max")} == {
        "object": "1", "area": "576", "x_min": "10", "y_min": "20", "x_max": "33", "y_max": "43",
    }  # fmt: skip


def test_the_record_says_what_ran_on_what_and_how_long(segment, out, clip, weights):
    segment("--memory-every", 3, "--bank", 2, "--no-focus", "--flow", "none")
    run = record(out)
    assert run["status"] == "finished"
    assert run["input"] == {
        "path": str(clip / "clip.mp4"), "width": 96, "height": 64, "fps": "30000/1001", "num_frames": 8,
    }  # fmt: skip
    assert run["settings"]["size"] == 64 and run["settings"]["memory_every"] == 3
    assert run["settings"]["bank"] == 2 and run["settings"]["flow"] == "none" and not run["settings"]["focus"]
    assert len(run["model"]["sha256"]) == 64 and run["model"]["name"] == "devos-t"
    assert run["versions"].keys() >= {"devos", "python", "torch", "numpy", "opencv", "av"}
    timings = json.loads((out / "timings.json").read_text())  # beside the record, which is the same each time
    assert timings["timings"].keys() >= {"decode", "flow", "network", "masks", "write_masks", "write_overlay"}
    assert sum(timings["timings"].values()) >= timings["seconds"] - 0.1  # more where parts ran side by side


def test_several_views_of_each_frame_are_recorded_and_change_the_result(segment, out):
    segment()
    plain = record(out)
    assert plain["settings"]["flip"] is False and plain["settings"]["scales"] == [1.0]
    presence = [row["presence"] for row in rows(out)]
    result = segment("--flip", "--scales", "1,1.5", "--overwrite")
    assert result.exit_code == 0, result.output
    run = record(out)
    assert run["settings"]["flip"] is True and run["settings"]["scales"] == [1.0, 1.5]
    assert run["num_frames"] == 8 and run["object_ids"] == [1]
    assert [row["presence"] for row in rows(out)] != presence


@pytest.mark.parametrize("wrong", ["0.75,3", "1,1", "1,,2", "large"])
def test_scales_that_cannot_be_are_refused_before_any_work(segment, out, wrong):
    assert_refused(segment("--scales", wrong), "--scales are 1 to 5 different multiples of the size", wrong)
    assert not out.exists()


def test_a_folder_of_frames_keeps_its_names_and_takes_a_rate(segment, out, read_video):
    result = segment("--fps", 12.5, video="frames")
    assert result.exit_code == 0, result.output
    assert {file.stem for file in (out / "masks").iterdir()} == {f"f{number}" for number in range(1, 9)}
    assert float(read_video(out / "overlay.mp4")[0]) == pytest.approx(12.5)


def test_objects_may_come_in_at_a_later_frame_and_the_frames_before_are_empty(segment, out, clip, square):
    (clip / "given").mkdir()
    Image.fromarray(square * 7).save(clip / "given" / "00003.png")
    result = segment(masks="given")
    assert result.exit_code == 0 and json.loads(result.stdout)["object_ids"] == [7]
    assert "note: frames 00000 to 00002 come before the first mask; their masks are empty" in result.stderr
    assert not labels(out / "masks" / "00002.png").any()
    assert np.array_equal(labels(out / "masks" / "00003.png"), square * 7)


def test_the_name_of_a_missing_file_is_told(segment, out):
    assert_refused(segment(video="nowhere.mp4"), "nowhere.mp4", "no such file")
    assert_refused(segment(masks="nowhere.png"), "nowhere.png", "no such file")
    assert not out.exists()


def test_what_is_no_video_is_refused(segment, out, clip):
    (clip / "notes.txt").write_text("not a film")
    (clip / "empty").mkdir()
    assert_refused(segment(video="notes.txt"), "notes.txt", "not a video", "mp4")
    assert_refused(segment(video="empty"), "empty", "empty folder")
    assert not out.exists()


def test_a_mask_of_another_size_is_refused_with_both_sizes_unless_it_may_be_resized(segment, out, clip, square):
    Image.fromarray(square).resize((48, 32), Image.Resampling.NEAREST).save(clip / "small.png")
    assert_refused(segment(masks="small.png"), "small.png", "48x32", "96x64", "--resize-masks")
    assert not out.exists()
    assert segment("--resize-masks", masks="small.png").exit_code == 0
    assert np.array_equal(labels(out / "masks" / "00000.png"), square)


def test_a_mask_without_objects_is_refused(segment, out, clip, square):
    Image.fromarray(square * 0).save(clip / "black.png")
    assert_refused(segment(masks="black.png"), "black.png", "all background")
    assert not out.exists()


def test_a_photograph_is_no_mask(segment, out, clip):
    noise = np.random.default_rng(1).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    Image.fromarray(noise).save(clip / "photo.png")
    assert_refused(segment(masks="photo.png"), "photo.png", "photograph")
    assert not out.exists()


def test_soft_edges_are_refused_unless_they_may_be_made_hard(segment, out, clip, square):
    Image.fromarray(square * 255).filter(ImageFilter.GaussianBlur(1)).save(clip / "soft.png")
    assert_refused(segment(masks="soft.png"), "soft.png", "anti-aliased", "--snap-masks")
    assert not out.exists()
    assert segment("--snap-masks", masks="soft.png").exit_code == 0
    assert set(np.unique(labels(out / "masks" / "00000.png"))) == {0, 1}


def test_a_mask_that_is_named_as_no_frame_is_refused(segment, out, clip, square):
    (clip / "given").mkdir()
    Image.fromarray(square).save(clip / "given" / "00099.png")
    assert_refused(segment(masks="given"), "00099.png", "no frame", "00000 to 00007")
    assert not out.exists()


def damage(picture: Path) -> None:
    """Keep the header, lose the pixels."""
    picture.write_bytes(picture.read_bytes()[:200])


def test_a_bad_frame_in_the_middle_is_named_and_what_was_done_stays_readable(segment, out, clip, read_video):
    damage(clip / "frames" / "f5.png")
    assert_refused(segment(video="frames"), "f5.png", "--skip-bad-frames")
    assert record(out)["status"] == "failed" and "f5.png" in record(out)["error"]
    assert {file.stem for file in (out / "masks").iterdir()} == {"f1", "f2", "f3", "f4"}
    assert len(read_video(out / "overlay.mp4")[1]) == 4
    assert len(rows(out)) == 4


def test_bad_frames_are_left_out_where_that_is_allowed_and_told(segment, out, clip):
    damage(clip / "frames" / "f5.png")
    result = segment("--skip-bad-frames", video="frames")
    assert result.exit_code == 0, result.output
    assert [skipped["frame"] for skipped in json.loads(result.stdout)["skipped"]] == ["f5.png"]
    assert "note: 1 bad frame was left out" in result.stderr
    assert not (out / "masks" / "f5.png").exists() and (out / "masks" / "f6.png").exists()


def test_a_video_whose_only_marked_frame_is_bad_has_nothing_to_follow(segment, clip):
    damage(clip / "frames" / "f1.png")
    assert_refused(segment("--skip-bad-frames", video="frames"), "first.png", "nothing to follow", "f1")


def test_a_folder_with_something_in_it_is_kept_unless_it_may_be_overwritten(segment, out):
    assert segment().exit_code == 0
    (out / "mine.txt").write_text("keep")
    assert_refused(segment(), out, "already holds 20 files", "--overwrite")
    assert segment("--overwrite").exit_code == 0
    assert (out / "mine.txt").read_text() == "keep"


def test_bad_weights_are_refused_before_an_earlier_run_is_removed(segment, out, clip, weights, tmp_path):
    assert segment().exit_code == 0
    cut, other = tmp_path / "cut.safetensors", tmp_path / "other.safetensors"
    cut.write_bytes(weights.read_bytes()[:-1000])
    save_file({"x": np.zeros(3, np.float32)}, other)
    assert_refused(segment("--overwrite", model=cut), cut, "damaged")
    assert_refused(segment("--overwrite", model=other), other, "another program")
    assert_refused(segment("--overwrite", model="devos-x"), "devos-x", "no weights")
    assert_refused(segment("--overwrite", model=tmp_path / "no.safetensors"), "no.safetensors", "no weights file")
    assert len(list((out / "masks").iterdir())) == 8


@pytest.mark.parametrize(
    ("options", "fragment"),
    [
        (("--size", 5), "--size"),
        (("--bank", 0), "--bank"),
        (("--memory-every", 0), "--memory-every"),
        (("--flow", "magic"), "magic"),
        (("--device", "toaster"), "toaster"),
        (("--fps", 10), "--fps"),
    ],
)
def test_options_out_of_range_are_refused(segment, out, options, fragment):
    assert_refused(segment(*options), fragment)
    assert not out.exists()


def test_a_disk_that_fills_up_leaves_nothing_half_written(segment, out, clip, pictures, write_video):
    noise = np.random.default_rng(0).integers(0, 256, (120, 64, 96, 3), dtype=np.uint8)
    write_video(clip / "clip.mp4", list(noise))
    _, hard = limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, hard))  # the overlay grows beyond it, the masks do not
    try:
        result = segment()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert_refused(result, "overlay.mp4", "cannot be written")
    assert not list(out.rglob("*partial*"))
    masks = sorted((out / "masks").iterdir())
    assert all(labels(file).shape == (64, 96) for file in masks)
    assert all(None not in row.values() for row in rows(out)) and len(rows(out)) == len(masks)
    assert record(out)["status"] == "failed"


@pytest.mark.parametrize("limit", [2000, 2037, 2071])
def test_a_disk_that_fills_up_leaves_no_half_line_and_the_run_can_go_on(
    segment, out, clip, square, pictures, write_video, limit
):
    """At any byte: with two objects, a frame's lines are there or not."""
    write_video(clip / "clip.mp4", pictures(30))
    Image.fromarray(square + 2 * np.roll(square, 40, 1)).save(clip / "two.png")
    _, hard = limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        result = segment("--flow", "none", "--no-overlay", masks="two.png")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert result.exit_code == 2 and result.stderr.count("\n") == 1
    assert not list(out.rglob("*partial*"))
    assert all(None not in row.values() for row in rows(out)) and len(rows(out)) % 2 == 0
    assert all(labels(file).shape == (64, 96) for file in (out / "masks").iterdir())
    assert segment("--flow", "none", "--no-overlay", "--resume", masks="two.png").exit_code == 0
    assert len(rows(out)) == 60


def test_ctrl_c_leaves_what_is_done_readable(clip, weights, out, pictures, write_video, read_video):
    write_video(clip / "long.mp4", pictures(400))
    program = "from devos.cli.main import run; run()"
    command = [sys.executable, "-c", program, "segment", clip / "long.mp4", "-m", clip / "first.png", "-o", out]
    process = subprocess.Popen(
        [*map(str, command), "--model", str(weights), "--size", "64"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    until = time.monotonic() + 60
    while not (out / "masks" / "00005.png").exists() and time.monotonic() < until:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130 and stdout == "" and "stopped" in stderr and "Traceback" not in stderr
    assert record(out)["status"] == "interrupted"
    num_masks = len([file for file in (out / "masks").iterdir() if labels(file).shape == (64, 96)])
    assert 6 <= num_masks < 400
    assert abs(len(read_video(out / "overlay.mp4")[1]) - num_masks) <= 1
    assert abs(len(rows(out)) - num_masks) <= 1
    assert not list(out.rglob("*partial*"))


def test_the_output_may_not_be_a_file(segment, out):
    out.write_text("a file")
    assert_refused(segment(), out, "a file, not a folder")
    shutil.rmtree(out, ignore_errors=True)
