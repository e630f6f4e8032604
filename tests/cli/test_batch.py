from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from PIL import Image

NUM_FRAMES = 60


@pytest.fixture
def folder(tmp_path, write_video, pictures, square):
    path = tmp_path / "in"
    path.mkdir()
    for name in ("a", "b"):
        write_video(path / f"{name}.mp4", pictures(NUM_FRAMES))
        Image.fromarray(square).save(path / f"{name}.png")
    return path


@pytest.fixture
def options(weights, tmp_path):
    return ["-o", tmp_path / "out", "--model", weights, "--size", 64, "--runtime", "torch", "--device", "cpu",
            "--no-overlay", "--workers", 2]  # fmt: skip


def begun(folder, options, masks):
    """The command in a process of its own, a few frames into its work."""
    program = "from devos.cli.main import run; run()"
    command = [sys.executable, "-c", program, "batch", folder, *options]
    child = subprocess.Popen([str(part) for part in command], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    wait_until(lambda: len(list(masks.glob("*.png"))) >= 5 or child.poll() is not None)
    return child


def wait_until(is_so):
    until = time.monotonic() + 120
    while not is_so() and time.monotonic() < until:
        time.sleep(0.02)


def test_killed_its_workers_end_by_themselves_and_what_they_did_can_be_gone_on_with(folder, options, tmp_path):
    out = tmp_path / "out" / "a"
    child = begun(folder, options, out / "masks")
    child.kill()
    child.communicate(timeout=120)  # ends once no worker holds its stderr any more
    assert json.loads((out / "run.json").read_text())["status"] == "interrupted"
    assert len(list((out / "masks").glob("*.png"))) < NUM_FRAMES


def test_terminated_it_ends_with_130_and_its_workers_and_the_same_command_goes_on(devos, folder, options, tmp_path):
    masks = tmp_path / "out" / "a" / "masks"
    child = begun(folder, options, masks)
    os.kill(child.pid, signal.SIGTERM)
    printed, said = child.communicate(timeout=120)
    assert child.returncode == 130 and printed == ""
    assert "the same command goes on with it" in said and "Traceback" not in said
    num_done = len(list(masks.glob("*.png")))
    assert 5 <= num_done < NUM_FRAMES

    done = devos("batch", folder, *options)
    summary = json.loads(done.stdout)
    assert done.exit_code == 0 and summary["finished"] == 2
    assert [row["frames"] for row in summary["videos"]] == [NUM_FRAMES] * 2
    assert "2/2" in done.stderr


def test_a_failed_video_is_told_with_exit_code_1_and_what_has_no_masks_with_a_note(devos, folder, options):
    (folder / "a.mp4").write_bytes(b"not a video")
    (folder / "b.png").unlink()
    done = devos("batch", folder, *options)
    assert done.exit_code == 1
    assert "failed: a: " in done.stderr and "--retry" in done.stderr
    assert "note: left out: b.mp4 has no masks" in done.stderr
    summary = json.loads(done.stdout)
    assert summary["failed"] == 1 and summary["left_out"] and summary["videos"][0]["reason"]


def test_a_bad_manifest_is_refused_before_any_work(devos, folder, options, tmp_path):
    manifest = folder / "list.csv"
    manifest.write_text("video,masks,size\na.mp4,a.png,64\nb.mp4,b.png,huge\n")
    done = devos("batch", manifest, *options)
    assert done.exit_code == 2 and done.stdout == ""
    assert "line 3, column size: is a whole number, or auto; got 'huge'" in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_folder_of_frames_is_never_taken_for_a_project(devos, tmp_path, pictures, square, options):
    (tmp_path / "in" / "clip").mkdir(parents=True)
    for index, picture in enumerate(pictures(3)):
        Image.fromarray(picture).save(tmp_path / "in" / "clip" / f"{index}.png")
    Image.fromarray(square).save(tmp_path / "in" / "clip.png")
    done = devos("batch", tmp_path / "in", "-o", tmp_path / "in", *options[2:])
    assert done.exit_code == 2 and done.stdout == ""
    assert "lies where the project clip would be made" in done.stderr
    assert sorted(path.name for path in (tmp_path / "in").iterdir()) == ["clip", "clip.png"]


def test_on_a_terminal_there_is_a_bar_for_all_and_one_for_each_under_way(monkeypatch):
    from io import StringIO

    from devos.cli import progress
    from devos.pipeline.running import Progress

    class Terminal(StringIO):
        def isatty(self):
            return True

    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    with progress.many_bars("videos") as bars:
        bars.count(1, 3)
        bars.show("[a]", Progress(5, 10, 1.0))
        bars.show("b", Progress(2, None, 1.0))
        bars.remove("b")
        bars.line("b: 12 frames")
    shown = terminal.getvalue()
    assert "1/3" in shown and "[a]" in shown and "5/10" in shown and "b: 12 frames" in shown
