"""A session: one video over a shared network, frame by frame. It alone carries state from frame to frame."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from threading import RLock
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, UInt16
from torch import Tensor

from devos.engine.ensemble import Past, View, average, views_of
from devos.engine.forks import refuse_after_fork
from devos.engine.given import as_labels, as_rgb
from devos.engine.objects import ObjectTable
from devos.engine.prepared import Preparation, PreparedFrame, Sight
from devos.engine.results import Answer, Kept, Labels
from devos.engine.settings import Settings
from devos.engine.states import State
from devos.errors import VideoError
from devos.flow.estimator import FlowEstimator, create_flow
from devos.frames import Frame, FrameSize, MaskFrame, frame_name
from devos.image import to_tensor
from devos.masks import shares
from devos.model.devos import DeVOS, Given, Looked, Parts, forget_previous
from devos.model.memory import EveryNth
from devos.model.motion import Motion

__all__ = ["Answer", "Kept", "Labels", "Network", "Session", "State"]


@runtime_checkable
class Network(Protocol):
    """What a session needs to be told: a `Segmenter` has it."""

    @property
    def model(self) -> DeVOS:
        """The network, on `device`."""
        ...

    @property
    def settings(self) -> Settings:
        """How the video is to be followed."""
        ...

    @property
    def device(self) -> torch.device:
        """Where the network runs."""
        ...

    @property
    def parts(self) -> Parts | None:
        """What computes the network, if it is not the network itself."""
        ...


class Session:
    """Follows objects through one video.

    Where the settings ask for several views of it (`flip`, `scales`), each view is followed on its own, and each
    frame's result is made of the mean of their probabilities. `flow` replaces the settings' estimator; it is asked once
    a frame for each view, with the pictures that the view sees.

    >>> import devos, numpy as np
    >>> session = devos.Session(devos.load("devos-t", size=64))
    >>> frame, mask = np.zeros((64, 96, 3), np.uint8), np.zeros((64, 96), np.uint8)
    >>> mask[20:40, 20:50] = 7
    >>> session.step(frame, mask).scores[0].object_id
    7
    >>> session.step(frame).labels.shape
    (64, 96)
    """

    def __init__(self, segmenter: Network, *, flow: FlowEstimator | None = None) -> None:
        self._segmenter = segmenter
        settings = segmenter.settings
        self._policy = EveryNth(every=settings.memory_every, max_entries=settings.bank, fine=settings.fine_bank)
        self._views = views_of(settings)
        flow = flow or create_flow(settings.flow, str(segmenter.device))
        self._preparation = Preparation(self._views, settings, flow)
        self._stepping = RLock()  # frames have an order, in which threads that share a session must take turns
        self._timings: dict[str, float] = {"network": 0.0, "masks": 0.0}
        self.state = State(self._nothing_seen(), ObjectTable(segmenter.model.config.num_slots), 0, None)

    @property
    def object_ids(self) -> tuple[int, ...]:
        """The objects that are followed, in the order of their ids."""
        return self.state.objects.ids

    @property
    def timings(self) -> dict[str, float]:
        """Seconds of work so far, by part: resize, flow, encode and look (ahead of a frame's turn), network, masks."""
        return {**self._preparation.timings, **self._timings}

    @torch.inference_mode()
    def prepare(self, frame: Frame, before: PreparedFrame | None = None, *, followed: bool = True) -> PreparedFrame:
        """Do for a frame what can be done before its turn; in any thread, while another frame is followed.

        `before`: the frame before it, prepared; None if this is the first, or if nothing is followed on that one.
        `followed`: whether something is to be followed on this one; if not, the encoder is spared.
        The session is left as it is, and `step` gives the same bits for a prepared frame as for the frame.
        """
        refuse_after_fork(self._segmenter.settings.runtime != "torch")
        if before is not None and before.frame.size != frame.size:
            before = None
        # A GPU works beside the CPU anyway, and has one queue.
        ahead = followed and self._segmenter.device.type == "cpu"
        return self._preparation.prepare(
            frame, before, self._segmenter.parts or self._segmenter.model if ahead else None
        )

    def before(self) -> PreparedFrame | None:
        """The frame before the next one, as `prepare` takes it, of a session whose state was put back."""
        pictures, size = [past.previous for past in self.state.pasts], self.state.size
        if size is None or any(picture is None for picture in pictures):
            return None
        frame = Frame(self.state.index - 1, 0.0, "", np.broadcast_to(np.uint8(0), (*size, 3)))
        return PreparedFrame(frame, tuple(Sight(picture, None, None) for picture in pictures if picture is not None))

    def step(
        self,
        frame: Frame | PreparedFrame | Any,
        masks: Any = None,
        *,
        objects: Iterable[int] | None = None,
        kept: Kept | None = None,
        probabilities: bool = False,
    ) -> MaskFrame:
        """Follow every object onto the next frame.

        `frame`: RGB, 8 bits, h x w x 3, of any size, the same throughout a video (NumPy, PyTorch or Pillow; it is
        copied); or what `prepare` made of it. `masks`: the
        user's ids at the frame's size; it names the objects that it shows, and those in `objects` (to say that one is
        not on this frame), and says nothing about the others. What is given comes back exactly. New objects may be
        named at any frame. `kept`: objects whose masks stand while others are followed; they come back exactly too,
        but where `masks` wants one of their pixels. `probabilities` asks for each object's probability at each pixel.
        Raises MaskError or VideoError for a size that does not fit.
        """
        return self.advance(frame, masks, objects=objects, kept=kept)(probabilities)

    @torch.inference_mode()
    def advance(
        self,
        frame: Frame | PreparedFrame | Any,
        masks: Any = None,
        *,
        objects: Iterable[int] | None = None,
        kept: Kept | None = None,
    ) -> Answer:
        """As `step`, but the result at the frame's size is left to be made: by calling what comes back, at any time and
        in any thread. No later frame needs it.
        """
        refuse_after_fork(self._segmenter.settings.runtime != "torch")
        with self._stepping:
            return self._advance(frame, masks, objects, kept)

    def _advance(self, frame: Frame | PreparedFrame | Any, masks: Any, objects: Iterable[int] | None,
                 kept: Kept | None) -> Answer:  # fmt: skip
        prepared = frame if isinstance(frame, PreparedFrame) else None
        frame = self._as_frame(frame.frame if isinstance(frame, PreparedFrame) else frame)
        labels, named = self._check_masks(frame, masks, objects)
        annotated = bool(named)
        if kept is not None:
            labels, named = kept.beside(labels, named)
        before = self.state
        try:
            if named:
                self._admit(named)
            if not self.object_ids:
                self.state = replace(self.state, pasts=self._nothing_seen(), index=frame.index + 1, size=frame.size)
                return Answer(frame, None, (), None, (), timings=self._timings)
            seen = self._see(frame, prepared)
            maps = self._follow(seen, labels, named, annotated)
        except BaseException:
            self.state = before  # no object may be known of which nothing is remembered
            raise
        cut = max(frame.index, before.index - 1) if seen.sights[0].cut else None  # backwards the frame before is later
        return Answer(frame, maps, self.object_ids, labels, tuple(named), cut, self._timings)

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
            self.state = replace(self.state, objects=objects, pasts=self._nothing_seen())
            return
        assert place is not None

        def forget(probabilities: Tensor) -> Tensor:
            changed = probabilities.clone()
            changed[place.group, 0] += changed[place.group, place.slot]
            changed[place.group, place.slot] = 0
            return changed[: objects.num_groups]

        self.state = replace(self.state, objects=objects, pasts=self._rewritten(forget))

    def _nothing_seen(self) -> tuple[Past, ...]:
        return tuple(Past() for _ in self._views)

    def _rewritten(self, change: Callable[[Tensor], Tensor]) -> tuple[Past, ...]:
        """What the views remember, with every remembered mask changed."""
        model = self._segmenter.model
        return tuple(replace(past, memory=model.rewrite(past.memory, change)) for past in self.state.pasts)

    def _as_frame(self, frame: Frame | Any) -> Frame:
        if not isinstance(frame, Frame):
            name = frame_name(self.state.index)
            frame = Frame(self.state.index, float(self.state.index), name, as_rgb(frame, name))
        if self.state.size is not None and frame.size != self.state.size:
            raise VideoError(f"frame {frame.name} is {frame.size}, but the video is {self.state.size}; "
                             "give all frames at one size, or start a new session")  # fmt: skip
        return frame

    def _check_masks(self, frame: Frame, masks: Any,
                     objects: Iterable[int] | None) -> tuple[UInt16[np.ndarray, "h w"] | None, list[int]]:  # fmt: skip
        """The given labels, and every object that is named."""
        named = {int(i) for i in objects or ()}
        if masks is None:
            return (np.zeros(frame.size, np.uint16) if named else None), sorted(named)
        labels = as_labels(masks, frame.size, frame.name)
        return labels, sorted(named | {int(i) for i in np.unique(labels)} - {0})

    def _admit(self, named: Sequence[int]) -> None:
        """Give new objects a place; where that opens a group, what is remembered gets it too, all background."""
        before = self.state.objects
        objects = before.add(named)
        pasts = self.state.pasts
        opened = objects.num_groups - before.num_groups
        if opened:

            def widen(probabilities: Tensor) -> Tensor:
                empty = torch.zeros_like(probabilities[:1]).repeat(opened, 1, 1, 1)
                empty[:, 0] = 1
                return torch.cat([probabilities, empty])

            pasts = self._rewritten(widen)
        self.state = replace(self.state, objects=objects, pasts=pasts)

    def _see(self, frame: Frame, prepared: PreparedFrame | None) -> PreparedFrame:
        """What every view sees of a frame; what was prepared, if it starts from what the views remember."""
        remembered = [past.previous for past in self.state.pasts]
        if prepared is not None and prepared.follows(remembered):
            return prepared
        return self._preparation.see(frame, remembered)

    def _follow(self, prepared: PreparedFrame, labels: Labels | None, named: Sequence[int],
                annotated: bool) -> Float[Tensor, "rows h4 w4"]:  # fmt: skip
        """Every view's next step; the mean of their answers, row 0 background and then a row for each object."""
        frame, begun = prepared.frame, time.perf_counter()
        each = zip(self._views, self.state.pasts, prepared.sights, strict=True)
        steps = [self._step(*one, labels, named, annotated) for one in each]
        answers, pasts = zip(*steps, strict=True)
        self.state = replace(self.state, pasts=pasts, index=frame.index + 1, size=frame.size)
        answer = average(answers)
        self._timings["network"] += time.perf_counter() - begun
        return answer

    def _step(self, view: View, past: Past, sight: Sight, labels: Labels | None, named: Sequence[int],
              annotated: bool) -> tuple[Float[Tensor, "rows h4 w4"], Past]:  # fmt: skip
        """One step of the network in one view: its answer, left and right as in the video, and what it remembers."""
        device, objects = self._segmenter.device, self.state.objects
        motion: Motion | Looked | None = None
        if past.previous is not None:
            motion = sight.looked or sight.motion
            if isinstance(motion, Motion):
                motion = Motion(motion.to_prev.to(device), motion.to_curr.to(device))
        height, width = sight.rgb.shape[:2]
        grid = FrameSize(height // 4, width // 4)
        given = None if labels is None else self._given(view.see(labels), named, annotated, grid)
        seen = to_tensor(sight.rgb).to(device) if sight.features is None else sight.features
        memory = past.memory
        if sight.cut:
            memory = forget_previous(memory, self._segmenter.parts or self._segmenter.model)
        output = self._segmenter.model.step(
            seen, motion, memory, objects.used().to(device), given, self._policy, self._segmenter.parts,
            self._segmenter.settings.focus and device.type == "cpu",
        )  # fmt: skip
        maps = torch.stack([output.probabilities[objects.places[object_id]] for object_id in objects.ids])
        background = (1 - maps.sum(0, keepdim=True)).clamp(min=0)
        return view.put_back(torch.cat([background, maps])), Past(output.memory, sight.rgb)

    def _given(self, labels: Labels, named: Sequence[int], annotated: bool, size: FrameSize) -> Given:
        objects = self.state.objects
        probabilities = torch.zeros(objects.num_groups, objects.slots_per_group + 1, *size)
        slots = torch.zeros(probabilities.shape[:2], dtype=torch.bool)
        for share, object_id in zip(shares(labels, named, size), named, strict=True):
            place = objects.places[object_id]
            probabilities[place] = share
            slots[place] = True
        probabilities[:, 0] = (1 - probabilities[:, 1:].sum(1)).clamp(min=0)
        device = self._segmenter.device
        return Given(probabilities.to(device), slots.to(device), annotated)
