"""From clips to batches: which clip comes when, and as tensors. Clip number i is the same in every run, with any number
of workers and of processes that share the training: its random state is made from the seed and i alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor
from torch.utils.data import Dataset

from devos.data.augment import degrade, jitter_light, move_light
from devos.data.catalog import VideoInfo
from devos.data.clips import VOID, Clip, Footage
from devos.data.footage import estimate_flow, shoot
from devos.data.lures import add_lure, cut_away
from devos.data.merge import merge, merge_look_alike
from devos.data.mixing import Mix, videos_and_photos
from devos.data.photos import PhotoSource
from devos.data.sampler import Curriculum, Draw, Sampler, pick_frames
from devos.data.sources import Photos, Sources, Videos, unchecked
from devos.data.synthetic import SyntheticConfig, make_clip
from devos.errors import MaskError, OptionError

_SLOTS = 1
"""Tells the random state of a clip's slots from that of the clip itself."""
_WHOLE = (1.0, 1.0)
"""How much a video is enlarged where its objects are to be seen whole."""
_TRIES = 50
"""Made-up scenes that are tried for one with an object to follow."""


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
    """Most objects that are followed in a clip, before another is merged in."""
    max_gap: int | Curriculum
    """Most frames of the video from one frame of the clip to the next: one gap in a clip, or what a curriculum says."""
    mix: Mix | None = None
    """Where clips come from."""
    video_share: float | None = None
    """Instead of a mix: this share of the clips from `videos`, the others made of `photos`."""

    def __post_init__(self) -> None:
        if (self.mix is None) == (self.video_share is None):
            raise ValueError("a stage has either a mix or a video_share")

    @property
    def sources(self) -> Mix:
        """Where clips come from."""
        if self.mix is not None:
            return self.mix
        assert self.video_share is not None, "checked on creation"
        return videos_and_photos(self.video_share)

    @property
    def gaps(self) -> Curriculum:
        """How far apart a clip's frames are."""
        if isinstance(self.max_gap, Curriculum):
            return self.max_gap
        return Curriculum(points=((0.0, float(self.max_gap)),), steady=True)


@dataclass(frozen=True, kw_only=True)
class ClipsConfig:
    """Where clips come from and how they change over a run."""

    stages: tuple[Stage, ...]
    size: int = 256
    """Height and width of the clips, in pixels."""
    num_slots: int = 10
    """Places for objects that the network has."""
    batch_size: int = 4
    num_batches: int = 1000
    seed: int = 0
    zoom: tuple[float, float] = (1.0, 2.2)
    """Bounds of how much a video is enlarged; 1 fits its short side to the clip."""
    synthetic: SyntheticConfig = field(default_factory=SyntheticConfig)

    def progress(self, batch: int) -> float:
        """The share of the run, in [0, 1], that is done before batch number `batch`."""
        return batch / self.num_batches

    def stage(self, batch: int) -> Stage:
        """The stage that batch number `batch` belongs to."""
        progress = self.progress(batch)
        return next((s for s in self.stages if progress < s.until), self.stages[-1])


