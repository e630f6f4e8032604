from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

from devos.exchange.matroska import say_pixel_aspect
from devos.exchange.registry import FORMATS
from devos.exchange.writers import Shot, VideoInfo
from devos.frames import Frame, FrameSize, MaskFrame
from devos.io.look import Look
from devos.io.sound import SoundSource

VIDEOS = ("prores", "ffv1", "vp9", "green", "overlay")


def film(num_frames: int = 4, height: int = 48, width: int = 64) -> list[Shot]:
    made = []
    for index in range(num_frames):
        rgb = np.full((height, width, 3), (200, 60, 40), np.uint8)
        labels = np.zeros((height, width), np.uint16)
        labels[8:32, 8 + 4 * index : 36] = 5
        time_s = [0.0, 0.04, 0.2, 0.24][index]
        masks = MaskFrame(index, time_s, f"f{index}", labels, ())
        made.append(Shot(masks, Frame(index, time_s, f"f{index}", rgb)))
    return made


def test_cut_outs_keep_the_colours_and_are_clear_where_no_object_is(tmp_path):
    with FORMATS["rgba"].open(tmp_path / "rgba", VideoInfo("a", FrameSize(48, 64), 4, Fraction(25))) as folder:
        for shot in film():
            folder.write(shot)
    for shot in film():
        with Image.open(tmp_path / "rgba" / f"{shot.masks.name}.png") as picture:
            rgba = np.array(picture)
        assert np.array_equal(rgba[..., :3], shot.picture.rgb)
        assert np.array_equal(rgba[..., 3] == 255, shot.masks.labels == 5)
        assert set(np.unique(rgba[..., 3])) == {0, 255}


@pytest.mark.parametrize("kind", VIDEOS[:4])
@pytest.mark.parametrize("size", [(48, 64), (47, 63)])
def test_a_video_has_every_frame_at_its_time_with_its_alpha(tmp_path, kind, size):
    path = tmp_path / FORMATS[kind].place
    with FORMATS[kind].open(path, VideoInfo("a", FrameSize(*size), 4, Fraction(25))) as video:
        for shot in film(4, *size):
            video.write(shot)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        if kind == "vp9":  # only libvpx itself gives the alpha
            decoder = av.CodecContext.create("libvpx-vp9", "r")
            packets = [packet for packet in container.demux(stream) if packet.size]
            frames = [frame for packet in [*packets, None] for frame in decoder.decode(packet)]
        else:
            frames = list(container.decode(stream))
        times = [float(frame.pts * stream.time_base) for frame in frames]
        assert stream.codec_context.colorspace == 1
    assert times == pytest.approx([0, 0.04, 0.2, 0.24], abs=2e-3)
    for shown, shot in zip(frames, film(4, *size), strict=True):
        rgba = shown.to_ndarray(format="rgba").astype(int)[: size[0], : size[1]]
        inside = shot.masks.labels == 5
        if kind == "green":
            assert np.abs(rgba[40:46, 50:60, :3] - (0, 177, 64)).max() < 12
        else:
            assert (rgba[10:30, 24:34, 3] > 250).all() and (rgba[40:46, 50:60, 3] < 5).all()
            assert ((rgba[..., 3] > 127) == inside).mean() > 0.99
        assert np.abs(rgba[12:28, 24:34, :3] - (200, 60, 40)).max() < 12


@pytest.mark.parametrize("num_held", [200, 2, 3])
def test_av1_is_an_animation_with_alpha_and_its_times(tmp_path, monkeypatch, num_held):
    monkeypatch.setattr("devos.exchange.av1._PART", num_held)  # in one part, in two
    with FORMATS["av1"].open(tmp_path / "a.avif", VideoInfo("a", FrameSize(48, 64), 4, Fraction(25))) as video:
        for shot in film():
            video.write(shot)
    with Image.open(tmp_path / "a.avif") as picture:
        assert picture.n_frames == 4
        durations = []
        for number, shot in enumerate(film()):
            picture.seek(number)
            rgba = np.array(picture.convert("RGBA")).astype(int)
            durations.append(picture.info["duration"])
            assert ((rgba[..., 3] > 127) == (shot.masks.labels == 5)).mean() > 0.99
            assert np.abs(rgba[12:28, 24:34, :3] - (200, 60, 40)).max() < 12
    assert durations == [40, 160, 40, 40]
    with av.open(str(tmp_path / "a.avif")) as container:
        assert [stream.codec_context.name for stream in container.streams.video][:1] in (["libdav1d"], ["av1"])


