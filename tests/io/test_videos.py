from __future__ import annotations

import errno
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from devos.errors import VideoError
from devos.io.decoding import Pictures
from devos.io.videos import open_video


def read(path, **options):
    with open_video(path, **options) as video:
        return list(video)


def packet_place(path: Path, number: int) -> tuple[int, int]:
    with av.open(str(path)) as container:
        places = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    return places[number]


def damage(path: Path, number: int) -> None:
    """Overwrite the data of one packet."""
    place, size = packet_place(path, number)
    content = bytearray(path.read_bytes())
    content[place + 8 : place + size] = np.random.default_rng(1).bytes(size - 8)
    path.write_bytes(content)


# --- video files ---


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.mp4", "libx264"), ("a.mov", "libx264"), ("a.mkv", "libx264"), ("a.webm", "libvpx"), ("a.avi", "mpeg4")],
)
def test_every_frame_of_every_container_comes_once_with_its_index_and_time(write_video, pictures, name, codec):
    got = read(write_video(name, pictures, codec=codec))
    assert [frame.index for frame in got] == list(range(30))
    assert [frame.name for frame in got][:2] == ["00000", "00001"]
    assert [frame.time_s for frame in got] == pytest.approx([index / 25 for index in range(30)], abs=2e-3)


def test_the_facts_of_a_video_are_known_before_a_frame_is_read(video_file):
    with open_video(video_file) as video:
        assert video.size == (48, 64)
        assert (video.num_frames, video.num_frames_is_exact) == (30, True)
        assert video.fps == 25
        assert video.names is None


def test_a_frame_rate_stays_a_fraction(write_video, pictures):
    with open_video(write_video("a.mp4", pictures, rate=Fraction(30000, 1001))) as video:
        assert video.fps == Fraction(30000, 1001)


def test_colours_come_as_rgb(write_video):
    red = np.zeros((48, 64, 3), np.uint8)
    red[..., 0] = 200
    (frame,) = read(write_video("a.mp4", [red]))
    assert np.abs(frame.rgb.astype(int) - red).max() < 12


def test_frames_of_varying_duration_keep_their_own_times(write_video, pictures):
    ticks = [0, 10, 200, 210, 1000, 1500]
    got = read(write_video("a.mkv", pictures[:6], ticks=ticks))
    assert [frame.time_s for frame in got] == pytest.approx([tick / 1000 for tick in ticks])


def test_time_starts_at_0_where_the_file_does_not(write_video, pictures):
    got = read(write_video("a.mkv", pictures[:3], ticks=[5000, 5040, 5080]))
    assert [frame.time_s for frame in got] == pytest.approx([0, 0.04, 0.08])


def test_sound_is_passed_over(write_video, pictures):
    assert len(read(write_video("a.mp4", pictures, sound=True))) == 30


def test_a_video_can_be_read_twice_and_left_half_way(video_file):
    with open_video(video_file) as video:
        first = next(iter(video))
        assert len(list(video)) == 30
        assert np.array_equal(next(iter(video)).rgb, first.rgb)


def test_leaving_the_with_closes_the_file(video_file):
    descriptors = Path("/proc/self/fd")
    before = len(list(descriptors.iterdir())) if descriptors.exists() else 0
    with open_video(video_file) as video:
        frames = iter(video)
        next(frames)
    assert next(frames, None) is None
    if before:
        assert len(list(descriptors.iterdir())) == before


# --- what is no video ---


def test_a_missing_path_is_named(tmp_path):
    with pytest.raises(VideoError, match=r"none\.mp4: no such file or folder"):
        open_video(tmp_path / "none.mp4")


@pytest.mark.parametrize("name", ["notes.txt", "notes.mp4"])
def test_a_text_file_is_not_a_video(tmp_path, name):
    path = tmp_path / name
    path.write_text("hello\n" * 200)
    with pytest.raises(VideoError, match=f"{name}: not a video that can be read; give a video file"):
        open_video(path)


def test_an_empty_file_is_not_a_video(tmp_path):
    path = tmp_path / "a.mp4"
    path.touch()
    with pytest.raises(VideoError, match="empty"):
        open_video(path)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "picture.mp4"])
def test_a_picture_given_as_a_video_belongs_in_a_folder(tmp_path, name):
    path = tmp_path / name
    Image.new("RGB", (8, 8)).save(path, format="PNG" if not name.endswith("jpg") else None)
    with pytest.raises(VideoError, match="a picture, not a video; put the frames in a folder"):
        open_video(path)


