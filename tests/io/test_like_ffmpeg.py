"""Every pixel as the program ffmpeg gives it, over kinds of pixels; skipped where the program is not here."""

from __future__ import annotations

import shutil
import subprocess

import numpy as np
import pytest

from devos.io.videos import open_video

pytestmark = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="the program ffmpeg is not here")
SOURCE = ["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", "testsrc2=s=96x64:r=25:d=0.2"]
KINDS = {
    "bt709.mp4": "-vf scale=out_color_matrix=bt709 -pix_fmt yuv420p -c:v libx264 -colorspace bt709 -color_range tv",
    "full.mp4": "-vf scale=out_range=full -pix_fmt yuv420p -c:v libx264 -color_range pc",
    "full.avi": "-pix_fmt yuvj422p -c:v mjpeg",
    "ten-bits.mov": "-pix_fmt yuv422p10le -c:v prores_ks",
    "alpha.mov": "-pix_fmt yuva444p10le -c:v prores_ks -profile:v 4444",
    "grey.mkv": "-pix_fmt gray -c:v ffv1",
    "deep-grey.mkv": "-pix_fmt gray16le -c:v ffv1",
    "planes.mkv": "-pix_fmt gbrp -c:v ffv1",
    "rgb.mov": "-pix_fmt rgb24 -c:v qtrle",
    "few-colours.mkv": "-pix_fmt yuv411p -c:v ffv1",
    "odd.mkv": "-vf crop=95:63 -pix_fmt yuv420p -c:v libx264",
}


@pytest.mark.parametrize("name", KINDS)
def test_pixels_are_those_of_ffmpeg(tmp_path, name):
    path = tmp_path / name
    if subprocess.run([*SOURCE, *KINDS[name].split(), str(path)], capture_output=True).returncode:
        pytest.skip("this ffmpeg cannot write it")
    command = ["ffmpeg", "-v", "quiet", "-i", str(path), "-fps_mode", "passthrough", "-f", "rawvideo"]
    theirs = subprocess.run([*command, "-pix_fmt", "rgb24", "-"], capture_output=True, check=True).stdout
    with open_video(path) as video:
        ours = np.stack([frame.rgb for frame in video])
    # to the bit with FFmpeg 5.1; others may round otherwise
    assert np.abs(ours.astype(int) - np.frombuffer(theirs, np.uint8).reshape(ours.shape)).max() <= 3
