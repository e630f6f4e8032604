"""What comes but once: a camera, standard input, an address, arrays."""

from __future__ import annotations

import http.server
import itertools
import subprocess
import sys
import threading
import time
from fractions import Fraction
from functools import partial

import numpy as np
import pytest

from devos.errors import VideoError
from devos.io import live, open_video
from devos.io.live import LiveVideo, drops, is_live, open_frames


@pytest.fixture
def plain(tmp_path, write_video):
    """A film whose frames are told apart by their grey."""
    return write_video("film.mkv", [np.full((48, 64, 3), 20 + 8 * i, np.uint8) for i in range(12)])


def greys(frames):
    return [round((float(frame.rgb.mean()) - 20) / 8) for frame in frames]


@pytest.mark.parametrize(
    ("name", "comes_once", "dropped"),
    [("-", True, False), ("camera:0", True, True), ("rtsp://a/b", True, True), ("udp://a:1", True, True),
     ("http://a/b.mp4", True, False), ("https://a/b.mp4", True, False), ("clip.mp4", False, False),
     ("c:/clip.mp4", False, False), ("camera", False, False)],
)  # fmt: skip
def test_what_comes_but_once_is_known_by_its_name(name, comes_once, dropped):
    assert is_live(name) == comes_once and drops(name) == dropped


def test_every_frame_of_standard_input_comes_once(plain):
    program = ("from devos.io import open_video\nwith open_video('-') as video:\n"
               "    print(video.size, *[round((float(f.rgb.mean()) - 20) / 8) for f in video])")  # fmt: skip
    with plain.open("rb") as file:
        done = subprocess.run([sys.executable, "-c", program], stdin=file, capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["64x48", *map(str, range(12))], done.stderr


def test_standard_input_that_is_no_video_is_one_line(tmp_path):
    program = "from devos.io import open_video\nopen_video('-')"
    done = subprocess.run([sys.executable, "-c", program], input=b"text" * 99, capture_output=True, timeout=60)
    assert b"standard input: cannot be opened" in done.stderr


def test_every_frame_of_an_address_comes(plain):
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(plain.parent))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            with open_video(f"http://127.0.0.1:{server.server_port}/{plain.name}") as video:
                assert greys(video) == list(range(12))
            with pytest.raises(VideoError, match=r"/none.mkv: cannot be opened"):
                open_video(f"http://127.0.0.1:{server.server_port}/none.mkv")
        finally:
            server.shutdown()
            thread.join()


def slow_source(released):
    """Picture 0 at once, the others as fast as they are asked for, then a while nothing, then the last one."""
    for index in range(20):
        if index == 19:
            released.wait(5)
        yield index / 25, np.full((8, 8, 3), index, np.uint8)


def test_of_a_live_source_the_newest_frame_is_taken_and_the_others_are_counted():
    released = threading.Event()
    with LiveVideo("fake", slow_source(released), Fraction(25), drops=True) as video:
        seen = []
        for frame in video:
            seen.append(int(frame.rgb[0, 0, 0]))
            if len(seen) == 1:
                deadline = time.monotonic() + 5
                while video._newest.num_dropped < 17 and time.monotonic() < deadline:
                    time.sleep(0.01)
            if len(seen) == 2:
                released.set()
        assert seen[-2:] == [18, 19] and len(seen) + video.num_dropped == 20
        assert seen == sorted(seen)
    assert any("were dropped" in note for note in video.notes)


def test_stopping_ends_after_the_frame_that_is_worked_on():
    with open_frames(np.zeros((50, 8, 8, 3), np.uint8)) as video:
        count = 0
        for _ in video:
            count += 1
            video.stop()
    assert count == 1


def test_a_camera_is_opened_as_a_device_and_its_frames_have_the_times_at_which_they_came(plain, monkeypatch):
    monkeypatch.setattr(live, "camera_input", lambda number: (str(plain), None))
    with open_video("camera:0") as video:
        frames = list(video)
    assert frames[0].time_s == 0 and [f.index for f in frames] == list(range(len(frames)))
    assert all(a.time_s < b.time_s for a, b in itertools.pairwise(frames))
    assert len(frames) + video.num_dropped == 12
    assert live.camera_input(3)[0] == str(plain)


def test_a_camera_that_is_not_there_is_one_line():
    with pytest.raises(VideoError, match=r"camera:73: cannot be opened .*check its number"):
        open_video("camera:73")


def test_what_was_shown_is_recorded_to_the_bit_with_its_times(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (9, 31, 45, 3), dtype=np.uint8)
    with open_frames(noise, fps=Fraction(30), recording=tmp_path / "a.mkv") as video:
        shown = list(video)
    with open_video(tmp_path / "a.mkv") as video:
        again = list(video)
        assert video.size == (31, 45)
    assert len(again) == 9
    for before, after in zip(shown, again, strict=True):
        assert np.array_equal(before.rgb, after.rgb) and (before.index, before.name) == (after.index, after.name)
        assert before.time_s == pytest.approx(after.time_s)


@pytest.mark.parametrize("frames", [[np.zeros((4, 4), np.uint8)], [np.zeros((4, 4, 3))]])
def test_arrays_that_are_no_frames_are_refused(frames):
    with pytest.raises(VideoError, match=r"frame 0 is .*; give each as height x width x 3, uint8, RGB"):
        open_frames(frames)


def test_nothing_at_all_is_told_and_so_is_a_second_read():
    with pytest.raises(VideoError, match="not a single frame came"):
        open_frames([])
    with open_frames(np.zeros((2, 8, 8, 3), np.uint8)) as video:
        assert len(list(video)) == 2
        with pytest.raises(VideoError, match="comes but once"):
            list(video)
        with pytest.raises(VideoError, match="cannot be read backwards"):
            list(video.backwards())