def test_a_file_with_sound_only_is_not_a_video(tmp_path):
    path = tmp_path / "song.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100, layout="mono")
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        silence.sample_rate = 44100
        container.mux(stream.encode(silence))
        container.mux(stream.encode(None))
    with pytest.raises(VideoError, match="has sound but no pictures"):
        open_video(path)


# --- damage ---


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "libx264"), ("a.mkv", "libx264"), ("a.avi", "mpeg4")])
def test_a_damaged_frame_is_named_after_the_good_ones_before_it(write_video, pictures, name, codec):
    path = write_video(name, pictures, codec=codec)
    damage(path, 15)
    got = []
    with open_video(path) as video, pytest.raises(VideoError, match=r"frame 000(\d\d) .*--skip-bad-frames") as error:
        got.extend(video)
    assert f"frame {len(got):05d} " in str(error.value)


def test_a_damaged_frame_can_be_skipped_and_the_others_keep_their_names(write_video, pictures):
    path = write_video("a.mp4", pictures)
    intact = {frame.name: frame for frame in read(path)}
    damage(path, 15)
    skipped = []
    got = read(path, skip_bad_frames=True, on_skip=lambda name, reason: skipped.append(name))
    assert len(got) == 29 and len(skipped) == 1
    assert {frame.name for frame in got} | set(skipped) == set(intact)
    assert all(frame.time_s == pytest.approx(intact[frame.name].time_s) for frame in got)


def test_a_file_cut_off_before_its_index_is_told_on_opening(write_video, pictures):
    path = write_video("a.mp4", pictures, movflags="")
    path.write_bytes(path.read_bytes()[:-3000])
    with pytest.raises(VideoError, match="cut off"):
        open_video(path)


def test_a_file_cut_off_after_its_index_is_told_on_opening(video_file):
    video_file.write_bytes(video_file.read_bytes()[: video_file.stat().st_size * 6 // 10])
    with pytest.raises(VideoError, match=r"cut off.*--skip-bad-frames"):
        open_video(video_file)


def test_what_is_there_of_a_cut_off_file_can_be_had(video_file):
    video_file.write_bytes(video_file.read_bytes()[: video_file.stat().st_size * 6 // 10])
    skipped = []
    got = read(video_file, skip_bad_frames=True, on_skip=lambda name, reason: skipped.append(reason))
    assert 5 < len(got) < 30
    assert "the file is cut off before it" in skipped


def test_a_cut_off_mkv_is_told_at_its_end(write_video, pictures):
    path = write_video("a.mkv", pictures)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(VideoError, match="cut off"):
        read(path)


# --- folders ---


def test_frames_come_in_natural_order_under_their_own_names(frames):
    with open_video(frames) as video:
        assert video.names == ("a1", "a2", "a10")
        assert (video.num_frames, video.fps, video.size) == (3, 24, (48, 64))
        got = list(video)
    assert [(frame.index, frame.name) for frame in got] == [(0, "a1"), (1, "a2"), (2, "a10")]
    assert [int(frame.rgb[0, 0, 0]) for frame in got] == [1, 2, 0]


def test_the_time_of_a_folder_frame_follows_from_the_given_rate(frames):
    assert [frame.time_s for frame in read(frames, fps=Fraction(10))] == [0, 0.1, 0.2]


@pytest.mark.parametrize("suffix", ["jpg", "jpeg", "JPG", "png", "webp", "tif", "tiff", "bmp"])
def test_every_kind_of_picture_is_a_frame(write_frames, suffix):
    assert len(read(write_frames(f"x.{suffix}"))) == 1


def test_hidden_and_other_files_are_passed_over(frames):
    (frames / ".a0.png").write_bytes(b"thumbnail")
    (frames / "notes.txt").write_text("notes")
    (frames / "sub.png").mkdir()
    assert len(read(frames)) == 3


def write_picture(folder: Path, picture: Image.Image, name: str = "f.png", **options) -> Path:
    folder.mkdir(exist_ok=True)
    picture.save(folder / name, **options)
    return folder


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        (np.full((2, 3), 65535, np.uint16), (255, 255, 255)),
        (np.array([[257 * 40, 65535]], np.uint16), (40, 40, 40)),
        (np.full((2, 3), 77, np.uint8), (77, 77, 77)),
        (np.full((2, 3, 4), (9, 8, 7, 255), np.uint8), (9, 8, 7)),
        (np.full((2, 3, 4), (200, 200, 200, 0), np.uint8), (0, 0, 0)),
    ],
)
def test_grey_deep_and_transparent_pictures_become_8_bit_rgb(tmp_path, pixels, expected):
    (frame,) = read(write_picture(tmp_path / "f", Image.fromarray(pixels)))
    assert tuple(frame.rgb[0, 0]) == expected


def test_a_photograph_lying_on_its_side_is_read_upright(tmp_path):
    lying = np.zeros((40, 60, 3), np.uint8)
    lying[:, :30] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # turn a quarter clockwise
    folder = write_picture(tmp_path / "f", Image.fromarray(lying), "f.png", exif=exif)
    with open_video(folder) as video:
        (frame,) = video
        assert video.size == (60, 40)
    assert np.array_equal(frame.rgb, np.rot90(lying, 3))


def test_frames_of_two_sizes_are_both_named_on_opening(frames):
    Image.new("RGB", (65, 48)).save(frames / "a3.png")
    with pytest.raises(VideoError, match=r"a3.png is 65x48, but a1.png is 64x48"):
        open_video(frames)


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(VideoError, match="is an empty folder"):
        open_video(tmp_path)


def test_a_folder_without_pictures_is_refused(tmp_path):
    (tmp_path / "a.txt").touch()
    with pytest.raises(VideoError, match=r"no pictures among its 1 entries.*\.jpg"):
        open_video(tmp_path)


def test_two_pictures_for_one_frame_name_are_refused(tmp_path):
    for name in ("a.png", "a.jpg"):
        Image.fromarray(np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)).save(tmp_path / name)
    with pytest.raises(VideoError, match=r"a\.jpg and a\.png"):
        open_video(tmp_path)


def test_a_picture_without_a_header_is_told_on_opening(frames):
    (frames / "a2.png").write_bytes(b"no picture")
    with pytest.raises(VideoError, match=r"frame a2.png .*--skip-bad-frames"):
        open_video(frames)


def test_a_picture_with_damaged_pixels_is_named_when_its_turn_comes(tmp_path, frames):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8))
    noise.save(frames / "a2.png")
    (frames / "a2.png").write_bytes((frames / "a2.png").read_bytes()[:4000])
    got = []
    with open_video(frames) as video, pytest.raises(VideoError, match=r"frame a2.png .*--skip-bad-frames"):
        got.extend(video)
    assert [frame.name for frame in got] == ["a1"]


