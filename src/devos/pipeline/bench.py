"""How fast a model follows objects here: the network alone, and the whole job from a video to written masks."""

from __future__ import annotations

import itertools
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from jaxtyping import UInt16

from devos.engine.segmenter import Segmenter
from devos.errors import OptionError
from devos.frames import FrameSize
from devos.io import open_video, read_masks
from devos.io.labels import write_label_png
from devos.pipeline.machine import describe, peak_memory
from devos.pipeline.segment import RunSummary, segment

LEAST_FRAMES = 3
"""A network's first steps meet a memory that is not full, and are not counted."""


@dataclass(frozen=True)
class Report:
    """What was measured, and on what. Times are medians."""

    model: str
    weights: str | None
    """The first 12 digits of their SHA-256."""
    video: str
    frame: str
    """Its size, width x height."""
    num_frames: int
    num_objects: int
    settings: dict[str, Any]
    precision: str
    device: str
    machine: dict[str, Any]
    repeats: int
    overlay: bool
    """Whether an overlay video was written besides masks and table."""
    network_fps: float
    """Frames a second of the network alone, the memory full; reading, flow, full-size masks and writing not counted."""
    fps: float
    """Frames a second of the whole job: read, flow, network, masks, written files. Loading the model is not counted."""
    fps_of_each: tuple[float, ...]
    """That of each repeat."""
    ms_per_frame: dict[str, float]
    """Work of the whole job by part, in milliseconds a frame. Parts run side by side, so the sum may be more than the
    time that a frame takes."""
    load_seconds: float
    """From nothing to a model that is ready, in this process."""
    first_mask_seconds: float
    """From a model that is ready to the first mask."""
    peak_mib: float | None
    """The most memory that this process has held."""
    peak_gpu_mib: float | None

    def as_json(self) -> dict[str, Any]:
        """The same, of plain values."""
        return asdict(self)


def _parts(runs: Sequence[RunSummary]) -> dict[str, float]:
    """Median milliseconds a frame of each part."""
    names = [name for name in runs[-1].timings if name not in ("load", "check")]
    each = {name: statistics.median(run.timings[name] for run in runs) for name in names}
    return {name: round(1000 * seconds / runs[-1].num_frames, 2) for name, seconds in each.items()}


def bench(
    video: Path,
    masks: Path,
    load: Callable[[], Segmenter],
    *,
    objects: int | None = None,
    frames: int | None = None,
    repeats: int = 3,
    overlay: bool = True,
    watch: Callable[[str], None] = lambda _: None,
) -> Report:
    """Measure a model on a video.

    `objects`: follow so many disks on a grid, in place of what the masks show; how fast it goes does not depend on what
    is followed. `frames`: no more than so many for the network alone. `overlay`: write the overlay video too. `watch`
    is told what is being measured.
    """
    if repeats < 1:
        raise OptionError(f"--repeats is a number from 1, got {repeats}")
    if frames is not None and frames < LEAST_FRAMES:
        raise OptionError(f"--frames is a number from {LEAST_FRAMES}, got {frames}")
    begun = time.perf_counter()
    segmenter = load()
    load_seconds = time.perf_counter() - begun
    with tempfile.TemporaryDirectory() as folder:
        size = _size_of(video)
        if objects is not None:
            masks = Path(folder) / "disks.png"
            write_label_png(masks, disks(size, objects))
        watch("the network alone")
        network, first = _network(video, masks, segmenter, frames)
        runs = []
        for repeat in range(repeats):
            watch(f"the whole job, {repeat + 1} of {repeats}")
            runs.append(segment(video, masks, Path(folder) / f"{repeat}", model=segmenter, overlay=overlay))
    last, device = runs[-1], segmenter.device
    on_gpu = device.type == "cuda"
    return Report(
        model=segmenter.model.config.name,
        weights=segmenter.weights.sha256[:12] if segmenter.weights else None,
        video=video.name,
        frame=str(size),
        num_frames=last.num_frames,
        num_objects=len(last.object_ids),
        settings=asdict(segmenter.settings),
        precision=segmenter.settings.precision,
        device=str(device),
        machine=describe(device, torch.get_num_threads()),
        repeats=repeats,
        overlay=overlay,
        network_fps=round(1 / network, 2),
        fps=statistics.median(run.fps for run in runs),
        fps_of_each=tuple(run.fps for run in runs),
        ms_per_frame=_parts(runs),
        load_seconds=round(load_seconds, 3),
        first_mask_seconds=round(first, 3),
        peak_mib=peak_memory(),
        peak_gpu_mib=round(torch.cuda.max_memory_allocated(device) / (1 << 20), 1) if on_gpu else None,
    )


def disks(size: FrameSize, count: int) -> UInt16[np.ndarray, "h w"]:
    """A label map with disks, numbered from 1, on a grid. OptionError if they would not fit."""
    columns = max(1, round((max(count, 1) * size.width / size.height) ** 0.5))
    rows = max(1, -(-count // columns))
    step_x, step_y = size.width / columns, size.height / rows
    radius = int(0.3 * min(step_x, step_y))
    if count < 1 or radius < 2:
        raise OptionError(f"--objects is a number from 1, of disks that can be told apart on {size}; got {count}")
    labels = np.zeros(size, np.uint16)
    for index in range(count):
        row, column = divmod(index, columns)
        cv2.circle(labels, (int((column + 0.5) * step_x), int((row + 0.5) * step_y)), radius, index + 1, -1)
    return labels


def _size_of(video: Path) -> FrameSize:
    with open_video(video) as reader:
        return reader.size


def _network(video: Path, masks: Path, segmenter: Segmenter, frames: int | None) -> tuple[float, float]:
    """Median seconds of a step of the network, the bank full where the video is long enough; and those that the first
    frame took.
    """
    with open_video(video) as reader:
        given, session, steps = read_masks(masks, reader), segmenter.session(), []
        begun = time.perf_counter()
        first = 0.0
        for frame in itertools.islice(reader, frames):
            before = session.timings["network"]
            session.step(frame, given.get(frame.index))
            if segmenter.device.type == "cuda":
                torch.cuda.synchronize(segmenter.device)
            steps.append(session.timings["network"] - before)
            first = first or time.perf_counter() - begun
    settings = segmenter.settings
    full = min(settings.memory_every * (settings.bank - 1) + 1, len(steps) // 2)
    return statistics.median(steps[full:]), first
