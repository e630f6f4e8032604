"""Which stream is read, how its pictures lie, and what its header promises."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.stream import Disposition

from devos.errors import VideoError
from devos.io.orientation import from_matrix
from devos.io.videos import open_video

ONE = 1 << 16
EIGHT = [
    ((ONE, 0, 0, ONE), lambda rgb: rgb),
    ((-ONE, 0, 0, ONE), lambda rgb: rgb[:, ::-1]),
    ((ONE, 0, 0, -ONE), lambda rgb: rgb[::-1]),
    ((-ONE, 0, 0, -ONE), lambda rgb: np.rot90(rgb, 2)),
    ((0, ONE, -ONE, 0), lambda rgb: np.rot90(rgb, 3)),
    ((0, -ONE, ONE, 0), lambda rgb: np.rot90(rgb, 1)),
    ((0, ONE, ONE, 0), lambda rgb: rgb.transpose(1, 0, 2)),
    ((0, -ONE, -ONE, 0), lambda rgb: np.rot90(rgb, 2).transpose(1, 0, 2)),
]


def quadrants() -> np.ndarray:
    rgb = np.zeros((48, 64, 3), np.uint8)
    rgb[:24, :32], rgb[:24, 32:], rgb[24:, :32] = 250, 170, 90
    return rgb


def lay(path: Path, matrix: tuple[int, int, int, int]) -> None:
    """Write a display matrix into the track header of an mp4."""
    a, b, c, d = matrix
    content = bytearray(path.read_bytes())
    start = content.find(b"tkhd") + 4 + 40
    content[start : start + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(content)


def write_streams(path: Path, *streams: tuple[int, int, int, Disposition]) -> Path:
    """Several video streams: width, height, frames, and what the file says of each."""
    with av.open(str(path), "w") as container:
        opened: list[Any] = []
        for width, height, _, disposition in streams:
            is_cover = disposition == Disposition.attached_pic
            stream: Any = container.add_stream("mjpeg" if is_cover else "libx264", rate=25)
            stream.width, stream.height, stream.disposition = width, height, disposition
            stream.pix_fmt = "yuvj420p" if is_cover else "yuv420p"
            opened.append(stream)
        for stream, (width, height, num_frames, _) in zip(opened, streams, strict=True):
            for level in range(num_frames):
                frame = av.VideoFrame.from_ndarray(np.full((height, width, 3), level, np.uint8), format="rgb24")
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(("matrix", "shown"), EIGHT)
def test_each_of_the_eight_ways_to_lie_is_shown_as_meant(write_video, matrix, shown):
    path = write_video("a.mp4", [quadrants()] * 2)
    lay(path, matrix)
    with open_video(path) as video:
        frame = next(iter(video))
        assert video.size == frame.size == shown(quadrants()).shape[:2]
        assert np.abs(frame.rgb.astype(int) - shown(quadrants())).mean() < 6
    turned = from_matrix(*matrix)
    assert np.array_equal(turned.undo(turned.apply(quadrants())), quadrants())


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="the program ffmpeg is not here to compare with")
@pytest.mark.parametrize("matrix", [matrix for matrix, _ in EIGHT])
def test_pictures_lie_as_ffmpeg_shows_them(write_video, matrix):
    path = write_video("a.mp4", [quadrants()] * 2)
    lay(path, matrix)
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    theirs = np.frombuffer(subprocess.run(command, capture_output=True, check=True).stdout, np.uint8)
    with open_video(path) as video:
        ours = next(iter(video)).rgb
    assert np.abs(ours.astype(int) - theirs.reshape(ours.shape)).max() <= 3


def test_an_angle_between_two_quarter_turns_is_told(write_video):
    path = write_video("a.mp4", [quadrants()] * 2)
    lay(path, (int(ONE * 0.9), int(ONE * 0.4), -int(ONE * 0.4), int(ONE * 0.9)))
    with open_video(path) as video:
        assert video.size == (48, 64)
        assert "nearest quarter" in video.notes[0]


NONE, DEFAULT = Disposition(0), Disposition.default


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize(
    ("streams", "read"),
    [
        ([(32, 32, 8, NONE), (64, 48, 8, DEFAULT)], 1),  # a proxy first
        ([(64, 48, 8, NONE), (32, 32, 8, DEFAULT)], 1),  # the file's word counts more than pixels
        ([(32, 32, 8, NONE), (64, 48, 8, NONE)], 1),  # nothing said: the larger
        ([(96, 80, 1, NONE), (64, 48, 8, NONE)], 1),  # a still without a flag
        ([(64, 48, 8, NONE), (96, 80, 1, DEFAULT)], 0),
    ],
)
def test_the_stream_that_is_meant_is_read_and_the_others_are_told(tmp_path, suffix, streams, read):
    path = write_streams(tmp_path / f"a.{suffix}", *streams)
    with av.open(str(path)) as container:
        if [stream.disposition & DEFAULT for stream in container.streams] != [said & DEFAULT for *_, said in streams]:
            pytest.skip("the muxer makes the first one the default where none is")
    with open_video(path) as video:
        width, height, num_frames, _ = streams[read]
        assert video.size == (height, width)
        assert len(list(video)) == num_frames
        assert video.notes[0].startswith(f"of 2 video streams, number {read} is read")


def test_another_stream_can_be_asked_for(tmp_path):
    path = write_streams(tmp_path / "a.mp4", (32, 32, 8, NONE), (64, 48, 8, DEFAULT))
    with open_video(path, stream=0) as video:
        assert video.size == (32, 32)
        assert [frame.size for frame in video.backwards(0, 2)] == [(32, 32)] * 2
    with pytest.raises(VideoError, match=r"no video stream 7; its video streams are 0, 1"):
        open_video(path, stream=7)


def test_a_cover_picture_is_passed_over_without_a_word(tmp_path):
    path = write_streams(tmp_path / "a.mp4", (96, 80, 1, Disposition.attached_pic), (64, 48, 8, DEFAULT))
    with open_video(path) as video:
        assert video.size == (48, 64)
        assert video.notes == ()


@pytest.mark.parametrize("share", [0.8, 0.98])
@pytest.mark.parametrize("name", ["a.mkv", "a.mp4"])
def test_fewer_frames_than_the_header_promises_are_told_with_both_counts(write_video, pictures, name, share):
    path = write_video(name, pictures * 4)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    skipped: list[str] = []
    with open_video(path, skip_bad_frames=True, on_skip=lambda name, reason: skipped.append(name)) as video:
        num_read = len(list(video))
        assert num_read < 120
        assert "promises" in video.notes[-1]
        assert "120 frames" in video.notes[-1]
        assert video.num_frames is not None and num_read <= video.num_frames <= num_read + len(skipped)


def test_a_whole_file_has_no_notes(write_video, pictures):
    for name, ticks in (("a.mkv", None), ("a.mp4", None), ("b.mkv", [0, 10, 200, 210, 1000, 1500])):
        with open_video(write_video(name, pictures[: len(ticks or pictures)], ticks=ticks)) as video:
            list(video)
            assert video.notes == ()


def cut_into(source: Path, target: Path, start: float) -> Path:
    """Copy a file's packets from a second on, as ffmpeg's `-ss ... -c copy` does: mp4 gets an edit list."""
    command = ["ffmpeg", "-v", "error", "-ss", str(start), "-i", str(source), "-c", "copy", str(target)]
    subprocess.run(command, check=True, capture_output=True)
    return target


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="the program ffmpeg is not here to compare with")
@pytest.mark.parametrize("name", ["cut.mp4", "cut.mkv"])
def test_frames_of_a_cut_clip_are_those_that_ffmpeg_shows(tmp_path, name):
    whole = tmp_path / f"whole.{name[-3:]}"
    with av.open(str(whole), "w") as container:
        options = {"x264-params": "open-gop=1:keyint=12:bframes=3:b-adapt=0"}
        stream: Any = container.add_stream("libx264", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for level in range(60):
            picture = np.roll(np.random.default_rng(0).integers(0, 255, (48, 64, 3), dtype=np.uint8), level, 1)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    path = cut_into(whole, tmp_path / name, 0.7)
    command = ["ffmpeg", "-v", "quiet", "-i", str(path), "-fps_mode", "passthrough", "-f", "rawvideo"]
    theirs = subprocess.run([*command, "-pix_fmt", "rgb24", "-"], capture_output=True, check=True).stdout
    shown = np.frombuffer(theirs, np.uint8).reshape(-1, 48, 64, 3)
    with open_video(path) as video:
        frames = list(video)
    assert [frame.index for frame in frames] == list(range(len(shown)))
    assert max(np.abs(a.rgb.astype(int) - b).max() for a, b in zip(frames, shown, strict=True)) <= 3