def test_bad_pictures_can_be_skipped_and_the_others_keep_their_index(frames):
    (frames / "a2.png").write_bytes(b"no picture")
    skipped = []
    got = read(frames, skip_bad_frames=True, on_skip=lambda name, reason: skipped.append(name))
    assert [(frame.index, frame.name) for frame in got] == [(0, "a1"), (2, "a10")]
    assert skipped == ["a2.png"]


def test_a_folder_of_nothing_but_bad_pictures_is_refused(tmp_path):
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(VideoError, match="none of the 1 pictures"):
        open_video(tmp_path, skip_bad_frames=True)


def test_a_title_that_is_no_text_does_not_keep_a_video_from_being_read(tmp_path):
    """Found by benchmarks/fuzz.py: any metadata that is not UTF-8 ended in a traceback."""
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w") as container:
        container.metadata["title"] = "a title to be spoilt"
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")))
        container.mux(stream.encode())
    data = path.read_bytes()
    assert b"a title" in data
    path.write_bytes(data.replace(b"a title", b"\xff\xfetitle"[:7]))
    with open_video(path) as reader:
        assert sum(1 for _ in reader) == 3


@pytest.mark.parametrize("number", [errno.ENOMEM, errno.EAGAIN])
def test_a_decoder_without_memory_does_not_say_that_the_video_is_damaged(video_file, monkeypatch, number):
    class NoRoom:
        def __init__(self, packet):
            self._packet = packet

        def __getattr__(self, name):
            return getattr(self._packet, name)

        def decode(self):
            raise av.error.FFmpegError(number, "no room")

    demux = Pictures._packets
    with open_video(video_file) as video:
        monkeypatch.setattr(Pictures, "_packets", lambda self: map(NoRoom, demux(self)))
        with pytest.raises(VideoError, match=r"frame 00000 cannot be read \(no memory was left to decode it"):
            list(video)
