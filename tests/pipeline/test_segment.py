from __future__ import annotations

import csv
import json
import time
import weakref
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

import devos
from devos.engine.session import Answer, Session
from devos.errors import OptionError, OutputError, VideoError
from devos.frames import Frame, FrameSize
from devos.io import MaskFolder, VideoReader


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


def assert_whole(out, num_frames, read_video):
    """Every result has so many frames, and no file is half written."""
    assert json.loads((out / "run.json").read_text())["num_frames"] == num_frames
    assert len(list((out / "masks").iterdir())) == num_frames
    assert all(np.asarray(Image.open(mask)).shape == (64, 96) for mask in (out / "masks").iterdir())
    assert len(read_video(out / "overlay.mp4")[1]) == num_frames
    with (out / "objects.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == num_frames
    assert not list(out.rglob("*partial*"))


def test_an_interruption_leaves_every_result_readable_and_is_passed_on(segmenter, clip, tmp_path, pictures,
                                                                       write_video, read_video):  # fmt: skip
    out = tmp_path / "out"
    write_video(clip / "long.mp4", pictures(30))  # many more than are on their way between the threads

    def stop(progress):
        if progress.num_done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        devos.segment(clip / "long.mp4", clip / "first.png", out, model=segmenter, progress=stop)
    record = json.loads((out / "run.json").read_text())
    assert record["status"] == "interrupted"
    assert 3 <= record["num_frames"] < 30  # what was followed by then is written
    assert_whole(out, record["num_frames"], read_video)


# Side by side


def test_side_by_side_gives_the_bits_of_one_after_the_other(segmenter, clip, tmp_path):
    """With several views, and masks given in the middle, so that all that is prepared ahead is used."""
    several = segmenter.with_settings(flip=True)
    summary = devos.segment(clip / "clip.mp4", clip / "first.png", tmp_path / "out", model=several)
    with devos.open_video(clip / "clip.mp4") as video:
        given = {0: np.asarray(Image.open(clip / "first.png"))}
        alone = list(several.session().run(video, given))
    assert len(alone) == summary.num_frames == 8
    for masks in alone:
        assert np.array_equal(np.asarray(Image.open(summary.masks / f"{masks.name}.png")), masks.labels)
    with summary.table.open(newline="") as file:
        confidences = [float(row["confidence"]) for row in csv.DictReader(file)]
    assert confidences == [masks.scores[0].confidence for masks in alone]


def test_a_frame_that_cannot_be_read_is_told_after_all_before_it_are_written(segmenter, clip, tmp_path, read_video):
    (clip / "frames" / "f6.png").write_bytes((clip / "frames" / "f6.png").read_bytes()[:300])
    with pytest.raises(VideoError, match=r"frame f6\.png cannot be read .*--skip-bad-frames"):
        devos.segment(clip / "frames", clip / "first.png", tmp_path / "out", model=segmenter)
    assert_whole(tmp_path / "out", 5, read_video)
    assert json.loads((tmp_path / "out" / "run.json").read_text())["status"] == "failed"


def test_only_bad_frames_before_the_end_of_the_results_are_told_of(segmenter, clip, tmp_path, monkeypatch):
    for name in ("f2.png", "f6.png"):
        (clip / "frames" / name).write_bytes((clip / "frames" / name).read_bytes()[:300])
    options = {"model": segmenter, "skip_bad_frames": True, "overlay": False}
    summary = devos.segment(clip / "frames", clip / "first.png", tmp_path / "all", **options)
    assert [skipped["frame"] for skipped in summary.skipped] == ["f2.png", "f6.png"]
    assert summary.num_frames == 6
    advance = Session.advance

    def fail_on_f4(session, frame, labels, **given):
        if frame.frame.name == "f4":
            time.sleep(0.2)  # f6 was found to be bad by now
            raise RuntimeError("no memory")
        return advance(session, frame, labels, **given)

    monkeypatch.setattr(Session, "advance", fail_on_f4)
    with pytest.raises(RuntimeError, match="no memory"):
        devos.segment(clip / "frames", clip / "first.png", tmp_path / "some", **options)
    record = json.loads((tmp_path / "some" / "run.json").read_text())
    assert record["num_frames"] == 2 and [skipped["frame"] for skipped in record["skipped"]] == ["f2.png"]


def test_what_cannot_be_written_ends_the_run_and_the_frames_before_are_whole(
    segmenter, clip, tmp_path, monkeypatch, read_video
):
    write = MaskFolder.write

    def fill_the_disk(folder, masks):
        if masks.index == 3:
            raise OutputError("the disk is full")
        return write(folder, masks)

    monkeypatch.setattr(MaskFolder, "write", fill_the_disk)
    with pytest.raises(OutputError, match="the disk is full"):
        devos.segment(clip / "frames", clip / "first.png", tmp_path / "out", model=segmenter)
    assert_whole(tmp_path / "out", 3, read_video)


@pytest.mark.parametrize("slow", ["the network", "writing"])
def test_however_long_the_video_few_of_its_frames_are_held(segmenter, clip, tmp_path, monkeypatch, pictures, slow):
    """Frames live as long as someone holds them; most are held where writing is slow, for then both queues fill."""
    living, most, pause = set(), 0, lambda part: part == slow and time.sleep(0.02)
    picture = pictures(1)[0]

    class Film(VideoReader):
        fps, size, names, num_frames, num_frames_is_exact = Fraction(25), FrameSize(64, 96), None, None, False

        def _read_backwards(self, start, stop):
            raise AssertionError

        def _read(self, start, stop):
            for index in range(start, 60):
                frame = Frame(index, index / 25, f"{index:05d}", picture.copy())
                living.add(index)
                weakref.finalize(frame, living.discard, index)
                yield frame
                del frame

    follow = Session.advance

    def advance(session, prepared, labels, **given):
        nonlocal most
        if labels is not None:
            return follow(session, prepared, labels, **given)
        pause("the network")
        most = max(most, len(living))
        frame = prepared.frame
        return Answer(frame, None, (), None, ())

    film = Film(clip / "clip.mp4", skip_bad_frames=False, on_skip=None)
    monkeypatch.setattr("devos.pipeline.opening.open_video", lambda *_, **__: film)
    monkeypatch.setattr(Session, "advance", advance)
    write = MaskFolder.write
    monkeypatch.setattr(MaskFolder, "write", lambda *given: pause("writing") or write(*given))
    options = {"model": segmenter, "flow": "none", "overlay": False}
    summary = devos.segment(clip / "clip.mp4", clip / "first.png", tmp_path / "out", **options)
    assert summary.num_frames == 60
    assert 1 <= most <= 9


def test_time_is_told_by_part_whichever_thread_it_was_spent_in(segmenter, clip, tmp_path):
    summary = devos.segment(clip / "clip.mp4", clip / "first.png", tmp_path / "out", model=segmenter)
    parts = {
        "check",
        "load",
        "decode",
        "resize",
        "flow",
        "encode",
        "look",
        "waiting",
        "network",
        "masks",
        "write_masks",
        "write_overlay",
    }
    assert set(summary.timings) == parts | {"other"}
    assert all(seconds > 0 for part, seconds in summary.timings.items() if part not in ("load", "resize", "other"))
    in_turn = ("check", "load", "network", "waiting", "other")
    assert sum(summary.timings[part] for part in in_turn) == pytest.approx(summary.seconds, abs=0.02)


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


def test_the_user_is_told_which_objects_are_small_for_the_network_and_what_to_do(segmenter, clip, tmp_path, square):
    dot = np.zeros_like(square)
    dot[2:5, 2:5] = 9
    Image.fromarray(np.maximum(square * 7, dot)).save(clip / "two.png")
    summary = devos.segment(clip / "clip.mp4", clip / "two.png", tmp_path / "out", model=segmenter, size=192)
    (note,) = (note for note in summary.notes if "--size" in note)
    assert "9 (9 px)" in note and "7 (" not in note and "--size 640" in note and "11 times" in note
    summary = devos.segment(clip / "clip.mp4", clip / "first.png", tmp_path / "large", model=segmenter, size=192)
    assert not any("--size" in note for note in summary.notes)


def test_a_frame_rate_is_kept_as_a_fraction(segmenter, clip, tmp_path):
    for fps in (Fraction(24000, 1001), 24000 / 1001):
        summary = devos.segment(
            clip / "frames", clip / "first.png", tmp_path / "out", model=segmenter, fps=fps, overwrite=True
        )
        assert json.loads(summary.record.read_text())["input"]["fps"] == "24000/1001"
    with pytest.raises(OptionError, match="--fps"):
        devos.segment(clip / "frames", clip / "first.png", tmp_path / "other", model=segmenter, fps=0.0)


def test_the_size_is_chosen_by_what_is_marked_and_the_run_says_so_and_goes_on_with_it(
    weights, clip, tmp_path, monkeypatch
):
    monkeypatch.setattr("devos.engine.sizes.USUAL", 64)
    monkeypatch.setattr("devos.engine.sizes.LARGER", 96)
    several = np.zeros((64, 96), np.uint8)
    several[10:20, 10:20], several[40:50, 60:70] = 1, 2
    sizes, notes = {}, {}
    for name, labels in (("one", np.where(several == 1, several, 0)), ("several", several)):
        Image.fromarray(labels.astype(np.uint8)).save(tmp_path / f"{name}.png")
        for resume in (False, True):
            summary = devos.segment(clip / "frames", tmp_path / f"{name}.png", tmp_path / name, model=weights,
                                    device="cpu", overlay=False, resume=resume)  # fmt: skip
        sizes[name] = json.loads(summary.record.read_text())["settings"]["size"]
        notes[name] = [note for note in summary.notes if "--size auto took 96" in note]
    assert sizes == {"one": 64, "several": 96}
    assert not notes["one"] and len(notes["several"]) == 1 and "1 (10 px), 2 (10 px)" in notes["several"][0]
