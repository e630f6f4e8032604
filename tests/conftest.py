"""A network with random weights and a small clip, for the tests that run the whole job."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image

from devos.model.checkpoint import save_weights
from devos.model.config import devos_t
from devos.model.devos import DeVOS

HEIGHT, WIDTH = 64, 96


WriteVideo = Callable[[Path, list[np.ndarray]], None]


@pytest.fixture(scope="session")
def write_video() -> WriteVideo:
    """Encode frames (h w 3) as H.264, 30000/1001 a second."""

    def write(path: Path, frames: list[np.ndarray]) -> None:
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate=Fraction(30000, 1001))
            stream.height, stream.width = frames[0].shape[:2]
            stream.pix_fmt = "yuv420p"
            for frame in frames:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
            container.mux(stream.encode(None))

    return write


@pytest.fixture(scope="session")
def read_video() -> Callable[[Path], tuple[Fraction, list[np.ndarray]]]:
    """The frames a second of a video, and its frames."""

    def read(path: Path) -> tuple[Fraction, list[np.ndarray]]:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            return stream.average_rate, [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]

    return read


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weights file of devos-t that has learnt nothing."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "random.safetensors"
    save_weights(DeVOS(devos_t()), path, {})
    return path


@pytest.fixture(scope="session")
def pictures() -> Callable[[int], list[np.ndarray]]:
    """The first frames (h w 3) of a film: a bright square slides over noise."""

    def make(num_frames: int) -> list[np.ndarray]:
        ground = np.random.default_rng(0).integers(0, 120, (HEIGHT, WIDTH, 3), dtype=np.uint8)
        frames = [ground.copy() for _ in range(num_frames)]
        for index, frame in enumerate(frames):
            left = 10 + index % 40
            frame[20:44, left : left + 24] = (230, 200, 40)
        return frames

    return make


@pytest.fixture(scope="session")
def square() -> np.ndarray:
    """The mask (h w) of the square on the first frame, object 1."""
    labels = np.zeros((HEIGHT, WIDTH), np.uint8)
    labels[20:44, 10:34] = 1
    return labels


@pytest.fixture
def clip(
    tmp_path: Path, pictures: Callable[[int], list[np.ndarray]], square: np.ndarray, write_video: WriteVideo
) -> Path:
    """A folder with clip.mp4 (8 frames, 30000/1001 a second), the same as frames/f1.png to f8.png, and first.png."""
    folder = tmp_path / "input"
    (folder / "frames").mkdir(parents=True)
    write_video(folder / "clip.mp4", pictures(8))
    for number, picture in enumerate(pictures(8), start=1):
        Image.fromarray(picture).save(folder / "frames" / f"f{number}.png")
    Image.fromarray(square).save(folder / "first.png")
    return folder
