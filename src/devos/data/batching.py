"""From clips to batches: which clip comes when, and as tensors. Clip number i is the same in every run, with any number
of workers and of processes that share the training: its random state is made from the seed and i alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor
from torch.utils.data import Dataset

from devos.data.augment import degrade, jitter_light
from devos.data.catalog import VideoInfo
from devos.data.clips import VOID, Clip
from devos.data.photos import PhotoInfo
from devos.data.sampling import SamplingConfig, estimate_flow, sample_clip
from devos.data.synthetic import SyntheticConfig, make_clip
from devos.errors import OptionError

_SLOTS = 1
"""Tells the random state of a clip's slots from that of the clip itself."""


@dataclass(frozen=True)
class Batch:
    """Clips of one length and size, `b` of them with `t` frames."""

    images: Float[Tensor, "b t 3 h w"]
    """RGB in [0, 1]."""
    slots: Int64[Tensor, "b t h w"]
    """The slot of each pixel: 0 background, 255 void; objects lie in random slots."""
    used: Bool[Tensor, "b slots"]
    """Slots with an object, and background."""
    to_prev: Float[Tensor, "b pairs 2 hf wf"]
    to_curr: Float[Tensor, "b pairs 2 hf wf"]

    def to(self, device: torch.device | str) -> Batch:
        """The same on a device."""
        return Batch(*(x.to(device) for x in (self.images, self.slots, self.used, self.to_prev, self.to_curr)))


@dataclass(frozen=True)
class Shard:
    """Which part of every batch one of several training processes takes: the clips at `rank * k` to `rank * k + k - 1`
    of the whole batch, `k` being the batch size divided by `world`.
    """

    rank: int = 0
    """The process's number, from 0."""
    world: int = 1
    """How many processes there are."""

    def __post_init__(self) -> None:
        if not 0 <= self.rank < self.world:
            raise ValueError(f"rank is from 0 to world - 1, got rank {self.rank} of {self.world}")

    def places(self, batch_size: int) -> range:
        """Which clips of a batch of that size are this process's; OptionError if it cannot be shared alike."""
        if batch_size % self.world:
            raise OptionError(f"a batch of {batch_size} clips cannot be shared alike by {self.world} processes; "
                              "choose a number of processes that divides it, or another batch size")  # fmt: skip
        count = batch_size // self.world
        return range(self.rank * count, (self.rank + 1) * count)


@dataclass(frozen=True, kw_only=True)
class Stage:
    """What clips look like while training is in a part of its way."""

    until: float
    """The part ends at this share of all steps, in (0, 1]."""
    length: int
    """Frames of a clip."""
    max_objects: int
    max_gap: int
    video_share: float
    """Share of clips from videos; the others are synthetic."""


@dataclass(frozen=True, kw_only=True)
class ClipsConfig:
    """Where clips come from and how they change over a run."""

    stages: tuple[Stage, ...]
    size: int = 256
    num_slots: int = 10
    batch_size: int = 4
    num_batches: int = 1000
    seed: int = 0
    synthetic: SyntheticConfig = field(default_factory=SyntheticConfig)
    sampling: SamplingConfig = field(default_factory=SamplingConfig)

    def stage(self, batch: int) -> Stage:
        """The stage that batch number `batch` belongs to."""
        share = batch / self.num_batches
        return next((s for s in self.stages if share < s.until), self.stages[-1])


class Batches(Dataset[Batch]):
    """Batch number i of a run, or a process's share of it. A map, not a stream: a resumed run starts in its middle.

    OptionError if the batch cannot be shared alike.
    """

    def __init__(
        self, config: ClipsConfig, videos: tuple[VideoInfo, ...], photos: tuple[PhotoInfo, ...], *,
        shard: Shard = Shard(),
    ) -> None:  # fmt: skip
        self._config = config
        self._places = shard.places(config.batch_size)
        self._videos = videos
        self._photos = photos
        # Long videos have more to teach than short ones, but not in proportion.
        weight = np.array([v.num_frames for v in videos], float) ** 0.5
        self._video_odds = weight / weight.sum() if len(videos) else weight

    def __len__(self) -> int:
        """Batches of the whole run."""
        return self._config.num_batches

    def __getitem__(self, index: int) -> Batch:
        """The batch of that number, or this process's share of it."""
        clips = [self.clip(index, place) for place in self._places]
        rngs = [np.random.default_rng([self._config.seed, index, place, _SLOTS]) for place in self._places]
        return collate(clips, self._config.num_slots, *rngs)

    def clip(self, index: int, place: int) -> Clip:
        """Clip number `place` of the whole batch."""
        stage = self._config.stage(index)
        rng = np.random.default_rng([self._config.seed, index, place])
        clip: Clip | None = None
        while clip is None:
            from_video = len(self._photos) == 0 or (len(self._videos) > 0 and rng.random() < stage.video_share)
            clip = self._from_video(stage, rng) if from_video else self._from_photos(stage, rng)
        return clip

    def _from_video(self, stage: Stage, rng: np.random.Generator) -> Clip | None:
        video = self._videos[int(rng.choice(len(self._videos), p=self._video_odds))]
        config = replace(self._config.sampling, size=self._config.size, length=stage.length,
                         max_gap=stage.max_gap, max_objects=stage.max_objects)  # fmt: skip
        clip = sample_clip(video, config, rng)
        return None if clip is None else replace(clip, images=degrade(jitter_light(clip.images, rng), rng))

    def _from_photos(self, stage: Stage, rng: np.random.Generator) -> Clip | None:
        config = replace(self._config.synthetic, size=self._config.size, length=stage.length,
                         max_objects=stage.max_objects)  # fmt: skip
        count = 1 + int(rng.integers(1, config.max_layers + 1))
        picked = rng.integers(0, len(self._photos), count)
        clip = make_clip([self._photos[int(i)].read() for i in picked], config, rng)
        if clip is None:
            return None
        clip = replace(clip, images=degrade(jitter_light(clip.images, rng), rng))
        if rng.random() < config.flow_exact:
            return clip
        to_prev, to_curr = estimate_flow(clip.images)
        return replace(clip, to_prev=to_prev, to_curr=to_curr)


def collate(clips: list[Clip], num_slots: int, *rngs: np.random.Generator) -> Batch:
    """Clips as tensors; each clip's objects get random slots, so that the identities are interchangeable (AOT).

    `rngs`: one random state for each clip, so that its slots do not depend on its neighbours in the batch.
    """
    used = torch.zeros(len(clips), num_slots + 1, dtype=torch.bool)
    used[:, 0] = True
    slots = []
    for row, (clip, rng) in enumerate(zip(clips, rngs, strict=True)):
        table = np.zeros(256, np.int64)
        table[VOID] = VOID
        own = rng.permutation(np.arange(1, num_slots + 1))[: clip.num_objects]
        table[1 : clip.num_objects + 1] = own
        used[row, torch.from_numpy(own)] = True
        slots.append(torch.from_numpy(table[clip.labels]))
    images = torch.from_numpy(np.stack([clip.images for clip in clips])).permute(0, 1, 4, 2, 3)
    return Batch(
        images.contiguous().float() / 255,
        torch.stack(slots),
        used,
        torch.from_numpy(np.stack([clip.to_prev for clip in clips])),
        torch.from_numpy(np.stack([clip.to_curr for clip in clips])),
    )
