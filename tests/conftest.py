"""A network with random weights and a small clip, for the tests that run the whole job."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import jaxtyping
import numpy as np
import pytest
import torch
from PIL import Image

from devos.model.checkpoint import save_weights
from devos.model.config import devos_t
from devos.model.devos import DeVOS
from devos.runtimes import choose

HEIGHT, WIDTH = 64, 96

# A shell that is not interactive lets its background jobs ignore Ctrl-C, and so would all that tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP"):  # and what nohup begins is deaf to the end of its terminal
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


WHOLE_JOBS = ("app", "cli", "experiments", "pipeline")
"""Rooms whose tests run what the tests of other rooms run too, with shapes checked there."""


@pytest.fixture(autouse=True)
def shapes(request: pytest.FixtureRequest) -> Iterator[None]:
    """Shapes are checked at every call; in whole jobs, which that makes twice as slow, only before a release."""
    room = request.path.relative_to(Path(__file__).parent).parts[0]
    quick = request.config.option.markexpr == "not release" and room in WHOLE_JOBS
    jaxtyping.config.update("jaxtyping_disable", quick)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


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


@pytest.fixture(autouse=True, scope="session")
def torch_unless_told_otherwise(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test makes graphs unless it asks for them, and none reads or writes the user's own cache of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DEVOS_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setattr(choose, "FASTEST", ())
        yield


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


def texture(seed: int, height: int, width: int) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), np.uint8)
    return cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)


def write_mask(path: Path, labels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(labels).save(path)


@pytest.fixture
def video_root(tmp_path: Path) -> Path:
    """Two videos of twelve frames, in DAVIS's layout: two discs that slide over a texture; 255 around the second."""
    root = tmp_path / "videos"
    for seed, name in enumerate(("ant", "bee")):
        for t in range(12):
            rgb, labels = texture(seed, 96, 128) // 2, np.zeros((96, 128), np.uint8)
            for label, (x, y) in enumerate([(30 + 3 * t, 30), (90 - 2 * t, 66)], start=1):
                if label == 2:
                    cv2.circle(labels, (x, y), 18, 255, -1)
                cv2.circle(labels, (x, y), 16, label, -1)
                cv2.circle(rgb, (x, y), 16, (250, 40 * label, 60 * seed), -1)
            frame = root / "JPEGImages" / "480p" / name / f"{t:05d}.jpg"
            frame.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rgb).save(frame, quality=95)
            write_mask(root / "Annotations" / "480p" / name / f"{t:05d}.png", labels)
    return root


@pytest.fixture
def photo_root(tmp_path: Path) -> Path:
    """Four photos, each with a disc and a box, and void around the disc."""
    root = tmp_path / "photos"
    for i in range(4):
        rgb, labels = texture(10 + i, 100, 120) // 2, np.zeros((100, 120), np.uint8)
        cv2.circle(labels, (40, 45), 28, 255, -1)
        cv2.circle(labels, (40, 45), 25, 1, -1)
        labels[50:90, 75:110] = 2
        rgb[labels == 1] = 127 + texture(20 + i, 100, 120)[labels == 1] // 2
        rgb[labels == 2] = (30, 200, 60 * i)
        picture = root / "things" / "images" / f"{i}.png"
        picture.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rgb).save(picture)
        write_mask(root / "things" / "masks" / f"{i}.png", labels)
    return root