class Batches(Dataset[Batch]):
    """Batch number i of a run, or a process's share of it. A map, not a stream: a resumed run starts in its middle.

    `sources`: what `open_source` gave for each name of the recipe's mix; or only videos, with photos beside them, for
    the names `videos` and `photos`. OptionError if a source is missing, or the batch cannot be shared alike.
    """

    def __init__(
        self, config: ClipsConfig, sources: Sources | tuple[VideoInfo, ...], photos: tuple[PhotoSource, ...] = (), *,
        shard: Shard = Shard(),
    ) -> None:  # fmt: skip
        self._config = config
        self._places = shard.places(config.batch_size)
        self._sources = sources if isinstance(sources, Mapping) else unchecked(sources, photos)
        self._samplers = {mix: Sampler(mix, self._sources) for mix in {stage.sources for stage in config.stages}}

    def __len__(self) -> int:
        """Batches of the whole run."""
        return self._config.num_batches

    def __getitem__(self, index: int) -> Batch:
        """The batch of that number, or this process's share of it. InputError, naming the file, if one is bad."""
        clips = [self.clip(index, place) for place in self._places]
        rngs = [np.random.default_rng([self._config.seed, index, place, _SLOTS]) for place in self._places]
        return collate(clips, self._config.num_slots, *rngs)

    def draw(self, index: int, place: int) -> Draw:
        """Where clip number `place` of the whole batch comes from."""
        return self._draw(index, place)[0]

    def clip(self, index: int, place: int) -> Clip:
        """Clip number `place` of the whole batch."""
        draw, rng = self._draw(index, place)
        stage, source = self._config.stage(index), self._sources[draw.source]
        if isinstance(source, Photos):
            return self._make(stage, source, rng)
        max_gap = stage.gaps.max_gap(self._config.progress(index))
        footage = self._shoot(stage, source, draw.video, max_gap, rng)
        if draw.partner is not None:
            other = self._shoot(stage, source, draw.partner, max_gap, rng)
            footage = merge(footage, other, self._config.num_slots)
        if draw.look_alike:
            again = self._shoot(stage, source, draw.video, max_gap, rng, _WHOLE)
            footage = merge_look_alike(footage, again, self._config.num_slots, rng)
        if draw.lure:
            footage = add_lure(footage, self._shoot(stage, source, draw.video, max_gap, rng, _WHOLE), rng)
        if draw.cut_to is not None:
            footage = cut_away(footage, self._shoot(stage, source, draw.cut_to, max_gap, rng), rng)
        images = degrade(jitter_light(footage.images, rng), rng)
        return Clip(images, footage.labels, *estimate_flow(images), footage.source)

    def _draw(self, index: int, place: int) -> tuple[Draw, np.random.Generator]:
        """That, and the random state for all the rest of the clip."""
        rng = np.random.default_rng([self._config.seed, index, place])
        sampler = self._samplers[self._config.stage(index).sources]
        return sampler.draw(self._config.progress(index), rng), rng

    def _shoot(
        self, stage: Stage, source: Videos, video: int | None, max_gap: int, rng: np.random.Generator,
        zoom: tuple[float, float] | None = None,
    ) -> Footage:  # fmt: skip
        assert video is not None, "a source of videos gives one"
        chosen = source.items[video]
        pick = pick_frames(chosen, stage.length, max_gap, stage.max_objects, rng, steady=stage.gaps.steady)
        return shoot(chosen, pick, self._config.size, zoom or self._config.zoom, rng)

    def _make(self, stage: Stage, source: Photos, rng: np.random.Generator) -> Clip:
        config = replace(self._config.synthetic, size=self._config.size, length=stage.length,
                         max_objects=stage.max_objects)  # fmt: skip
        exact = bool(rng.random() < config.flow_exact)
        for _ in range(_TRIES):
            picked = _pick_photos(source, config, rng)
            scene = make_clip([photo.read() for photo in picked], config, rng, with_flow=exact)
            if scene is not None:
                break
        else:
            names = ", ".join(str(photo.mask) for photo in picked)
            raise MaskError(f"{_TRIES} scenes made of photos showed no object large enough to follow; the last ones' "
                            f"masks: {names}: give photos with larger objects")  # fmt: skip
        images = scene.footage.images
        if rng.random() < config.light:
            images = move_light(images, rng)
        images = degrade(jitter_light(images, rng), rng)
        to_prev, to_curr = scene.flow or estimate_flow(images)
        return Clip(images, scene.footage.labels, to_prev, to_curr, scene.footage.source)


def _pick_photos(source: Photos, config: SyntheticConfig, rng: np.random.Generator) -> list[PhotoSource]:
    """One for the ground and one for each layer; sometimes all of these from one folder."""
    count = int(rng.integers(1, config.max_layers + 1))
    ground, items = source.items[int(rng.integers(len(source.items)))], source.items
    if rng.random() < config.same_set:
        folders = source.folders
        items = folders[int(rng.integers(len(folders)))]
    return [ground, *(items[int(i)] for i in rng.integers(0, len(items), count))]


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
