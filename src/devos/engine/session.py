"""A session: one video over a shared network, frame by frame. It alone carries state from frame to frame."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, UInt8, UInt16
from torch import Tensor
from torch.nn import functional as F

from devos.engine.objects import ObjectTable
from devos.engine.segmenter import Segmenter
from devos.errors import MaskError, VideoError
from devos.flow.estimator import FlowEstimator, create_flow
from devos.frames import Frame, FrameSize, MaskFrame, ObjectScore
from devos.image import network_size, resize_rgb, to_tensor
from devos.masks import shares, to_full_size
from devos.model.devos import Given
from devos.model.memory import EveryNth, Memory
from devos.model.motion import Motion

Labels = UInt16[np.ndarray, "h w"] | UInt8[np.ndarray, "h w"]


@dataclass(frozen=True)
class State:
    """All that a session carries from frame to frame: a value, so it can be kept, to come back to it."""

    memory: Memory
    objects: ObjectTable
    previous: UInt8[np.ndarray, "h w 3"] | None
    """The frame before, at the network's size."""
    index: int
    """Of the next frame."""
    size: FrameSize | None
    """Of the video; None before the first frame."""

    @property
    def num_bytes(self) -> int:
        """What the state holds, in bytes."""
        image = 0 if self.previous is None else self.previous.nbytes
        return image + sum(t.numel() * t.element_size() for t in self.memory.tensors())


