from __future__ import annotations

from collections import deque
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from devos.errors import VideoError
from devos.io import containers
from devos.io.videos import open_video

NUM_FRAMES = 40
RANGES = [(0, 5), (1, 2), (9, 21), (12, 13), (25, None), (39, 40), (39, None), (7, 7), (50, None)]
OPEN_GOP = {"x264-params": "open-gop=1:keyint=12:bframes=3:b-adapt=0"}
FILES: dict[str, tuple[str, str, int, dict[str, str]]] = {
    "closed.mp4": ("libx264", "yuv420p", 12, {"bf": "2"}),
    "one-group.mov": ("libx264", "yuv420p", 300, {}),
    "open-gop.mp4": ("libx264", "yuv420p", 12, OPEN_GOP),
    "open-gop.mkv": ("libx264", "yuv420p", 12, OPEN_GOP),
    "open-gop.ts": ("libx264", "yuv420p", 12, OPEN_GOP),
    "refresh.mp4": ("libx264", "yuv420p", 12, {"bf": "0", "x264-params": "intra-refresh=1:keyint=12"}),
    "b-frames.avi": ("libx264", "yuv420p", 12, {"bf": "2"}),
    "packed.avi": ("mpeg4", "yuv420p", 12, {"bf": "2"}),
    "programme.mpg": ("mpeg2video", "yuv420p", 12, {"bf": "2"}),
    "hidden-pictures.webm": ("libvpx", "yuv420p", 12, {"auto-alt-ref": "1", "lag-in-frames": "8", "cpu-used": "8"}),
    "vp9.webm": ("libvpx-vp9", "yuv420p", 12, {"deadline": "realtime", "cpu-used": "8"}),
    "intra.mov": ("prores_ks", "yuv422p10le", 1, {}),
    "intra.avi": ("mjpeg", "yuvj420p", 1, {}),
    "bare.h264": ("libx264", "yuv420p", 12, {}),
}


def picture(index: int, height: int = 48, width: int = 64) -> np.ndarray:
    """Something that moves over something that stays, so that pictures are made from their neighbours."""
    rgb = np.random.default_rng(0).integers(0, 200, (height, width, 3), dtype=np.uint8)
    rgb[10:30, index : index + 20] = (250, 5 * index, 30)
    return rgb


def write(path: Path, ticks: list[int] | None = None, numbers: range = range(NUM_FRAMES)) -> Path:
    codec, pix_fmt, group, options = FILES[path.name]
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=25, options=options)
        stream.height, stream.width, stream.pix_fmt = 48, 64, pix_fmt
        stream.codec_context.gop_size = group
        for place, number in enumerate(numbers):
            frame = av.VideoFrame.from_ndarray(picture(number), format="rgb24")
            if ticks is not None:
                frame.pts, frame.time_base = ticks[place], Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """One file of each kind; made once."""
    return cache(lambda name: write(tmp_path_factory.mktemp("videos") / name))


def facts(frame) -> tuple[int, str, float, bytes]:
    return frame.index, frame.name, frame.time_s, frame.rgb.tobytes()


