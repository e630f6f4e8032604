"""How often clips come from which source, from which video of it, and are merged; as plain values for recipes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float64

from devos.data.index import TrainingVideo

Weights = Float64[np.ndarray, " videos"]


@dataclass(frozen=True)
class Ramp:
    """A number that changes linearly over the run."""

    start: float
    end: float

    def at(self, progress: float) -> float:
        """Its value when that share of the run, in [0, 1], is done."""
        return self.start + (self.end - self.start) * progress


@dataclass(frozen=True)
class Alike:
    """Every video of a source is as likely as any other."""

    def weights(self, videos: Sequence[TrainingVideo]) -> Weights:
        """Proportional to the videos' probabilities."""
        return np.ones(len(videos))


@dataclass(frozen=True)
class ByLength:
    """A video is the likelier the longer it is: in proportion to its frames to the power of `power`."""

    power: float = 0.5
    """Long videos have more to teach than short ones, but not in proportion."""

    def weights(self, videos: Sequence[TrainingVideo]) -> Weights:
        """Proportional to the videos' probabilities."""
        return np.array([video.info.num_frames for video in videos], float) ** self.power


@dataclass(frozen=True)
class ByObjects:
    """Importance sampling: p_i = o_i^T / sum_j o_j^T, o_i being the objects of video i (supplement 2.1)."""

    temperature: float = 1.0
    """T: 0 makes all videos alike, the more the more the crowded ones are preferred."""

    def weights(self, videos: Sequence[TrainingVideo]) -> Weights:
        """Proportional to the videos' probabilities."""
        return np.array([len(video.object_ids) for video in videos], float) ** self.temperature


@dataclass(frozen=True, kw_only=True)
class MergeConfig:
    """Dynamic merge: a second video's objects are pasted over the clip (AOT; supplement 1.2)."""

    probability: float = 0.0
    """Share of the clips that are merged."""
    look_alike: float = 0.0
    """Share of the clips into which the video's own objects are merged once more, from another time, as objects of
    their own: look-alikes that really move. Not in the paper."""
    lure: float = 0.0
    """Share of the clips with a look-alike that is not followed (`devos.data.lures`). Not in the paper."""
    cut: float = 0.0
    """Share of the clips with a hard cut to another video of the source, often back. Not in the paper."""

    def __post_init__(self) -> None:
        for name in ("probability", "look_alike", "lure", "cut"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is in [0, 1], got {getattr(self, name)}")


@dataclass(frozen=True, kw_only=True)
class Part:
    """One source's part in a mix."""

    source: str
    """The source's name."""
    share: float | Ramp
    """In relation to the other parts'."""
    odds: Alike | ByLength | ByObjects = field(default_factory=Alike)
    """Which of the source's videos; of no account for photos."""
    merge: MergeConfig = field(default_factory=MergeConfig)
    """Merging with another video of the same source, or with itself; of no account for photos."""
    required: bool = True
    """Whether a run without the source is refused; otherwise the other parts take its share."""

    def share_at(self, progress: float) -> float:
        """Its share when that part of the run, in [0, 1], is done."""
        return self.share.at(progress) if isinstance(self.share, Ramp) else self.share


@dataclass(frozen=True, kw_only=True)
class Mix:
    """Where clips come from over a run."""

    parts: tuple[Part, ...]
    per_sequence: bool = False
    """Shares are those of one sequence, not those of the whole source: 5:1 then means that each sequence of the first
    comes five times as often as one of the second, as in the public code of XMem, which lists DAVIS five times."""

    def __post_init__(self) -> None:
        names = [part.source for part in self.parts]
        if len(set(names)) != len(names) or not names:
            raise ValueError(f"a mix has some parts, each source once, got {names}")
        if any(part.share_at(progress) < 0 for part in self.parts for progress in (0.0, 1.0)):
            raise ValueError("shares are 0 or more")

    def shares(self, progress: float, sizes: Mapping[str, int]) -> dict[str, float]:
        """The probability of each source of which `sizes` tells the number of sequences; their sum is 1."""
        there = [part for part in self.parts if sizes.get(part.source)]
        raw = {p.source: p.share_at(progress) * (sizes[p.source] if self.per_sequence else 1) for p in there}
        total = sum(raw.values())
        if total <= 0:
            raise ValueError(f"of {', '.join(sizes) or 'no source'} nothing has a share in the mix at {progress:.2f}")
        return {name: share / total for name, share in raw.items()}


MERGED = MergeConfig(probability=0.4)
"""The supplement's dynamic merge."""


def photos_only() -> Mix:
    """Pre-training: every clip is made of photos of the source `static`."""
    return Mix(parts=(Part(source="static", share=1.0),))


def davis_youtube() -> Mix:
    """Main training without MOSE: `davis` and `youtube-vos` in 5:1, merged with probability 0.4 (supplement 1.2)."""
    return Mix(parts=(
        Part(source="davis", share=5.0, merge=MERGED),
        Part(source="youtube-vos", share=1.0, merge=MERGED),
    ))  # fmt: skip


def davis_youtube_mose(*, importance_sampling: bool = True, temperature: float = 1.0) -> Mix:
    """Main training with `mose`: 5 : k : p, k + p = 1, k from 0.75 to 0.15 (supplement 1.2); MOSE is never merged.

    With `importance_sampling`, MOSE's videos are drawn by their number of objects (supplement 2.1).
    """
    return Mix(parts=(
        Part(source="davis", share=5.0, merge=MERGED),
        Part(source="youtube-vos", share=Ramp(0.75, 0.15), merge=MERGED),
        Part(source="mose", share=Ramp(0.25, 0.85), odds=ByObjects(temperature) if importance_sampling else Alike()),
    ))  # fmt: skip


def videos_and_photos(video_share: float) -> Mix:
    """Our own small recipes: that share of the clips from `videos`, the rest made of `photos`; either may be absent."""
    return Mix(parts=(
        Part(source="videos", share=video_share, odds=ByLength(), required=False),
        Part(source="photos", share=1 - video_share, required=False),
    ))  # fmt: skip
