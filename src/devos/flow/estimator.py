"""Optical flow between two images, from a replaceable estimator.

Two fields for each pair, named by the grid that they live on (supplement 1.1, E^f_forward and E^f_backward are
embeddings of them): `to_prev` on the current frame's grid says where each current pixel was; `to_curr` on the previous
frame's grid says where each previous pixel goes.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from devos.errors import OptionError
from devos.extras import install

Image = UInt8[np.ndarray, "h w 3"]
Field = Float32[np.ndarray, "2 h_half w_half"]


@dataclass(frozen=True)
class FlowPair:
    """Motion between two frames of one size, on a grid of half that size.

    Channels are (dx, dy), in pixels of the *full* size; x to the right, y down.
    """

    to_prev: Field
    """On the current frame's grid: where each pixel was on the previous frame, relative to where it is now."""
    to_curr: Field
    """On the previous frame's grid: where each pixel is now, relative to where it was."""


@runtime_checkable
class FlowEstimator(Protocol):
    """Anything that can say how the picture moved."""

    name: str

    def estimate(self, previous: Image, current: Image) -> FlowPair:
        """Motion between two RGB images of the same even height and width."""
        ...


class DisFlow:
    """OpenCV's dense inverse search (Kroeger et al. 2016), on half-size grey images: milliseconds on a CPU core."""

    name = "dis"

    def __init__(self) -> None:
        self._dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
        self._dis.setFinestScale(1)

    def estimate(self, previous: Image, current: Image) -> FlowPair:
        """Motion between two RGB images of the same even height and width."""
        before, after = _half_grey(previous), _half_grey(current)
        # Dense inverse search fails on images of fewer pixels than its patches and pyramid need.
        if min(before.shape) < 16:
            return _still(previous)
        return FlowPair(to_prev=self._field(after, before), to_curr=self._field(before, after))

    def _field(self, source: np.ndarray, target: np.ndarray) -> Field:
        field = self._dis.calc(source, target, None)
        return np.ascontiguousarray(field.transpose(2, 0, 1) * np.float32(2))


class NoFlow:
    """Nothing moves: for ablation, and for pictures that are no film."""

    name = "none"

    def estimate(self, previous: Image, current: Image) -> FlowPair:
        """Two fields of zeros."""
        return _still(previous)


class GivenFlow:
    """Flow that the caller computed: one pair for each step, in order."""

    name = "given"

    def __init__(self, next_pair: Callable[[Image, Image], FlowPair]) -> None:
        self._next_pair = next_pair

    def estimate(self, previous: Image, current: Image) -> FlowPair:
        """What the caller gives for this pair, checked."""
        pair = self._next_pair(previous, current)
        expected = (2, previous.shape[0] // 2, previous.shape[1] // 2)
        for field in (pair.to_prev, pair.to_curr):
            if field.shape != expected:
                raise ValueError(f"given flow must have shape {expected} (dx, dy at half size), got {field.shape}")
        return pair


class RaftFlow:
    """RAFT (Teed and Deng 2020) from torchvision, where that is installed; its weights come over the network once."""

    name = "raft"

    def __init__(self, device: str = "cpu") -> None:
        if importlib.util.find_spec("torchvision") is None:
            raise OptionError(f"--flow raft needs torchvision, which is not installed: {install('raft')}, or use "
                              "--flow dis")  # fmt: skip
        import torch
        from torchvision.models.optical_flow import Raft_Small_Weights, raft_small

        self._torch = torch
        self._device = torch.device(device)
        self._net = raft_small(weights=Raft_Small_Weights.DEFAULT, progress=False).eval().to(self._device)

    def estimate(self, previous: Image, current: Image) -> FlowPair:
        """Motion between two RGB images of the same even height and width, each at least 128 pixels."""
        torch = self._torch
        pair = torch.from_numpy(np.stack([current, previous])).to(self._device).permute(0, 3, 1, 2)
        pair = pair.float() / 127.5 - 1
        with torch.inference_mode():
            fields = self._net(pair, pair.flip(0))[-1]
        halves = torch.nn.functional.avg_pool2d(fields, 2).cpu().numpy()
        return FlowPair(to_prev=halves[0], to_curr=halves[1])


FLOW_NAMES = ("dis", "none", "raft")
"""What `create_flow` knows."""


def create_flow(name: str, device: str = "cpu") -> FlowEstimator:
    """The estimator of that name; OptionError, with the names that exist, if there is none."""
    if name == "dis":
        return DisFlow()
    if name == "none":
        return NoFlow()
    if name == "raft":
        return RaftFlow(device)
    raise OptionError(f"no flow estimator is called {name!r}; choose one of {', '.join(FLOW_NAMES)}")


def _half_grey(rgb: Image) -> UInt8[np.ndarray, "h_half w_half"]:
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    half: np.ndarray = cv2.resize(grey, (rgb.shape[1] // 2, rgb.shape[0] // 2), interpolation=cv2.INTER_AREA)
    return half


def _still(image: Image) -> FlowPair:
    zeros = np.zeros((2, image.shape[0] // 2, image.shape[1] // 2), np.float32)
    return FlowPair(to_prev=zeros, to_curr=zeros)