def _source(path, coding):
    """A second of sound beside pictures."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        sound = container.add_stream(coding, rate=48000)
        for _ in range(25):
            container.mux(video.encode(av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")))
        tone = (np.sin(np.arange(48000) * 0.05) * 8000).astype(np.int16)[None]
        frame = av.AudioFrame.from_ndarray(tone, format="s16", layout="mono")
        frame.sample_rate, frame.pts = 48000, 0
        resampler = av.AudioResampler(sound.codec_context.format.name, sound.codec_context.layout.name, 48000, 1024)
        for part in resampler.resample(frame):
            container.mux(sound.encode(part))
        container.mux(sound.encode(None))
        container.mux(video.encode(None))


@pytest.mark.parametrize("kind", VIDEOS)
@pytest.mark.parametrize("coding", ["aac", "libmp3lame"])
def test_a_video_keeps_rate_times_pixel_aspect_colour_tags_and_sound(tmp_path, kind, coding):
    _source(tmp_path / "source.mp4", coding)
    rate = Fraction(24000, 1001)
    look = Look(9, 9, 18, 1, Fraction(4, 3), Fraction(1, 24000))
    info = VideoInfo("a", FrameSize(48, 64), 20, rate, look=look, sound=SoundSource(tmp_path / "source.mp4", 0.0))
    path = tmp_path / FORMATS[kind].place
    first = film()[0]
    with FORMATS[kind].open(path, info) as video:
        for index in range(20):
            time_s = float(index / rate)
            frame = Frame(index, time_s, f"{index}", first.picture.rgb)
            video.write(Shot(MaskFrame(index, time_s, f"{index}", first.masks.labels, ()), frame))
    with av.open(str(path)) as container:
        in_thousandths = path.suffix in (".mkv", ".webm")
        stream = container.streams.video[0]
        context = stream.codec_context
        ticks = [packet.pts * stream.time_base for packet in container.demux(stream) if packet.size]
        assert sorted(ticks) == pytest.approx(
            [Fraction(index) / rate for index in range(20)], abs=1e-3 if in_thousandths else 0
        )
        assert abs(stream.average_rate - rate) < (0.2 if in_thousandths else 1e-9)
        aspect = stream.sample_aspect_ratio or context.sample_aspect_ratio
        assert abs(aspect - Fraction(4, 3)) * 64 <= (Fraction(1, 2) if in_thousandths else 0)
        assert (context.colorspace, context.color_primaries, context.color_trc, context.color_range) == (9, 9, 18, 1)
        sound = container.streams.audio[0]
    with av.open(str(path)) as container:
        shown = list(container.decode(video=0))
        assert len(shown) == 20
        if shown[0].format.name.startswith("yuv"):
            of_a_picture = (shown[0].colorspace, shown[0].color_primaries, shown[0].color_trc, shown[0].color_range)
            assert of_a_picture == (9, 9, 18, 1)
    with av.open(str(path)) as container:
        heard = list(container.decode(audio=0))
        length_s = sum(frame.samples for frame in heard) / sound.codec_context.sample_rate
        assert length_s == pytest.approx(20 / 24, abs=0.12)
        assert np.abs(np.concatenate([f.to_ndarray().astype(float).ravel() for f in heard])).max() > 0.1


@pytest.mark.parametrize("kind", ["ffv1", "vp9"])
@pytest.mark.parametrize("aspect", [Fraction(16, 15), Fraction(10, 11), Fraction(2), Fraction(1001, 1000)])
def test_pixels_are_as_wide_in_matroska_as_in_the_source(tmp_path, kind, aspect):
    size = FrameSize(48, 720)
    info = VideoInfo("a", size, 4, Fraction(25), look=Look(pixel_aspect=aspect))
    path = tmp_path / FORMATS[kind].place
    with FORMATS[kind].open(path, info) as video:
        for shot in film(4, *size):
            video.write(shot)
    with av.open(str(path)) as container:
        found = container.streams.video[0].sample_aspect_ratio
        assert found is not None and abs(found - aspect) * 720 <= Fraction(1, 2)
        assert "title" not in container.streams.video[0].metadata
        assert len(list(container.decode(video=0))) == 4
        container.seek(0)
        assert len(list(container.decode(video=0))) == 4


def test_a_file_without_room_for_the_aspect_is_told(tmp_path):
    for content in (b"", b"\x1a\x45\xdf\xa3\x80", b"\x18\x53\x80\x67\x80", bytes(100)):
        (tmp_path / "a.mkv").write_bytes(content)
        with pytest.raises(ValueError, match="element"):
            say_pixel_aspect(tmp_path / "a.mkv", Fraction(4, 3))


def test_without_a_frame_there_is_no_video_not_even_an_old_one(tmp_path):
    info = VideoInfo("a", FrameSize(48, 64), 4, Fraction(25))
    for kind in (*VIDEOS, "av1"):
        path = tmp_path / FORMATS[kind].place
        path.write_bytes(b"old")
        with FORMATS[kind].open(path, info):
            pass
        assert not path.exists(), kind
