"""What matching looks at for one query: long-term attention over the bank, and ADVA's points on the previous frame.

It is read off a session from outside. The network's own parts are called once more on the memory that the session holds
before a frame, so that following gives the same masks whether or not anybody watches (supplement 3, Figure 1).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from devos.engine.segmenter import Segmenter
from devos.engine.session import Session
from devos.flow.estimator import create_flow
from devos.frames import Frame, FrameSize, MaskFrame
from devos.image import resize_rgb, to_tensor
from devos.model.attention import LongTermMatching, Region
from devos.model.devos import DeVOS
from devos.model.encoder import Features
from devos.model.memory import Memory
from devos.model.motion import Motion

Point = tuple[float, float]
"""(x, y) in pixels of the frame; x right, y down, pixel centres at integers."""


@dataclass(frozen=True)
class Grid:
    """Where the network's cells lie on a frame: the frame was stretched to the network's size."""

    frame: FrameSize
    network: FrameSize

    def shape(self, stride: int) -> FrameSize:
        """Rows and columns of cells."""
        return FrameSize(self.network.height // stride, self.network.width // stride)

    def cell(self, point: Point, stride: int) -> tuple[int, int]:
        """(row, column) of the cell that holds a point; the nearest one for a point beyond the border."""
        rows, columns = self.shape(stride)
        column = int((point[0] + 0.5) * columns / self.frame.width)
        row = int((point[1] + 0.5) * rows / self.frame.height)
        return min(max(row, 0), rows - 1), min(max(column, 0), columns - 1)

    def to_frame(self, cells: Float[np.ndarray, "*n 2"], stride: int) -> Float[np.ndarray, "*n 2"]:
        """(x, y) in cells of a stride -> (x, y) in pixels of the frame."""
        rows, columns = self.shape(stride)
        scale = np.array([self.frame.width / columns, self.frame.height / rows])
        pixels: np.ndarray = (cells + 0.5) * scale - 0.5
        return pixels


@dataclass(frozen=True)
class Sampling:
    """Where ADVA looks on the previous frame for one query."""

    stride: int
    points: Float[np.ndarray, "heads points 2"]
    """(x, y) in pixels of the frame; they may lie outside it, where the border is repeated."""
    weights: Float[np.ndarray, "heads points"]
    """Non-negative; each head's sum to 1."""
    num_own: int
    """The first so many points of a head are sampled at the stride itself, the others at the next coarser one."""


@dataclass(frozen=True)
class View:
    """All that matching looks at on one frame."""

    current: Frame
    masks: MaskFrame
    """The session's answer on this frame."""
    previous: Frame
    remembered: tuple[Frame, ...]
    """The frames of the bank, oldest first."""
    remembered_masks: tuple[MaskFrame, ...]
    """The masks that the bank has of them."""
    grid: Grid
    weights: Mapping[int, Float[Tensor, "1 q n"]]
    """Long-term attention at each stride; the cells of the remembered frames in one row, frame after frame."""
    sampled: Mapping[int, Region]
    """ADVA's points and weights at each stride, finest first."""
    num_own: Mapping[int, int]
    flow: Float[np.ndarray, "2 h8 w8"]
    """On the current frame's stride-8 grid: (dx, dy) in pixels of the frame to where things were."""

    def attention(self, point: Point, stride: int) -> Float[np.ndarray, "frames h w"]:
        """What the query at a point takes from each cell of each remembered frame; sums to 1 over all of them."""
        row, column = self.grid.cell(point, stride)
        rows, columns = self.grid.shape(stride)
        taken: np.ndarray = self.weights[stride][0, row * columns + column].double().cpu().numpy()
        return taken.reshape(len(self.remembered), rows, columns)

    def sampling(self, point: Point, stride: int) -> Sampling:
        """Where each head looks for the query at a point, and how much it takes from each place."""
        row, column = self.grid.cell(point, stride)
        region = self.sampled[stride]
        points, weights = (x[0, :, row, column].double().cpu().numpy() for x in (region.points, region.weights))
        return Sampling(stride, self.grid.to_frame(points, stride), weights, self.num_own[stride])

    def motion(self, point: Point) -> Float[np.ndarray, 2]:
        """(dx, dy) from a point of this frame to where it was, in pixels of the frame."""
        row, column = self.grid.cell(point, 8)
        return self.flow[:, row, column]


@torch.inference_mode()
def watch(
    frames: Iterable[Frame], given: Mapping[int, np.ndarray], segmenter: Segmenter, first: int, last: int
) -> Iterator[View | None]:
    """Follow the given masks through a video, and look on at the frames `first` to `last`, both from 0 and included.

    One item for each frame up to `last`: None before `first`, and where no object is known from an earlier frame, so
    that there is nothing to match with. The video may end earlier.
    """
    flow = create_flow(segmenter.settings.flow, str(segmenter.device))
    session = Session(segmenter, flow=flow)
    seen: dict[int, tuple[Frame, MaskFrame]] = {}
    for frame in frames:
        before = session.state
        masks = session.step(frame, given.get(frame.index))
        looks = frame.index >= first and before.previous is not None and before.memory.previous is not None
        if looks:
            assert before.previous is not None
            rgb = resize_rgb(frame.rgb, FrameSize(*before.previous.shape[:2]))
            pair = flow.estimate(before.previous, rgb)
            to_prev, to_curr = (torch.from_numpy(f)[None].to(segmenter.device) for f in (pair.to_prev, pair.to_curr))
            image = to_tensor(rgb).to(segmenter.device)
            yield _look(segmenter.model, image, Motion(to_prev, to_curr), before.memory, frame, masks, seen)
        else:
            yield None
        memory = session.state.memory
        seen[memory.frame] = frame, masks
        held = {entry.frame for entry in memory.entries} | {memory.frame}
        seen = {index: pair for index, pair in seen.items() if index in held}
        if frame.index >= last:
            return


def _look(model: DeVOS, image: Tensor, motion: Motion, memory: Memory, frame: Frame, masks: MaskFrame,
          seen: Mapping[int, tuple[Frame, MaskFrame]]) -> View:  # fmt: skip
    """The network's matching of one frame with what is remembered, its weights kept."""
    features: Features = model.image_encoder(image)
    motion = motion.at_stride_8(*features.s8.shape[-2:])
    weights = {}
    for name, matching in model.long_term.items():
        stride = int(name.removeprefix("s"))
        taken = cast(LongTermMatching, matching).attention(features.at(stride), memory.keys(stride))
        # Of a frame that is not read at this stride nothing is taken.
        read = torch.tensor([stride in entry.keys for entry in memory.entries])
        of_each = taken.reshape(1, taken.shape[1], int(read.sum()), -1)
        of_all = taken.new_zeros(1, taken.shape[1], len(read), of_each.shape[3])
        of_all[:, :, read] = of_each
        weights[stride] = of_all.flatten(2)
    assert memory.previous is not None
    regions = model.look(features, memory.previous.features, motion).regions
    sampled: dict[int, Region] = dict(sorted(regions.items()))
    num_own = {stride: region.places.parts[0].points for stride, region in sampled.items()}
    grid = Grid(frame.size, FrameSize(*image.shape[-2:]))
    scale = np.array([frame.size.width / grid.network.width, frame.size.height / grid.network.height])
    flow = motion.to_prev[0].double().cpu().numpy() * scale[:, None, None]
    remembered, answers = zip(*(seen[entry.frame] for entry in memory.entries), strict=True)
    return View(
        frame, masks, seen[memory.frame][0], remembered, answers, grid, weights, sampled, num_own, flow
    )  # fmt: skip
