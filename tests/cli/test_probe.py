from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from devos.cli.main import app
from devos.io.videos import open_video


def write(path: Path, ticks: list[int]) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.colorspace = 1
        for tick in ticks:
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 99, np.uint8), format="rgb24")
            frame.pts, frame.time_base = tick, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def probe(path: Path) -> dict:
    result = CliRunner().invoke(app, ["probe", str(path), "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.mark.parametrize(("ticks", "is_constant"), [([*range(10)], True), ([0, 1, 2, 5, 9, 10], False)])
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_a_file_is_told_with_its_frames_rate_and_colours(tmp_path, name, ticks, is_constant):
    path = write(tmp_path / name, ticks)
    told = probe(path)
    with open_video(path) as video:
        assert told["num_frames"] == len(list(video)) == len(ticks)
    assert (told["width"], told["height"], told["kind"]) == (64, 48, "video file")
    assert told["is_constant"] is is_constant
    assert told["colours"]["matrix"] == "BT.709"
    assert told["streams"][0].startswith("0: video, h264, 64x48")
    assert told["last_frame"] == f"{len(ticks) - 1:05d}"


def test_a_folder_is_told_with_what_is_passed_over(tmp_path):
    for index in range(3):
        noise = np.random.default_rng(index).integers(0, 256, (48, 64, 3), dtype=np.uint8)
        Image.fromarray(noise).save(tmp_path / f"f{index}.jpg")
    Image.new("L", (64, 48)).save(tmp_path / "mask.png")
    told = probe(tmp_path)
    assert (told["kind"], told["num_frames"], told["first_frame"], told["last_frame"]) == (
        "folder of frames", 3, "f0", "f2",
    )  # fmt: skip
    assert "mask.png is no frame" in told["notes"][0]


def test_people_get_lines(tmp_path):
    result = CliRunner().invoke(app, ["probe", str(write(tmp_path / "a.mp4", [0, 1, 2]))])
    assert result.exit_code == 0
    assert "frames       3 (00000 to 00002)" in result.stdout


def test_what_is_no_video_is_one_line(tmp_path):
    result = CliRunner().invoke(app, ["probe", str(tmp_path / "none.mp4")])
    assert result.exit_code == 2
    assert "no such file or folder" in result.output