def held_at_most(monkeypatch: pytest.MonkeyPatch, num_frames: int) -> None:
    monkeypatch.setattr(containers, "HELD_BYTES", num_frames * 48 * 64 * 3 // 2)


@pytest.mark.parametrize("name", FILES)
def test_a_range_gives_the_bits_of_a_read_from_the_start(file, name):
    with open_video(file(name)) as video:
        all_frames = [facts(frame) for frame in video]
        assert len(all_frames) == NUM_FRAMES
        for start, stop in RANGES:
            assert [facts(frame) for frame in video.read_range(start, stop)] == all_frames[start:stop], (start, stop)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("num_held", [5, 1000])
def test_backwards_gives_the_same_frames_in_reverse(file, monkeypatch, name, num_held):
    held_at_most(monkeypatch, num_held)
    with open_video(file(name)) as video:
        all_frames = [facts(frame) for frame in video]
        assert [facts(frame) for frame in video.backwards()] == all_frames[::-1]
        assert [facts(frame) for frame in video.backwards(8, 27)] == all_frames[8:27][::-1]


@pytest.mark.parametrize("name", ["closed.mp4", "open-gop.mkv"])
def test_frames_of_varying_duration_keep_their_numbers_and_times(tmp_path, name):
    ticks = [index + index // 3 * 2 for index in range(NUM_FRAMES)]
    with open_video(write(tmp_path / name, ticks)) as video:
        all_frames = [facts(frame) for frame in video]
        assert [facts(frame) for frame in video.backwards()] == all_frames[::-1]
        assert [facts(frame) for frame in video.read_range(20, 30)] == all_frames[20:30]


def test_a_range_begins_at_a_key_picture_and_not_at_the_start(tmp_path, monkeypatch):
    decoded = []
    convert = containers.Pictures.__iter__
    monkeypatch.setattr(
        containers.Pictures, "__iter__", lambda self: (decoded.append(1) or picture for picture in convert(self))
    )
    with open_video(write(tmp_path / "closed.mp4")) as video:
        decoded.clear()
        assert [frame.index for frame in video.read_range(37, 39)] == [37, 38]
    assert len(decoded) <= 3 + 1


def test_however_long_a_group_of_pictures_few_are_held(tmp_path, monkeypatch):
    sizes = []

    class Watched(deque):
        def __init__(self, items):
            super().__init__(items)
            sizes.append(len(self))

    held_at_most(monkeypatch, 6)
    monkeypatch.setattr(containers, "deque", Watched)
    with open_video(write(tmp_path / "one-group.mov")) as video:
        assert [frame.index for frame in video.backwards()] == list(range(NUM_FRAMES))[::-1]
    assert max(sizes) <= 6


def test_a_lost_frame_keeps_its_number_in_every_order(tmp_path):
    path = write(tmp_path / "closed.mp4")
    with av.open(str(path)) as container:
        packet = [packet for packet in container.demux(video=0) if packet.size][20]
        place, size = packet.pos, packet.size
    content = bytearray(path.read_bytes())
    content[place + 8 : place + size] = np.random.default_rng(1).bytes(size - 8)
    path.write_bytes(content)
    skipped: list[str] = []
    with open_video(path, skip_bad_frames=True, on_skip=lambda name, reason: skipped.append(name)) as video:
        forwards = [frame.index for frame in video]
        lost = set(skipped)
        assert lost and not lost & {f"{index:05d}" for index in forwards}
        skipped.clear()
        assert [frame.index for frame in video.backwards()] == forwards[::-1]
        assert set(skipped) == lost
        assert [frame.index for frame in video.read_range(15, 30)] == [index for index in forwards if 15 <= index < 30]
    with open_video(path) as video, pytest.raises(VideoError, match="--skip-bad-frames"):
        list(video.backwards())


def test_a_folder_is_read_by_range_and_backwards_too(write_frames):
    with open_video(write_frames(*(f"{index}.png" for index in range(12)))) as video:
        assert [frame.name for frame in video.read_range(9)] == ["9", "10", "11"]
        assert [frame.index for frame in video.backwards(2, 5)] == [4, 3, 2]
        assert list(video.read_range(3, 3)) == []


@pytest.mark.parametrize(("start", "stop"), [(-1, None), (5, 4)])
def test_a_range_that_cannot_be_is_refused(write_frames, start, stop):
    with open_video(write_frames("a.png")) as video, pytest.raises(ValueError, match="frames go from 0 on"):
        video.read_range(start, stop)


def test_leaving_the_with_closes_what_reads_backwards(tmp_path):
    with open_video(write(tmp_path / "closed.mp4")) as video:
        frames = video.backwards()
        next(frames)
    assert next(frames, None) is None
