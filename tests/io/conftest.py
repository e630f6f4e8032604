"""Makers of small real videos, folders and masks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

WriteVideo = Callable[..., Path]


def noisy_picture(index: int, height: int = 48, width: int = 64) -> np.ndarray:
    """A picture that no other index has, hard to compress, so that damage to its bytes shows."""
    return np.random.default_rng(index).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.fixture
def write_video(tmp_path: Path) -> WriteVideo:
    """Encode pictures (h w 3) to a file; `ticks` are their times in thousandths, else 25 a second."""

    def write(
        name: str,
        pictures: Sequence[np.ndarray],
        *,
        codec: str = "libx264",
        rate: Fraction = Fraction(25),
        ticks: Sequence[int] | None = None,
        sound: bool = False,
        movflags: str = "faststart",
    ) -> Path:
        path = tmp_path / name
        is_mp4 = path.suffix in (".mp4", ".mov") and movflags
        with av.open(str(path), "w", options={"movflags": movflags} if is_mp4 else {}) as container:
            stream = container.add_stream(codec, rate=rate)
            stream.height, stream.width = pictures[0].shape[:2]
            stream.pix_fmt = "yuv420p"
            stream.codec_context.gop_size = 10
            if ticks is not None:
                stream.codec_context.time_base = Fraction(1, 1000)
            audio = container.add_stream("aac", rate=44100, layout="mono") if sound else None
            for index, picture in enumerate(pictures):
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                if ticks is not None:
                    frame.pts, frame.time_base = ticks[index], Fraction(1, 1000)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
            if audio is not None:
                silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
                silence.sample_rate = 44100
                container.mux(audio.encode(silence))
                container.mux(audio.encode(None))
        return path

    return write


@pytest.fixture
def video_file(write_video: WriteVideo) -> Path:
    """Thirty frames of 64x48 at 25 a second."""
    return write_video("clip.mp4", [noisy_picture(index) for index in range(30)])


@pytest.fixture
def write_frames(tmp_path: Path) -> Callable[..., Path]:
    """A folder of one plain picture (64x48) for each file name; the n-th is grey level n."""

    def write(*names: str, folder: str = "frames") -> Path:
        directory = tmp_path / folder
        directory.mkdir(exist_ok=True)
        for level, name in enumerate(names):
            Image.fromarray(np.full((48, 64, 3), level, np.uint8)).save(directory / name)
        return directory

    return write


@pytest.fixture
def frames(write_frames: Callable[..., Path]) -> Path:
    """Three frames named a1, a2 and a10."""
    return write_frames("a10.png", "a1.png", "a2.png")


@pytest.fixture
def pictures() -> list[np.ndarray]:
    """Thirty pictures, each unlike the others."""
    return [noisy_picture(index) for index in range(30)]
