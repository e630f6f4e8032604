"""Folders of EXR and DPX frames: what is seen, what is told, what is refused."""

from __future__ import annotations

import importlib
import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from devos.errors import MaskError, VideoError
from devos.io.masks import read_masks
from devos.io.probing import probe
from devos.io.videos import open_video

OpenEXR = pytest.importorskip("OpenEXR")

STEPS = np.array([0.0, 0.001, 0.02, 0.18, 0.5, 1.0, 7.0, np.inf], np.float32)


def light(height: int = 6) -> np.ndarray:
    """A ramp of linear light in red, half of it in green, none in blue."""
    ramp = STEPS[None].repeat(height, 0)
    return np.stack([ramp, ramp / 2, np.zeros_like(ramp)], axis=-1)


def write_exr(path: Path, channels: dict[str, np.ndarray] | None = None, **header: object) -> Path:
    path.parent.mkdir(exist_ok=True)
    facts = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage, **header}
    OpenEXR.File(facts, channels or {"RGB": light()}).write(str(path))
    return path


def write_dpx(path: Path, picture: np.ndarray, pix_fmt: str = "gbrp10be", transfer: int | None = None) -> Path:
    """By FFmpeg's own encoder; `transfer` is put into its header."""
    path.parent.mkdir(exist_ok=True)
    encoder = av.CodecContext.create("dpx", "w")
    encoder.height, encoder.width = picture.shape[:2]
    encoder.pix_fmt, encoder.time_base = pix_fmt, Fraction(1, 24)
    kind = "rgb48le" if picture.dtype == np.uint16 else "rgb24"
    frame = av.VideoFrame.from_ndarray(picture, format=kind).reformat(format=pix_fmt)
    frame.pts = 0
    content = bytearray(b"".join(bytes(packet) for packet in [*encoder.encode(frame), *encoder.encode(None)]))
    if transfer is not None:
        content[801] = transfer
    path.write_bytes(content)
    return path


def first_rgb(folder: Path) -> np.ndarray:
    with open_video(folder) as video:
        return next(iter(video)).rgb


def srgb(values: np.ndarray) -> np.ndarray:
    values = np.clip(values, 0, 1).astype(np.float64)
    return 255 * np.where(values <= 0.0031308, 12.92 * values, 1.055 * values ** (1 / 2.4) - 0.055)


# --- OpenEXR ---


@pytest.mark.parametrize("kind", [np.float16, np.float32])
def test_linear_light_is_seen_as_srgb_and_told(tmp_path, kind):
    for index in (1, 2, 10):
        write_exr(tmp_path / "f" / f"a{index}.exr", {"RGB": light().astype(kind)})
    with open_video(tmp_path / "f") as video:
        frames = list(video)
        assert [frame.name for frame in frames] == ["a1", "a2", "a10"]
        assert np.abs(frames[0].rgb - srgb(light())).max() <= 0.51 + 0.5 * (kind == np.float16)
        assert video.notes == ("linear light of OpenEXR is shown as sRGB, 1.0 as white and what is above it too",)
    found = probe(tmp_path / "f")
    assert (found.kind, found.num_frames, found.width, found.height) == ("folder of frames", 3, 8, 6)
    assert "linear light" in found.colours["all"] and "linear light" in found.notes[0]


def test_it_is_what_ffmpeg_makes_of_the_same_file(tmp_path):
    rng = np.random.default_rng(0)
    path = write_exr(tmp_path / "f" / "0.exr", {"RGB": rng.uniform(0, 1.2, (48, 64, 3)).astype(np.float16)})
    decoder = av.CodecContext.create("exr", "r")
    decoder.options = {"apply_trc": "iec61966_2_1"}
    theirs = decoder.decode(av.Packet(path.read_bytes()))[0].reformat(format="gbrp16le").to_ndarray() / 257
    assert np.abs(first_rgb(tmp_path / "f") - theirs).max() <= 1.01


def test_the_display_window_is_the_picture_whatever_lies_beside_it(tmp_path):
    window = {"displayWindow": (np.array([0, 0], np.int32), np.array([9, 7], np.int32)),
              "dataWindow": (np.array([-1, 2], np.int32), np.array([6, 7], np.int32))}  # fmt: skip
    write_exr(tmp_path / "f" / "0.exr", **window)
    rgb = first_rgb(tmp_path / "f")
    assert rgb.shape == (8, 10, 3)
    assert not rgb[:2].any() and not rgb[:, 7:].any()
    assert np.abs(rgb[2:, :7] - srgb(light())[:, 1:]).max() <= 0.51


