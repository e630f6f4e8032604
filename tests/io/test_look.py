"""What a video keeps of its source: colours, range, pixel aspect, rate, time base, orientation, sound."""

from __future__ import annotations

import gc
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.sidedata.sidedata import SideDataContainer

from devos.frames import MaskFrame
from devos.io.orientation import orientation_of
from devos.io.overlay import OverlayVideo
from devos.io.videos import open_video

GREEN = np.full((64, 96, 3), (30, 200, 30), np.uint8)
MATRICES = {1: 1, 5: 5, 6: 5, 9: 9, 2: 5}


def write_source(
    path: Path, *, matrix: int = 1, colour_range: int = 1, aspect: Fraction = Fraction(1), sound: str | None = None,
    rate: Fraction = Fraction(30000, 1001), num_frames: int = 30,
) -> Path:  # fmt: skip
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=rate, options={"qp": "4"})
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        context = stream.codec_context
        context.colorspace, context.color_primaries, context.color_trc = matrix, matrix, matrix if matrix != 9 else 16
        context.color_range, context.sample_aspect_ratio = colour_range, aspect
        audio: Any = container.add_stream(sound, rate=44100, layout="mono") if sound else None
        for _ in range(num_frames):
            frame = av.VideoFrame.from_ndarray(GREEN, format="rgb24").reformat(
                format="yuv420p", dst_colorspace=MATRICES[matrix], dst_color_range=colour_range
            )
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        for block in range(43 * num_frames // 30 if audio else 0):
            tone = (np.sin(np.arange(1024) * (0.05 + block / 1000)) * 9000).astype(np.int16)[None]
            heard = av.AudioFrame.from_ndarray(tone, format="s16", layout="mono")
            heard.sample_rate, heard.pts, heard.time_base = 44100, block * 1024, Fraction(1, 44100)
            for part in av.AudioResampler(audio.format, audio.layout, audio.rate).resample(heard):
                container.mux(audio.encode(part))
        if audio:
            container.mux(audio.encode(None))
    return path


def overlay_of(source: Path, out: Path, start: int = 0, **options: Any) -> Path:
    with (
        open_video(source, **options) as video,
        OverlayVideo(out, video.fps, video.size, look=video.look, sound=video.sound) as overlay,
    ):
        for frame in video.read_range(start):
            labels = np.zeros(frame.size, np.uint16)
            overlay.write(frame, MaskFrame(frame.index, frame.time_s, frame.name, labels, ()))
    return out


def raw_yuv(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        return next(container.decode(video=0)).to_ndarray().astype(int)


def heard_s(path: Path) -> float:
    with av.open(str(path)) as container:
        return sum(frame.samples / frame.sample_rate for frame in container.decode(audio=0))


@pytest.mark.parametrize("matrix", MATRICES)
@pytest.mark.parametrize("colour_range", [1, 2])
def test_colours_come_out_as_they_went_in_with_their_tags(tmp_path, matrix, colour_range):
    source = write_source(tmp_path / "a.mp4", matrix=matrix, colour_range=colour_range, num_frames=2)
    with open_video(source) as video:
        assert np.abs(next(iter(video)).rgb.astype(int) - GREEN).max() <= 4
    out = overlay_of(source, tmp_path / "o.mp4")
    assert np.abs(raw_yuv(out) - raw_yuv(source)).max() <= 3
    with av.open(str(source)) as a, av.open(str(out)) as b:
        ours, theirs = b.streams.video[0].codec_context, a.streams.video[0].codec_context
        for name in ("colorspace", "color_primaries", "color_trc", "color_range"):
            assert getattr(ours, name) == getattr(theirs, name), name


def test_an_overlay_of_pictures_says_how_its_colours_are_coded(tmp_path, write_frames):
    out = overlay_of(write_frames("a.png", "b.png"), tmp_path / "o.mp4")
    with av.open(str(out)) as container:
        context = container.streams.video[0].codec_context
        assert (context.colorspace, context.color_primaries, context.color_trc, context.color_range) == (1, 1, 1, 1)


def test_pixel_aspect_rate_and_time_base_are_kept(tmp_path):
    source = write_source(tmp_path / "a.mp4", aspect=Fraction(4, 3))
    out = overlay_of(source, tmp_path / "o.mp4")
    with av.open(str(source)) as a, av.open(str(out)) as b:
        theirs, ours = a.streams.video[0], b.streams.video[0]
        assert ours.codec_context.sample_aspect_ratio == Fraction(4, 3)
        assert ours.average_rate == theirs.average_rate == Fraction(30000, 1001)
        assert ours.time_base == theirs.time_base
        assert ours.frames == theirs.frames


@pytest.mark.parametrize(("name", "coding"), [("a.mp4", "aac"), ("a.mkv", "pcm_s16le"), ("a.mkv", "flac")])
def test_the_sound_comes_along(tmp_path, name, coding):
    source = write_source(tmp_path / name, sound=coding)
    out = overlay_of(source, tmp_path / "o.mp4")
    assert heard_s(out) == pytest.approx(1.0, abs=0.08)
    with av.open(str(out)) as container:
        assert container.streams.video[0].frames == 30


def test_the_sound_begins_where_the_pictures_do(tmp_path):
    source = write_source(tmp_path / "a.mp4", sound="aac")
    out = overlay_of(source, tmp_path / "o.mp4", start=15)
    assert heard_s(out) == pytest.approx(0.5, abs=0.08)


def test_the_sound_can_be_left(tmp_path):
    out = overlay_of(write_source(tmp_path / "a.mp4", sound="aac"), tmp_path / "o.mp4", sound=False)
    with av.open(str(out)) as container:
        assert not container.streams.audio


def test_sound_that_is_damaged_spoils_no_pictures(tmp_path):
    source = write_source(tmp_path / "a.mkv", sound="aac")
    content = bytearray(source.read_bytes())
    with av.open(str(source)) as container:
        places = [(packet.pos, packet.size) for packet in container.demux(audio=0) if packet.size][5:25]
    for place, size in places:
        content[place + 12 : place + size] = bytes(max(0, size - 12))
    source.write_bytes(content)
    out = overlay_of(source, tmp_path / "o.mp4")
    with av.open(str(out)) as container:
        assert container.streams.video[0].frames == 30


def test_a_picture_that_was_looked_at_is_let_go_without_the_collector(tmp_path, write_video, pictures):
    write_video(tmp_path / "clip.mp4", pictures[:3])
    gc.collect()
    gc.disable()
    try:
        with av.open(str(tmp_path / "clip.mp4")) as container:
            for frame in container.decode(video=0):
                orientation_of(frame)
                del frame
            assert not [one for one in gc.get_objects() if type(one) is SideDataContainer]
    finally:
        gc.enable()
