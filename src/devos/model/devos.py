"""DeVOS: one step of following objects through a video. Training and streaming call the same `DeVOS.step`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol, cast, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from devos.masks import merge_groups
from devos.model.attention import Adva, LongTermMatching, Read
from devos.model.config import MATCHING_STRIDES, ModelConfig
from devos.model.decoder import ABSENT, Decoder
from devos.model.encoder import Features, ImageEncoder
from devos.model.focus import Focus, find_focus
from devos.model.identity import IdentityEncoder, Values
from devos.model.memory import FINE_STRIDE, Entry, EveryNth, Memory, MemoryPolicy, Previous
from devos.model.motion import FlowEncoder, Motion
from devos.model.recognition import recognised, withhold
from devos.model.staying import keep_near


@dataclass(frozen=True)
class Given:
    """What somebody says of one frame. `bg` groups of objects, image-major."""

    probabilities: Float[Tensor, "bg slots h4 w4"]
    """Masks at stride 4, area-averaged; slots sum to 1."""
    slots: Bool[Tensor, "bg slots"]
    """Which slots are named; of the others nothing is said, and the network's own answer stands."""
    annotated: bool = True
    """Whether a person marked something here. What merely stands, of objects whose results are kept while others are
    followed anew, is known as well, but makes no annotated frame of the bank."""


@dataclass(frozen=True)
class StepOutput:
    """One frame's answer."""

    logits: Float[Tensor, "bg slots h4 w4"]
    """The network's own, also on a frame where masks were given; unused slots at -1e4. Zeros on a first frame."""
    probabilities: Float[Tensor, "bg slots h4 w4"]
    """What is remembered: the network's, with what was given in its place."""
    memory: Memory


@dataclass(frozen=True)
class Looked:
    """Where to read the previous frame. It takes two frames to know that, and no mask."""

    to_prev: Float[Tensor, "b 2 h8 w8"]
    """Flow in pixels, on the stride-8 grid."""
    regions: Mapping[int, Any]
    """ADVA's by stride, in the form in which whatever made them reads there; of the network itself, `Region`."""


@runtime_checkable
class Parts(Protocol):
    """The computations that a step is made of. `DeVOS` does them with torch; another runtime may take its place."""

    def encode(self, image: Float[Tensor, "b 3 h w"]) -> Features:
        """An image's features. RGB in [0, 1], sides multiples of 32."""
        ...

    def look(self, features: Features, previous: Features, motion: Motion) -> Looked:
        """Where to read the frame before, by the features of both."""
        ...

    def match(self, features: Features, looked: Looked, memory: Memory, used: Bool[Tensor, "bg slots"],
              focused: bool = False) -> Float[Tensor, "bg slots h4 w4"]:  # fmt: skip
        """Logits of every slot, from the previous frame and the bank; `ABSENT` for those that are not `used`.

        `focused`: strides 8 and 4 only where an object may be.
        """
        ...

    def values(self, features: Features, probabilities: Float[Tensor, "bg slots h4 w4"]) -> Values:
        """What attention carries from a frame whose masks are known."""
        ...

    def keys(self, features: Features) -> dict[int, Tensor]:
        """What the bank finds a frame by, `b n c` for each stride where it is read."""
        ...


