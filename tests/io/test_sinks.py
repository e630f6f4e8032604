from __future__ import annotations

import csv
import json
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from devos.errors import OutputError
from devos.frames import Frame, FrameSize, MaskFrame, ObjectScore
from devos.io import MaskFolder, ObjectsTable, OverlayVideo, open_video, prepare_output, write_json
from devos.io.drawing import colour_of, draw_overlay
from devos.io.overlay import read_groups

FPS = Fraction(30000, 1001)


def frame(index: int, size: tuple[int, int] = (48, 64), time_s: float | None = None) -> Frame:
    grey = np.full((*size, 3), 100, np.uint8)
    return Frame(index, float(index / FPS) if time_s is None else time_s, f"{index:05d}", grey)


def masks(index: int, size: tuple[int, int] = (48, 64), confidence: float = 0.9) -> MaskFrame:
    """Object 1 has a box; object 2 is not there."""
    labels = np.zeros(size, np.uint16)
    labels[20:40, 10:30] = 1
    scores = (ObjectScore(1, 1.0, confidence), ObjectScore(2, 0.25, 0.0))
    return MaskFrame(index, float(index / FPS), f"{index:05d}", labels, scores)


@contextmanager
def full_disk() -> Iterator[None]:
    """No file may grow beyond 2000 bytes: writing more fails, as on a full disk.

    Not a fixture, since pytest writes its own report between a test's body and its end, and would meet the limit.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)


# --- masks ---


def test_masks_are_written_under_the_names_of_their_frames(tmp_path):
    with MaskFolder(tmp_path / "masks") as sink:
        sink.write(masks(7))
    with Image.open(tmp_path / "masks" / "00007.png") as picture:
        assert np.array_equal(np.array(picture), masks(7).labels)


def test_a_full_disk_leaves_no_half_mask(tmp_path):
    noise = np.random.default_rng(0).integers(0, 200, (100, 100)).astype(np.uint16)
    with (
        MaskFolder(tmp_path) as sink,
        full_disk(),
        pytest.raises(OutputError, match=r"00000\.png: cannot be written \(.+\)"),
    ):
        sink.write(MaskFrame(0, 0.0, "00000", noise, ()))
    assert list(tmp_path.iterdir()) == []


def test_a_mask_folder_where_a_file_is_cannot_be_made(tmp_path):
    (tmp_path / "masks").touch()
    with pytest.raises(OutputError, match="masks: cannot be written"):
        MaskFolder(tmp_path / "masks")


# --- table ---


def test_the_table_has_a_line_for_each_object_and_empty_boxes_for_absent_ones(tmp_path):
    with ObjectsTable(tmp_path / "objects.csv") as sink:
        sink.write(masks(3))
    with (tmp_path / "objects.csv").open(newline="") as file:
        first, second = csv.DictReader(file)
    assert first == {
        "frame": "00003",
        "index": "3",
        "object": "1",
        "presence": "1.0000",
        "confidence": "0.9000",
        "area": "400",
        "x_min": "10",
        "y_min": "20",
        "x_max": "29",
        "y_max": "39",
    }
    assert (second["object"], second["area"], second["x_min"], second["y_max"]) == ("2", "0", "", "")


def test_each_line_of_the_table_is_on_the_disk_at_once(tmp_path):
    sink = ObjectsTable(tmp_path / "objects.csv")
    sink.write(masks(0))
    assert len((tmp_path / "objects.csv").read_text().splitlines()) == 3
    sink.close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_under_the_table_is_one_line():
    with pytest.raises(OutputError, match="/dev/full: cannot be written"):
        ObjectsTable("/dev/full")


# --- overlay ---


def write_overlay(path: Path, frames: list[Frame], fps: Fraction = FPS) -> None:
    with OverlayVideo(path, fps, frames[0].size) as sink:
        for one in frames:
            sink.write(one, masks(one.index, tuple(one.size)))


def test_an_overlay_has_every_frame_at_the_rate_of_the_source(tmp_path):
    write_overlay(tmp_path / "overlay.mp4", [frame(index) for index in range(40)])
    with open_video(tmp_path / "overlay.mp4") as video:
        assert (video.fps, video.num_frames, video.size) == (FPS, 40, (48, 64))
        times = [one.time_s for one in video]
    assert times == pytest.approx([float(index / FPS) for index in range(40)], abs=1e-4)
    assert [path.name for path in tmp_path.iterdir()] == ["overlay.mp4"]
    with av.open(str(tmp_path / "overlay.mp4")) as container:
        assert container.streams.video[0].codec_context.pix_fmt == "yuv420p"


def test_an_overlay_keeps_varying_frame_times(tmp_path):
    times = [0.0, 0.05, 0.5, 0.52, 1.3]
    write_overlay(tmp_path / "overlay.mp4", [frame(index, time_s=time_s) for index, time_s in enumerate(times)])
    with open_video(tmp_path / "overlay.mp4") as video:
        assert [one.time_s for one in video] == pytest.approx(times, abs=1e-4)


@pytest.mark.parametrize("size", [(47, 63), (48, 63), (47, 64)])
def test_odd_sizes_grow_by_a_pixel(tmp_path, size):
    write_overlay(tmp_path / "overlay.mp4", [frame(0, size)])
    with open_video(tmp_path / "overlay.mp4") as video:
        assert video.size == (48, 64)


def test_objects_are_tinted_and_the_rest_is_left_as_it_was(tmp_path):
    write_overlay(tmp_path / "overlay.mp4", [frame(0)])
    (shown,) = open_video(tmp_path / "overlay.mp4")
    assert np.abs(shown.rgb[44, 60].astype(int) - 100).max() < 8
    expected = 100 * 0.58 + np.array(colour_of(1)) * 0.42
    assert np.abs(shown.rgb[35, 20].astype(int) - expected).max() < 16


def test_drawing_changes_neither_the_frame_nor_the_masks():
    original = frame(0)
    draw_overlay(original, masks(0))
    assert (original.rgb == 100).all()


def test_low_confidence_is_written_beside_the_id():
    sure, unsure = (draw_overlay(frame(0), masks(0, confidence=value)) for value in (0.9, 0.4))
    assert not np.array_equal(sure, unsure)


def test_an_overlay_that_is_interrupted_keeps_what_was_written(tmp_path):
    with pytest.raises(KeyboardInterrupt), OverlayVideo(tmp_path / "overlay.mp4", FPS, FrameSize(48, 64)) as sink:
        for index in range(10):
            sink.write(frame(index), masks(index))
        raise KeyboardInterrupt
    assert len(list(open_video(tmp_path / "overlay.mp4"))) == 10


def test_an_overlay_whose_process_is_killed_can_be_played(tmp_path):
    program = f"""
