"""Which clip comes next: its source, its video, whether another is merged in, its frames and objects. No file is
opened for it but, once, a video's masks where it is not known yet what they hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from devos.data.index import TrainingVideo
from devos.data.mixing import Mix, Part
from devos.data.sources import Photos, Sources, Videos
from devos.errors import MaskError, OptionError

_LEAST_SHARE = 0.001
"""A clip starts where an object covers this share of the frame, in videos that have such a frame."""


@dataclass(frozen=True, kw_only=True)
class Curriculum:
    """The largest gap between two frames of a clip, over the run."""

    points: tuple[tuple[float, float], ...] = ((0.0, 5.0), (1.0, 25.0))
    """(progress in [0, 1], frames of the video), linear between; by default as in STM, which lets the gap grow to 25
    and does not let it shrink again. ((0, 5), (0.5, 25), (0.9, 25), (1, 5)) would anneal it, as XMem does."""
    steady: bool = False
    """One gap for the whole clip; otherwise each is drawn anew, so that things go slow and fast (STM, AOT)."""

    def __post_init__(self) -> None:
        times = [time for time, _ in self.points]
        if not times or times != sorted(times) or not all(0 <= time <= 1 for time in times):
            raise ValueError(f"points have rising progress in [0, 1], got {self.points}")
        if any(gap < 1 for _, gap in self.points):
            raise ValueError(f"a gap is 1 frame or more, got {self.points}")

    def max_gap(self, progress: float) -> int:
        """The largest gap, in frames of the video, when that share of the run is done."""
        times, gaps = zip(*self.points, strict=True)
        return round(float(np.interp(progress, times, gaps)))


@dataclass(frozen=True)
class Draw:
    """Where a clip comes from."""

    source: str
    video: int | None
    """Which video of the source; None where the source has photos."""
    partner: int | None = None
    """Another video of the source, whose objects are merged in."""
    look_alike: bool = False
    """Whether the video's own objects are merged in, from another time."""
    lure: bool = False
    """Whether one of them is pasted in as a look-alike that nobody follows."""
    cut_to: int | None = None
    """Another video of the source, to which the clip cuts."""


class Sampler:
    """Draws where clips come from, by a mix. OptionError if a source that the mix requires is not there."""

    def __init__(self, mix: Mix, sources: Sources) -> None:
        there = {name for name, source in sources.items() if source.items}
        missing = [p.source for p in mix.parts if p.required and p.source not in there]
        if not missing and not any(p.source in there and p.share_at(at) for p in mix.parts for at in (0.0, 1.0)):
            missing = [p.source for p in mix.parts]
        if missing:
            raise OptionError(f"the recipe takes clips from {', '.join(p.source for p in mix.parts)}, but there is no "
                              f"{' and no '.join(missing)}; say where it is, or choose another recipe")  # fmt: skip
        self._mix = mix
        self._parts: Mapping[str, Part] = {part.source: part for part in mix.parts}
        self._sizes = {name: len(source.items) for name, source in sources.items() if source.items}
        self._odds = {
            part.source: _cumulative(part, source)
            for part in mix.parts
            if isinstance(source := sources.get(part.source), Videos) and source.items
        }

    def draw(self, progress: float, rng: np.random.Generator) -> Draw:
        """The next clip's, when that share of the run, in [0, 1], is done."""
        shares = self._mix.shares(progress, self._sizes)
        names = list(shares)
        name = names[_pick(np.cumsum(list(shares.values())), rng)]
        if name not in self._odds:
            return Draw(name, None)
        video = _pick(self._odds[name], rng)
        merge, count = self._parts[name].merge, len(self._odds[name])
        partner = _another(video, count, rng) if count >= 2 and rng.random() < merge.probability else None
        look_alike = bool(merge.look_alike and rng.random() < merge.look_alike)
        lure = bool(merge.lure and rng.random() < merge.lure)
        cuts = bool(merge.cut and count >= 2 and rng.random() < merge.cut)
        return Draw(name, video, partner, look_alike, lure, _another(video, count, rng) if cuts else None)


@dataclass(frozen=True)
class Pick:
    """What of a video a clip shows."""

    frames: tuple[int, ...]
    """Indices of frames with masks, in the order of the clip; the first shows an object."""
    objects: tuple[int, ...]
    """The ids on the first frame, in random order."""
    most_objects: int
    """So many of them are followed, the first ones that the crop shows well enough."""


def pick_frames(
    video: TrainingVideo, length: int, max_gap: int, max_objects: int, rng: np.random.Generator, steady: bool = False
) -> Pick:
    """Frames, forwards or backwards, at random gaps of up to `max_gap` frames of the video, and their objects.

    Only frames with masks are taken: where masks are several frames apart, gaps are as many masks as fit, but at
    least one. Every start and direction from which the clip fits into the video is equally likely; where none does, it
    turns round at the video's ends. MaskError if no frame shows an object.
    """
    places = _starts(video)
    count = len(video.masked)
    most = max(1, min(max_gap // video.spacing, (count - 1) // max(1, length - 1)))
    gaps = np.full(length - 1, rng.integers(1, most + 1)) if steady else rng.integers(1, most + 1, length - 1)
    span = int(gaps.sum())
    ways = [(place, way) for place in places for way in (1, -1) if 0 <= place + way * span < count]
    if ways:
        place, way = ways[int(rng.integers(len(ways)))]
    else:
        place, way = places[int(rng.integers(len(places)))], int(rng.choice((1, -1)))
    steps = place + way * np.concatenate([[0], np.cumsum(gaps)])
    frames = tuple(video.masked[_reflect(int(step), count)] for step in steps)
    objects = tuple(int(i) for i in rng.permutation(sorted(video.areas(frames[0]))))
    return Pick(frames, objects, int(rng.integers(1, max_objects + 1)))


def _starts(video: TrainingVideo) -> list[int]:
    """Places among the frames with masks at which a clip may start."""
    largest = [max(video.areas(frame).values(), default=0) for frame in video.masked]
    if not any(largest):
        raise MaskError(f"{video.name}: no mask shows an object; take the sequence out, or mend its masks")
    pixels = video.num_pixels
    return [i for i, area in enumerate(largest) if area >= _LEAST_SHARE * pixels] or [
        i for i, area in enumerate(largest) if area
    ]


def _reflect(place: int, count: int) -> int:
    """A place beyond an end, turned back there."""
    if count == 1:
        return 0
    place %= 2 * (count - 1)
    return min(place, 2 * (count - 1) - place)


def _cumulative(part: Part, source: Videos | Photos) -> Float64[np.ndarray, " videos"]:
    assert isinstance(source, Videos), "only videos have odds"
    weights = part.odds.weights(source.items)
    if weights.sum() <= 0:
        raise OptionError(f"no sequence of {part.source} has any object; give other data")
    sums: Float64[np.ndarray, " videos"] = np.cumsum(weights / weights.sum())
    return sums


def _another(video: int, count: int, rng: np.random.Generator) -> int:
    """Any of so many videos but that one."""
    other = int(rng.integers(count - 1))
    return other + (other >= video)


def _pick(sums: np.ndarray, rng: np.random.Generator) -> int:
    """An index, given the cumulated probabilities."""
    return min(int(np.searchsorted(sums, rng.random(), side="right")), len(sums) - 1)