class DeVOS(nn.Module):
    """The whole network. Holds weights only; a video's state is the `Memory` that is handed on."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        slots = config.num_slots + 1
        self.image_encoder = ImageEncoder(config)
        self.flow_encoder = FlowEncoder(config)
        self.identity_encoder = IdentityEncoder(config)
        w, w8 = config.width, config.width_s8
        self.adva = nn.ModuleDict()
        for stride, heads, points, coarse in zip(
            MATCHING_STRIDES, config.heads, config.points, config.coarse_points, strict=True
        ):
            if stride not in config.matching.strides:
                continue
            if 2 * stride not in config.matching.strides:
                coarse = 0
            self.adva[f"s{stride}"] = Adva(
                {8: w8, 16: w, 32: w}[stride], w, heads, points, coarse, slots, config.matching
            )
        self.long_term = nn.ModuleDict(
            {f"s{s}": LongTermMatching(w, slots, _kernel(config, s)) for s in config.matching.long_term_strides}
        )
        self.decoder = Decoder(config)

    def forward(self, *_: object) -> None:
        """Not used: a video is a recurrence."""
        raise NotImplementedError("DeVOS is stepped frame by frame: call `step`, or `devos.Session` for a video")

    def step(
        self,
        image: Float[Tensor, "b 3 h w"] | Features,
        motion: Motion | Looked | None,
        memory: Memory,
        used: Bool[Tensor, "bg slots"],
        given: Given | None = None,
        policy: MemoryPolicy | None = None,
        parts: Parts | None = None,
        focused: bool = False,
    ) -> StepOutput:
        """Follow every object onto the next frame.

        `image`: RGB in [0, 1], sides multiples of 32, or its features if they are known. `motion`: flow between the
        previous frame and this one, or what `look` has made of it; None if there is no previous frame. `used`: the
        slots that have an object (slot 0, background, always). `given`: masks that are known on this frame; needed when
        `memory` is empty. `parts`: what computes, this network itself unless given. `focused`: strides 8 and 4 are
        computed only where an object may be (`focus`), which is no use to training.
        """
        parts = parts or self
        features = image if isinstance(image, Features) else parts.encode(image)
        if memory.previous is None or motion is None:
            if given is None:
                raise ValueError("the first frame of a video needs masks")
            logits = torch.zeros_like(given.probabilities).masked_fill(~used[:, :, None, None], ABSENT)
            probabilities = given.probabilities
        else:
            if isinstance(motion, Motion):
                motion = parts.look(features, memory.previous.features, motion)
            logits = parts.match(features, motion, memory, used, focused)
            probabilities = merge_groups(logits.softmax(1), len(logits) // len(features.s8))
            probabilities = keep_near(probabilities, memory.previous, memory.entries, motion.to_prev)
            probabilities, memory = _without_lost(probabilities, features, memory)
            if given is not None:
                probabilities = merge_given(probabilities, given)
        # What one frame hands to the next carries no gradient through the mask (design, section 8).
        known = probabilities.detach()
        seen = Previous(features, known, parts.values(features, known))
        if given is not None and memory.lost is not None:
            memory = replace(memory, lost=memory.lost & ~given.slots)
        memory = _next(memory, seen, given is not None and given.annotated, policy or EveryNth(), parts)
        return StepOutput(logits, probabilities, memory)

    def encode(self, image: Float[Tensor, "b 3 h w"]) -> Features:
        """An image's features."""
        features: Features = self.image_encoder(image)
        return features

    def look(self, features: Features, previous: Features, motion: Motion) -> Looked:
        """Where ADVA reads at every stride, coarsest first: each stride's keys serve the next finer one."""
        motion = motion.at_stride_8(*features.s8.shape[-2:])
        forward, backward = self.flow_encoder(motion)
        keys: Tensor | None = None
        regions = {}
        for stride in reversed(self.config.matching.strides):
            flow_cells = F.avg_pool2d(motion.to_prev, stride // 8) / stride
            regions[stride], keys = self._adva(stride).look(
                features.at(stride), previous.at(stride), forward.at(stride), backward.at(stride), flow_cells, keys
            )
        return Looked(motion.to_prev, regions)

    def match(self, features: Features, looked: Looked, memory: Memory, used: Bool[Tensor, "bg slots"],
              focused: bool = False) -> Float[Tensor, "bg slots h4 w4"]:  # fmt: skip
        """Logits of every slot, from the previous frame and the bank."""
        assert memory.previous is not None
        long = {
            s: self._matching(s)(features.at(s), memory.keys(s), memory.values(s))
            for s in self.config.matching.long_term_strides
        }
        focus = None
        if focused and FINE_STRIDE in long:
            focus = find_focus(memory.previous.probabilities, looked.to_prev, long[FINE_STRIDE].mask)
        short = self.read_previous(features, looked, memory.previous.values, focus)
        groups = memory.previous.probabilities.shape[0] // features.s8.shape[0]
        logits: Tensor = self.decoder(features.expand(groups), short, long, used, focus)
        return logits

    def read_previous(self, features: Features, looked: Looked, values: Values,
                      focus: Focus | None = None) -> dict[int, Read]:  # fmt: skip
        """What ADVA reads at every stride; at stride 8 only for what lies in the focus, if there is one."""
        reads = {}
        for stride, region in looked.regions.items():
            current = features.at(stride)
            if stride == 8 and focus is not None:
                current, region = focus.cut(current, stride), region.cut(focus, stride)
            coarse = values.at(2 * stride) if 2 * stride in looked.regions else None
            reads[stride] = self.adva[f"s{stride}"](current, region, values.at(stride), coarse)
        return reads

    def _adva(self, stride: int) -> Adva:
        return cast(Adva, self.adva[f"s{stride}"])

    def _matching(self, stride: int) -> LongTermMatching:
        return cast(LongTermMatching, self.long_term[f"s{stride}"])

    def values(self, features: Features, probabilities: Float[Tensor, "bg slots h4 w4"]) -> Values:
        """What attention carries from a frame with its masks."""
        groups = probabilities.shape[0] // features.s8.shape[0]
        values: Values = self.identity_encoder(features.expand(groups), probabilities)
        return values

    def keys(self, features: Features) -> dict[int, Tensor]:
        """What the bank finds a frame by."""
        return {s: self._matching(s).keys(features.at(s)) for s in self.config.matching.long_term_strides}

    def rewrite(self, memory: Memory, change: Callable[[Tensor], Tensor]) -> Memory:
        """The same memory with every remembered mask changed (slots emptied, groups added or dropped), and all that
        follows from the masks made anew.
        """
        if memory.previous is None:
            return memory
        entries = []
        for entry in memory.entries:
            probabilities = change(entry.probabilities)
            batch = len(entry.features.s16)
            features = entry.features.expand(len(probabilities) // batch)
            values = {
                s: _groups_aside(self.identity_encoder.value(s, features.at(s), probabilities), batch)
                for s in entry.keys
            }
            entries.append(replace(entry, probabilities=probabilities, values=values))
        features, probabilities = memory.previous.features, change(memory.previous.probabilities)
        previous = Previous(features, probabilities, self.values(features, probabilities))
        return replace(memory, previous=previous, entries=tuple(entries))


def _kernel(config: ModelConfig, stride: int) -> float | None:
    """The kernel's deviation in cells of a stride."""
    kernel = config.matching.kernel
    return None if kernel is None else kernel * FINE_STRIDE / stride


def _next(memory: Memory, seen: Previous, pinned: bool, policy: MemoryPolicy, parts: Parts) -> Memory:
    """The memory with one more frame, which enters the bank if the policy says so."""
    frame = memory.frame + 1
    memory = replace(memory, previous=seen, frame=frame)
    if policy.admits(memory, frame, pinned):
        memory = replace(memory, entries=policy.kept((*memory.entries, _entry(seen, frame, pinned, parts))))
    return memory


def _entry(seen: Previous, frame: int, pinned: bool, parts: Parts) -> Entry:
    """A frame with its masks, as the bank keeps it."""
    features = seen.features
    batch = features.s16.shape[0]
    keys = parts.keys(features)
    values = {s: _groups_aside(seen.values.at(s), batch) for s in keys}
    # Not a slice of s4: a slice would hold the whole map.
    empty = features.s4.new_empty(batch, 0, *features.s4.shape[-2:])
    kept = Features(empty, empty, features.s16, features.s32)
    return Entry(frame, pinned, kept, seen.probabilities, keys, values)


def forget_previous(memory: Memory, parts: Parts) -> Memory:
    """The same memory as if nothing had been on the previous frame: after a cut, only the bank knows the objects, and
    each stays lost until it is known again.
    """
    previous = memory.previous
    if previous is None:
        return memory
    nothing = torch.zeros_like(previous.probabilities)
    nothing[:, 0] = 1
    unknown = Previous(previous.features, nothing, parts.values(previous.features, nothing))
    return replace(memory, previous=unknown, lost=torch.ones_like(nothing[:, :, 0, 0], dtype=torch.bool))


def _without_lost(probabilities: Tensor, features: Features, memory: Memory) -> tuple[Tensor, Memory]:
    """Nothing of objects that were lost in a cut, unless they are known again, which is noted."""
    lost = memory.lost
    if lost is None:
        return probabilities, memory
    count = probabilities.shape[0]
    lost = F.pad(lost, (0, 0, 0, max(0, count - lost.shape[0])))[:count]  # groups come and go
    lost = lost & ~recognised(features, probabilities, memory.entries)
    lost[:, 0] = False
    memory = replace(memory, lost=lost if bool(lost.any()) else None)
    return withhold(probabilities, lost), memory


def merge_given(probabilities: Float[Tensor, "bg slots h w"], given: Given) -> Float[Tensor, "bg slots h w"]:
    """What was given stands; the objects of which nothing was said share what is left, in their own proportions."""
    named = given.slots[:, :, None, None].clone()
    named[:, 0] = False  # background is what remains, it is not an object that can be named
    stated = torch.where(named, given.probabilities, 0)
    rest = torch.where(named, 0, probabilities)
    room = (1 - stated.sum(1, keepdim=True)).clamp(min=0)
    rest = rest / rest.sum(1, keepdim=True).clamp(min=1e-6) * room
    return stated + rest


def _groups_aside(values: Float[Tensor, "bg v h w"], batch: int) -> Float[Tensor, "b n gv"]:
    """Each image's groups side by side in the channels, cells in one row."""
    _, v, h, w = values.shape
    return values.view(batch, -1, v, h * w).permute(0, 3, 1, 2).reshape(batch, h * w, -1)