import os, numpy as np
from fractions import Fraction
from devos.frames import Frame, FrameSize, MaskFrame
from devos.io import OverlayVideo
sink = OverlayVideo({str(tmp_path / "overlay.mp4")!r}, Fraction(10), FrameSize(48, 64))
for index in range(120):
    rgb = np.random.default_rng(index).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    sink.write(Frame(index, index / 10, str(index), rgb), MaskFrame(index, 0.0, "", np.zeros((48, 64), np.uint16), ()))
os._exit(9)
"""
    subprocess.run([sys.executable, "-c", program], check=False, timeout=60)
    with open_video(tmp_path / "overlay.partial.mp4", skip_bad_frames=True) as video:
        assert len(list(video)) >= 20


def test_an_overlay_without_frames_leaves_nothing(tmp_path):
    with OverlayVideo(tmp_path / "overlay.mp4", FPS, FrameSize(48, 64)):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_no_half_overlay(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    with (
        full_disk(),
        pytest.raises(OutputError, match=r"overlay\.mp4: cannot be written"),
        OverlayVideo(tmp_path / "overlay.mp4", FPS, FrameSize(48, 64)) as sink,
    ):
        for index in range(200):
            sink.write(Frame(index, float(index / FPS), str(index), np.roll(noise, index)), masks(index))
    assert list(tmp_path.iterdir()) == []


def test_an_overlay_in_a_folder_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(OutputError, match="cannot be written"):
        OverlayVideo(tmp_path / "none" / "overlay.mp4", FPS, FrameSize(48, 64))


def film(path: Path, marked_at: dict[int, int], copy_from: Path | None = None, num_frames: int = 11) -> bytes:
    """An overlay whose object is at other places on the frames named; unnamed groups are taken from another one."""
    noise = np.random.default_rng(0).integers(0, 255, (32, 49, 3), np.uint8)
    with OverlayVideo(path, Fraction(2), FrameSize(32, 49)) as overlay:
        assert overlay.group_size == 4
        groups = [] if copy_from is None else list(read_groups(copy_from, 4))
        for index in range(num_frames):
            group = index // 4
            if group < len(groups) and not any(marked // 4 == group for marked in marked_at):
                if index % 4 == 0:
                    overlay.copy(groups[group], 0.0)
                continue
            labels = np.zeros((32, 49), np.uint16)
            labels[4:20, 3 + marked_at.get(index, 0) : 20] = 1
            time_s = index / 2 + (0.2 if index > 5 else 0)
            frame = Frame(index, time_s, f"{index}", np.roll(noise, index, 1))
            overlay.write(frame, MaskFrame(index, time_s, frame.name, labels, ()))
    return path.read_bytes()


def test_groups_of_an_overlay_that_have_not_changed_are_taken_over_and_give_the_bytes_of_a_new_one(tmp_path):
    before, after = film(tmp_path / "a.mp4", {}), film(tmp_path / "b.mp4", {5: 6})
    assert before != after == film(tmp_path / "c.mp4", {5: 6}, copy_from=tmp_path / "a.mp4")
    assert before == film(tmp_path / "d.mp4", {}, copy_from=tmp_path / "a.mp4")


# --- run.json and the folder ---


def test_json_is_read_back_as_it_was(tmp_path):
    write_json(tmp_path / "run.json", {"video": "bunny.mp4", "objects": [1, 2]})
    assert json.loads((tmp_path / "run.json").read_text()) == {"video": "bunny.mp4", "objects": [1, 2]}


def test_a_full_disk_leaves_the_old_json(tmp_path):
    write_json(tmp_path / "run.json", {"run": 1})
    with full_disk(), pytest.raises(OutputError, match=r"run\.json: cannot be written"):
        write_json(tmp_path / "run.json", {"run": "x" * 5000})
    assert json.loads((tmp_path / "run.json").read_text()) == {"run": 1}
    assert len(list(tmp_path.iterdir())) == 1


def test_a_new_output_folder_is_made_with_its_parents(tmp_path):
    prepare_output(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()


@pytest.fixture
def earlier_run(tmp_path):
    folder = tmp_path / "out"
    (folder / "masks").mkdir(parents=True)
    for name in ("masks/00000.png", "overlay.mp4", "overlay.partial.mp4", "objects.csv", "run.json"):
        (folder / name).touch()
    return folder


def test_a_folder_with_files_is_refused_with_their_number(earlier_run):
    with pytest.raises(OutputError, match=r"out: already holds 5 files .*--overwrite"):
        prepare_output(earlier_run)
    assert (earlier_run / "run.json").exists()


def test_overwriting_removes_only_what_a_run_writes(earlier_run):
    (earlier_run / "notes.txt").touch()
    (earlier_run / "masks" / "notes.txt").touch()
    prepare_output(earlier_run, overwrite=True)
    left = sorted(str(path.relative_to(earlier_run)) for path in earlier_run.rglob("*") if path.is_file())
    assert left == ["masks/notes.txt", "notes.txt"]


def test_overwriting_never_removes_an_input(earlier_run):
    with pytest.raises(OutputError, match="would be removed"):
        prepare_output(earlier_run, overwrite=True, inputs=[earlier_run / "masks"])
    assert (earlier_run / "masks" / "00000.png").exists()


def test_a_file_is_no_output_folder(tmp_path):
    (tmp_path / "out").touch()
    with pytest.raises(OutputError, match="a file, not a folder"):
        prepare_output(tmp_path / "out")
