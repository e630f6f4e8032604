from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


@pytest.fixture
def done(segment, clip, square, out):
    """A project of two objects."""
    labels = square.copy()
    labels[50:60, 60:80] = 2
    Image.fromarray(labels).save(clip / "two.png")
    assert segment(masks="two.png").exit_code == 0
    return out


def labels(path):
    return np.asarray(Image.open(path))


def files(out):
    return {path.relative_to(out): path.read_bytes() for path in out.rglob("*") if path.is_file()
            and path.relative_to(out).parts[0] != "project" and path.name != "timings.json"}  # fmt: skip


def test_a_correction_is_one_command_and_undo_gives_the_old_bytes_back(done, devos, tmp_path):
    before = files(done)
    mask = labels(done / "masks" / "00004.png").copy()
    mask[0:8, 0:8] = 2
    Image.fromarray(mask).save(tmp_path / "00004.png")
    result = devos("correct", done, "-m", tmp_path / "00004.png", "--objects", "2", "--to", 6)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["step"] == 2
    after = files(done)
    changed = {path.as_posix() for path in after if after[path] != before.get(path)}
    assert changed - {"masks/00005.png", "masks/00006.png"} == {
        "masks/00004.png", "objects.csv", "overlay.mp4", "run.json",
    }  # fmt: skip
    assert np.array_equal(labels(done / "masks" / "00004.png") == 2, mask == 2)
    assert devos("undo", done).exit_code == 0 and files(done) == before
    assert devos("redo", done).exit_code == 0 and files(done) == after


def test_status_tells_people_and_programs_how_a_project_stands(done, devos):
    text = devos("status", done).stdout
    assert "frames with masks: 8 of 8" in text and "object 2: seen on" in text and "step 1: segment" in text
    status = json.loads(devos("status", done, "--json").stdout)
    assert status["state"] == "finished" and status["remaining"] == [] and set(status["objects"]) == {"1", "2"}


def test_objects_are_taken_out_and_said_to_be_absent(done, devos):
    assert devos("correct", done, "--absent", "4:2", "--to", 4).exit_code == 0
    assert not (labels(done / "masks" / "00004.png") == 2).any()
    assert devos("correct", done, "--remove", "1").exit_code == 0
    assert not any((labels(path) == 1).any() for path in (done / "masks").iterdir())


@pytest.mark.parametrize(
    ("options", "fragment"),
    [
        ((), "nothing to correct"),
        (("--absent", "4"), "as in 40:2,5"),
        (("--remove", "two"), "as in 2,5"),
        (("--remove", "9"), "no object 9"),
        (("--absent", "99:1"), "0 to 7"),
        (("--absent", "4:1", "--from", 6), "lie outside --from and --to"),
        (("--absent", "4:1", "--from", 6, "--to", 5), "at or before"),
        (("--absent", "4:1", "--direction", "up"), "forward, backward, both"),
    ],
)
def test_a_correction_that_makes_no_sense_is_refused_and_changes_nothing(done, devos, options, fragment):
    before = files(done)
    result = devos("correct", done, *options)
    assert result.exit_code == 2 and result.stderr.startswith("error: ") and fragment in result.stderr
    assert files(done) == before and json.loads(devos("status", done, "--json").stdout)["steps"][-1]["step"] == 1


def test_a_mask_that_is_named_as_no_frame_needs_its_frame_said(done, devos, clip):
    result = devos("correct", done, "-m", clip / "first.png")
    assert result.exit_code == 2 and "--frame" in result.stderr


def test_a_folder_without_a_project_is_refused(devos, tmp_path):
    for command in ("status", "undo", "redo", "resume"):
        result = devos(command, tmp_path)
        assert result.exit_code == 2 and "holds no project" in result.stderr


def test_resuming_with_anything_changed_is_refused_with_what_differs(segment, clip, square, out, write_video, pictures):
    assert segment().exit_code == 0
    before = files(out)
    Image.fromarray(np.roll(square, 3, 1)).save(clip / "other.png")
    assert "the masks: " in segment("--resume", masks="other.png").stderr
    refused = segment("--resume", "--bank", 3, "--flow", "none")
    assert refused.exit_code == 2 and "--bank: 3, begun with 6" in refused.stderr and "--flow" in refused.stderr
    write_video(clip / "clip.mp4", pictures(9)[1:])
    assert "the video: " in segment("--resume").stderr
    assert files(out) == before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_however_a_run_is_stopped_it_goes_on_to_the_bytes_of_an_unbroken_one(
    segment, clip, weights, out, pictures, write_video, number, tmp_path
):
    write_video(clip / "clip.mp4", pictures(90))
    program = "from devos.cli.main import run; run()"
    command = [sys.executable, "-c", program, "segment", clip / "clip.mp4", "-m", clip / "first.png", "-o", out]
    process = subprocess.Popen(
        [*map(str, command), "--model", str(weights), "--size", "64", "--runtime", "torch"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    until = time.monotonic() + 60
    while not (out / "masks" / "00045.png").exists() and time.monotonic() < until:
        time.sleep(0.02)
    process.send_signal(number)
    _, stderr = process.communicate(timeout=60)
    assert "Traceback" not in stderr
    if number != signal.SIGKILL:
        assert process.returncode == 130 and "go on with" in stderr
        assert json.loads((out / "run.json").read_text())["status"] == "interrupted"
        assert not list(out.rglob("*partial*"))
    assert len(list((out / "masks").glob("*.png"))) < 90
    assert segment("--resume").exit_code == 0
    resumed = files(out)
    assert segment("--overwrite").exit_code == 0
    assert files(out) == resumed


def test_resuming_what_was_never_begun_begins_it(segment, out):
    assert segment("--resume").exit_code == 0
    assert len(list((out / "masks").iterdir())) == 8
    before = files(out)
    assert segment("--resume").exit_code == 0 and files(out) == before  # there is nothing left to do


def test_a_run_that_was_cut_off_before_its_first_step_is_begun_by_resuming(segment, out):
    import shutil

    assert segment().exit_code == 0
    before = files(out)
    shutil.rmtree(out / "project" / "history")
    shutil.rmtree(out / "masks")
    assert segment("--resume").exit_code == 0 and files(out) == before


def test_a_second_run_into_a_folder_that_is_written_to_is_refused_also_with_overwrite(segment, out, done):
    from devos.project.folder import ProjectFolder

    before = files(done)
    with ProjectFolder(out).writing():
        refused = segment("--overwrite", masks="two.png")
    assert refused.exit_code == 2 and "another devos is writing there" in refused.stderr
    assert files(done) == before