@pytest.mark.parametrize(
    ("names", "red", "word"),
    [
        ("R G B A", 3, "linear light"),
        ("beauty.R beauty.G beauty.B depth.Z", 3, "the layer beauty"),
        ("Y Z", 3, "linear"),
    ],
)
def test_colours_are_found_among_layers(tmp_path, names, red, word):
    values = {name: np.full((6, 8), 0.5 if name[-1] in "RYA" else 0, np.float32) for name in names.split()}
    write_exr(tmp_path / "f" / "0.exr", values)
    with open_video(tmp_path / "f") as video:
        assert next(iter(video)).rgb[red, red].tolist() == [188, *([188] * 2 if "Y" in names else [0] * 2)]
        assert word in video.notes[0]


def test_an_exr_without_colours_is_refused_with_what_it_has(tmp_path):
    write_exr(tmp_path / "f" / "0.exr", {"dog.A": np.zeros((6, 8), np.float32), "Z": np.zeros((6, 8), np.float32)})
    with pytest.raises(VideoError, match=r"no colours among its channels \(Z, dog.A\); R, G, B or Y are read"):
        open_video(tmp_path / "f")


def test_without_the_library_a_word_says_what_to_install(tmp_path, monkeypatch):
    write_exr(tmp_path / "f" / "0.exr")
    real = importlib.import_module

    def without(name: str, *rest: object) -> object:
        if name == "OpenEXR":
            raise ImportError(name)
        return real(name, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(importlib, "import_module", without)
    for place in (tmp_path / "f", tmp_path / "f" / "0.exr"):
        with pytest.raises(
            VideoError, match=r"need the package OpenEXR, which is not installed: .*pip install .*openexr"
        ):
            open_video(place)


# --- DPX ---


@pytest.mark.parametrize("pix_fmt", ["gbrp10be", "rgb24", "gbrp12be", "rgb48be"])
def test_dpx_is_seen_as_it_is_and_told(tmp_path, pix_fmt):
    picture = np.random.default_rng(1).integers(0, 256, (48, 64, 3), np.uint8)
    write_dpx(tmp_path / "f" / "0.dpx", picture, pix_fmt)
    assert np.abs(first_rgb(tmp_path / "f").astype(int) - picture).max() <= 1
    assert "not said to be logarithmic, are shown as they are" in probe(tmp_path / "f").notes[0]


def test_logarithmic_dpx_is_seen_as_light(tmp_path):
    codes = np.array([0, 95, 300, 445, 470, 685, 1023], np.uint16)
    picture = (codes * (65535 / 1023)).round().astype(np.uint16)[None, :, None].repeat(48, 0).repeat(3, 2)
    write_dpx(tmp_path / "f" / "0.dpx", picture, transfer=1)
    black = 10 ** ((95 - 685) / 300)
    expected = srgb((10 ** ((codes - 685.0) / 300) - black) / (1 - black))
    assert np.abs(first_rgb(tmp_path / "f")[0, :, 0] - expected).max() <= 1
    assert "logarithmic as on film" in probe(tmp_path / "f").notes[0]


# --- both ---


@pytest.mark.parametrize("name", ["0.exr", "0.dpx"])
def test_a_spoilt_frame_is_named_or_left_out(tmp_path, name):
    make = write_exr if name.endswith("exr") else lambda path: write_dpx(path, np.full((48, 64, 3), 9, np.uint8))
    content = make(tmp_path / "f" / name).read_bytes()
    make(tmp_path / "f" / f"1{name[1:]}")
    for spoilt in (content[:20], content[: len(content) - 40], content[:3]):
        (tmp_path / "f" / name).write_bytes(spoilt)
        with pytest.raises(VideoError, match=f"{name}.* cannot be read"), open_video(tmp_path / "f") as video:
            list(video)
        with open_video(tmp_path / "f", skip_bad_frames=True) as video:
            assert [frame.name for frame in video] == ["1"]


def test_a_header_that_declares_too_much_is_refused_at_once(tmp_path):
    path = write_dpx(tmp_path / "f" / "0.dpx", np.zeros((48, 64, 3), np.uint8))
    content = bytearray(path.read_bytes())
    content[772:780] = struct.pack(">2I", 60_000, 60_000)
    path.write_bytes(content)
    with pytest.raises(VideoError, match="60000x60000 pixels, as the header says, are too many"):
        open_video(tmp_path / "f")


def test_beside_pictures_of_the_same_names_they_are_passed_over_and_told(tmp_path):
    write_exr(tmp_path / "f" / "0.exr")
    for index in range(2):
        Image.fromarray(np.random.default_rng(index).integers(0, 256, (6, 8, 3), np.uint8)).save(
            tmp_path / "f" / f"{index}.png"
        )
    with open_video(tmp_path / "f") as video:
        assert video.names == ("0", "1")
        assert "0.exr is no frame (pictures of the same names are beside them)" in video.notes[0]


def test_they_are_no_masks(tmp_path):
    write_exr(tmp_path / "f" / "0.exr")
    with open_video(tmp_path / "f") as video, pytest.raises(MaskError, match="a mask is a PNG file"):
        read_masks(tmp_path / "f" / "0.exr", video)