class Session:
    """Follows objects through one video.

    >>> import devos, numpy as np
    >>> session = devos.Session(devos.load("devos-t", size=64))
    >>> frame, mask = np.zeros((64, 96, 3), np.uint8), np.zeros((64, 96), np.uint8)
    >>> mask[20:40, 20:50] = 7
    >>> session.step(frame, mask).scores[0].object_id
    7
    >>> session.step(frame).labels.shape
    (64, 96)
    """

    def __init__(self, segmenter: Segmenter, *, flow: FlowEstimator | None = None) -> None:
        self._segmenter = segmenter
        settings = segmenter.settings
        self._flow = flow or create_flow(settings.flow, str(segmenter.device))
        self._policy = EveryNth(every=settings.memory_every, max_entries=settings.bank)
        self.timings: dict[str, float] = {"flow": 0.0, "network": 0.0, "masks": 0.0}
        """Seconds spent so far, by part."""
        self.state = State(Memory(), ObjectTable(segmenter.model.config.num_slots), None, 0, None)

    @property
    def object_ids(self) -> tuple[int, ...]:
        """The objects that are followed, in the order of their ids."""
        return self.state.objects.ids

    @torch.inference_mode()
    def step(
        self,
        frame: Frame | UInt8[np.ndarray, "h w 3"],
        masks: Labels | None = None,
        *,
        objects: Iterable[int] | None = None,
        probabilities: bool = False,
    ) -> MaskFrame:
        """Follow every object onto the next frame.

        `frame`: RGB, 8 bits, of any size, the same throughout a video. `masks`: the user's ids at the frame's size; it
        names the objects that it shows, and those in `objects` (to say that one is not on this frame), and says nothing
        about the others. What is given comes back exactly. New objects may be named at any frame. `probabilities` asks
        for each object's probability at each pixel. Raises MaskError or VideoError for a size that does not fit.
        """
        frame = self._as_frame(frame)
        labels, named = self._check_masks(frame, masks, objects)
        before = self.state
        try:
            if named:
                self._admit(named)
            if not self.object_ids:
                self.state = replace(self.state, index=frame.index + 1, previous=None, size=frame.size)
                return MaskFrame(frame.index, frame.time_s, frame.name, np.zeros(frame.size, np.uint16), ())
            merged = self._follow(frame, labels, named)
        except BaseException:
            self.state = before  # no object may be known of which nothing is remembered
            raise
        begun = time.perf_counter()
        result = self._answer(frame, merged, labels, named, probabilities)
        self.timings["masks"] += time.perf_counter() - begun
        return result

    def run(self, frames: Iterable[Frame], given: Mapping[int, Labels] | None = None) -> Iterator[MaskFrame]:
        """Every frame in turn, with the masks that are given for some of their indices. Nothing is held back."""
        for frame in frames:
            yield self.step(frame, given.get(frame.index) if given else None)

    @torch.inference_mode()
    def remove(self, object_id: int) -> None:
        """Stop following an object and forget it. KeyError if it is not followed."""
        place = self.state.objects.places.get(object_id)
        objects = self.state.objects.remove(object_id)
        if not objects.places:
            self.state = replace(self.state, objects=objects, memory=Memory(), previous=None)
            return
        assert place is not None

        def forget(probabilities: Tensor) -> Tensor:
            changed = probabilities.clone()
            changed[place.group, 0] += changed[place.group, place.slot]
            changed[place.group, place.slot] = 0
            return changed[: objects.num_groups]

        memory = self._segmenter.model.rewrite(self.state.memory, forget)
        self.state = replace(self.state, objects=objects, memory=memory)

    def _as_frame(self, frame: Frame | np.ndarray) -> Frame:
        if not isinstance(frame, Frame):
            if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
                raise VideoError(f"a frame is height x width x 3, uint8, RGB; got {frame.shape} of {frame.dtype}")
            frame = Frame(self.state.index, float(self.state.index), f"{self.state.index:05d}", frame)
        if self.state.size is not None and frame.size != self.state.size:
            raise VideoError(f"frame {frame.name} is {frame.size}, but the video is {self.state.size}; "
                             "give all frames at one size, or start a new session")  # fmt: skip
        return frame

    def _check_masks(self, frame: Frame, masks: Labels | None,
                     objects: Iterable[int] | None) -> tuple[UInt16[np.ndarray, "h w"] | None, list[int]]:  # fmt: skip
        """The given labels, and every object that is named."""
        named = {int(i) for i in objects or ()}
        if masks is None:
            return (np.zeros(frame.size, np.uint16) if named else None), sorted(named)
        if masks.shape != tuple(frame.size):
            raise MaskError(f"the mask for frame {frame.name} is {masks.shape[1]}x{masks.shape[0]}, but the frame is "
                            f"{frame.size}; resize the mask with nearest neighbour")  # fmt: skip
        named |= {int(i) for i in np.unique(masks)} - {0}
        return masks.astype(np.uint16), sorted(named)

    def _admit(self, named: Sequence[int]) -> None:
        """Give new objects a place; where that opens a group, what is remembered gets it too, all background."""
        before = self.state.objects
        objects = before.add(named)
        memory = self.state.memory
        opened = objects.num_groups - before.num_groups
        if memory.previous is not None and opened:

            def widen(probabilities: Tensor) -> Tensor:
                empty = torch.zeros_like(probabilities[:1]).repeat(opened, 1, 1, 1)
                empty[:, 0] = 1
                return torch.cat([probabilities, empty])

            memory = self._segmenter.model.rewrite(memory, widen)
        self.state = replace(self.state, objects=objects, memory=memory)

    def _follow(self, frame: Frame, labels: Labels | None, named: Sequence[int]) -> Float[Tensor, "groups slots h4 w4"]:
        """One step of the network; what it remembers of this frame."""
        size = network_size(frame.size, self._segmenter.settings.size)
        rgb = resize_rgb(frame.rgb, size)
        begun = time.perf_counter()
        motion = None
        if self.state.previous is not None:
            pair = self._flow.estimate(self.state.previous, rgb)
            fields = (torch.from_numpy(f)[None].to(self._segmenter.device) for f in (pair.to_prev, pair.to_curr))
            motion = Motion(*fields)
        flowed = time.perf_counter()
        image = to_tensor(rgb).to(self._segmenter.device)
        used = self.state.objects.used().to(self._segmenter.device)
        given = None if labels is None else self._given(labels, named, FrameSize(size.height // 4, size.width // 4))
        output = self._segmenter.model.step(image, motion, self.state.memory, used, given, self._policy)
        self.timings["flow"] += flowed - begun
        self.timings["network"] += time.perf_counter() - flowed
        self.state = replace(self.state, memory=output.memory, previous=rgb, index=frame.index + 1, size=frame.size)
        return output.probabilities

    def _given(self, labels: Labels, named: Sequence[int], size: FrameSize) -> Given:
        objects = self.state.objects
        probabilities = torch.zeros(objects.num_groups, objects.slots_per_group + 1, *size)
        slots = torch.zeros(probabilities.shape[:2], dtype=torch.bool)
        for share, object_id in zip(shares(labels, named, size), named, strict=True):
            place = objects.places[object_id]
            probabilities[place] = share
            slots[place] = True
        probabilities[:, 0] = (1 - probabilities[:, 1:].sum(1)).clamp(min=0)
        device = self._segmenter.device
        return Given(probabilities.to(device), slots.to(device))

    def _answer(self, frame: Frame, merged: Float[Tensor, "groups slots h4 w4"], labels: Labels | None,
                named: Sequence[int], keep: bool) -> MaskFrame:  # fmt: skip
        """The network's probabilities as the user's labels at the frame's size, what was given put back exactly."""
        ids = self.object_ids
        places = [self.state.objects.places[i] for i in ids]
        maps = torch.stack([merged[place] for place in places])
        background = (1 - maps.sum(0)).clamp(min=0)
        full = to_full_size(background, maps, frame.size, keep)
        winner = full.winner.cpu().numpy()
        answer = np.array([0, *ids], np.uint16)[winner]
        soft = None if full.probabilities is None else full.probabilities.half().cpu().numpy()
        certainty = full.certainty.cpu().numpy()
        if labels is not None:
            answer, soft = _restore_given(answer, soft, labels, named, ids)
            certainty = np.where((labels > 0) | np.isin(answer, named), np.float32(1), certainty)
        scores = _scores(ids, named if labels is not None else (), maps, answer, certainty)
        return MaskFrame(frame.index, frame.time_s, frame.name, answer, scores, soft)


def _restore_given(
    answer: UInt16[np.ndarray, "h w"], soft: np.ndarray | None, labels: Labels, named: Sequence[int],
    ids: Sequence[int],
) -> tuple[UInt16[np.ndarray, "h w"], np.ndarray | None]:  # fmt: skip
    """What was given stands, pixel for pixel: a named object is where it was drawn and nowhere else."""
    restored = np.where(np.isin(answer, list(named)), 0, answer)
    restored = np.where(labels > 0, labels, restored).astype(np.uint16)
    if soft is not None:
        soft = np.where(labels > 0, np.float16(0), soft)
        for object_id in named:
            soft[ids.index(object_id)] = labels == object_id
    return restored, soft


def _scores(ids: Sequence[int], given: Sequence[int], maps: Float[Tensor, "objects h4 w4"],
            labels: UInt16[np.ndarray, "h w"],
            certainty: Float[np.ndarray, "h w"]) -> tuple[ObjectScore, ...]:  # fmt: skip
    """Presence: the highest mean probability of a 3 x 3 neighbourhood at stride 4; what was given is certain."""
    peaks = F.avg_pool2d(maps[:, None], 3, stride=1, padding=1, count_include_pad=False).amax((1, 2, 3)).tolist()
    row = np.zeros(int(max(ids)) + 1, np.int64)
    row[list(ids)] = np.arange(1, len(ids) + 1)
    rows = row[labels].ravel()
    counts = np.bincount(rows, minlength=len(ids) + 1)[1:]
    sums = np.bincount(rows, weights=certainty.ravel(), minlength=len(ids) + 1)[1:]
    scores = []
    for object_id, peak, count, total in zip(ids, peaks, counts, sums, strict=True):
        presence = float(count > 0) if object_id in given else peak
        confidence = float(total / count) if count else 0.0
        scores.append(ObjectScore(object_id, round(presence, 4), round(confidence, 4)))
    return tuple(scores)
