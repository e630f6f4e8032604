"""What can be done for a frame before its turn: the pictures that the network will see, how they moved, their features,
and where to read the frame before.

None of it depends on what the network says of the frames before, so it may be done ahead of time and in another
thread. The flow carries the picture that it starts from: a session takes it only if that very picture is the one that
it remembers, and asks again if not, so that a frame prepared in any way gives the same bits.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from threading import Lock

import numpy as np
import torch
from jaxtyping import UInt8

from devos.engine.cuts import is_cut
from devos.engine.ensemble import View
from devos.engine.settings import Settings
from devos.flow.estimator import FlowEstimator, FlowPair
from devos.frames import Frame
from devos.image import resize_rgb, to_tensor
from devos.model.devos import Looked, Parts
from devos.model.encoder import Features
from devos.model.motion import Motion

Picture = UInt8[np.ndarray, "h w 3"]
Pictures = Sequence[UInt8[np.ndarray, "_ _ 3"] | None]
"""One for each view, each of its own size; None for what was not seen."""


@dataclass(frozen=True)
class Sight:
    """A frame as one view sees it."""

    rgb: Picture
    """At the network's size."""
    previous: Picture | None
    """What the view saw of the frame before; None where there is none."""
    flow: FlowPair | None
    """From `previous` to `rgb`."""
    cut: bool = False
    """Whether `rgb` shows another scene than `previous`."""
    features: Features | None = None
    """What the network's encoder says of it, where that is known already."""
    looked: Looked | None = None
    """Where to read the frame before, where that is known already."""

    @property
    def motion(self) -> Motion | None:
        """The flow; None where there is no frame before."""
        if self.flow is None:
            return None
        return Motion(*(torch.from_numpy(field)[None] for field in (self.flow.to_prev, self.flow.to_curr)))


@dataclass(frozen=True)
class PreparedFrame:
    """A frame and what every view sees of it."""

    frame: Frame
    sights: tuple[Sight, ...]

    @property
    def pictures(self) -> Pictures:
        """What each view sees."""
        return tuple(sight.rgb for sight in self.sights)

    def follows(self, pictures: Pictures) -> bool:
        """Whether its flow starts from these pictures, one for each view; where there is none, none is needed."""
        pairs = zip(self.sights, pictures, strict=True)
        return all(picture is None or sight.previous is picture for sight, picture in pairs)


class Preparation:
    """Prepares the frames of one video, for all views of it. Several threads may ask at once; one is served at a time.

    It carries nothing from frame to frame.
    """

    def __init__(self, views: Sequence[View], settings: Settings, flow: FlowEstimator) -> None:
        self._views, self._settings, self._flow = tuple(views), settings, flow
        self._lock = Lock()  # an estimator may use the same workspace every time
        self.timings: dict[str, float] = {"resize": 0.0, "flow": 0.0, "encode": 0.0, "look": 0.0}
        """Seconds spent so far, by part, in whatever thread."""

    def see(self, frame: Frame, previous: Pictures) -> PreparedFrame:
        """A frame in every view. `previous`: what each view saw of the frame before, at the network's size."""
        with self._lock:
            pairs = zip(self._views, previous, strict=True)
            return PreparedFrame(frame, tuple(self._see(view, frame, picture) for view, picture in pairs))

    def prepare(self, frame: Frame, before: PreparedFrame | None, parts: Parts | None) -> PreparedFrame:
        """The same, after the frame `before`, with all that `parts`, if there are any, can say without masks."""
        nothing = (None,) * len(self._views)
        seen = self.see(frame, before.pictures if before else nothing)
        if parts is None:
            return seen
        earlier = before.sights if before else nothing
        with self._lock:
            pairs = zip(seen.sights, earlier, strict=True)
            return replace(seen, sights=tuple(self._understand(*pair, parts) for pair in pairs))

    def _understand(self, sight: Sight, before: Sight | None, parts: Parts) -> Sight:
        begun = time.perf_counter()
        features = parts.encode(to_tensor(sight.rgb))
        encoded = time.perf_counter()
        self.timings["encode"] += encoded - begun
        motion, looked = sight.motion, None
        if motion is not None and before is not None and before.features is not None:
            looked = parts.look(features, before.features, motion)
            self.timings["look"] += time.perf_counter() - encoded
        return replace(sight, features=features, looked=looked)

    def _see(self, view: View, frame: Frame, previous: Picture | None) -> Sight:
        begun = time.perf_counter()
        rgb = resize_rgb(view.see(frame.rgb), view.size(frame.size, self._settings))
        resized = time.perf_counter()
        flow = None if previous is None else self._flow.estimate(previous, rgb)
        cut = previous is not None and flow is not None and is_cut(previous, rgb, flow)
        moved = time.perf_counter()
        self.timings["resize"] += resized - begun
        self.timings["flow"] += moved - resized
        return Sight(rgb, previous, flow, cut)
