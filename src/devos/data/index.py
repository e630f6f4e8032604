"""Videos as training sees them: where their files are, and what one reading of them told."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from jaxtyping import UInt8

from devos.data.catalog import VideoInfo, read_clip_labels, read_picture
from devos.data.clips import VOID
from devos.data.fact_cache import FactCache, fingerprint
from devos.data.findings import Kind
from devos.data.scanning import VideoFacts, scan_video
from devos.errors import InputError, MaskError

_Thing = TypeVar("_Thing")
_Fact = TypeVar("_Fact")


@dataclass(frozen=True)
class TrainingVideo:
    """A video and what is known of its masks. What is not known yet is read when it is asked for first."""

    info: VideoInfo
    known: VideoFacts | None = None

    @property
    def name(self) -> str:
        """The sequence's name."""
        return self.info.name

    @cached_property
    def facts(self) -> VideoFacts:
        """What the masks hold; InputError, naming the file, if what was not checked before cannot be used."""
        if self.known is not None:
            return self.known
        facts = scan_video(self.info)
        if facts.troubles:
            kind, text = facts.troubles[0]
            raise InputError(f"{self.name}: {kind} ({text}); mend it, or take the sequence out")
        return facts

    @cached_property
    def masked(self) -> tuple[int, ...]:
        """The frames that have a mask."""
        return tuple(i for i, mask in enumerate(self.info.masks) if mask is not None)

    @cached_property
    def is_binary(self) -> bool:
        """Whether the only value is 255, as in DAVIS 2016: it is then object 1, not void."""
        return {value for areas in self.facts.masks for value, _ in areas or ()} == {VOID}

    @cached_property
    def object_ids(self) -> tuple[int, ...]:
        """Every object of the video."""
        return tuple(sorted({i for frame in self.masked for i in self.areas(frame)}))

    @cached_property
    def spacing(self) -> int:
        """Frames of the video from one mask to the next: 1 in DAVIS and MOSE, 5 in YouTube-VOS.

        By the numbers that the files are named after, or by their order where they are named otherwise.
        """
        stems = [self.info.stems[i] for i in self.masked]
        numbers = [int(stem) for stem in stems] if all(stem.isdecimal() for stem in stems) else list(self.masked)
        return max(1, int(np.median(np.diff(numbers)))) if len(numbers) > 1 else 1

    @property
    def num_pixels(self) -> int:
        """Of a frame."""
        return self.facts.num_pixels

    def areas(self, frame: int) -> dict[int, int]:
        """The pixels of each object on a frame; empty where it has no mask or shows none."""
        areas = dict(self.facts.masks[frame] or ())
        if self.is_binary:
            return {1: areas[VOID]} if VOID in areas else {}
        areas.pop(VOID, None)
        return areas

    def labels(self, frame: int) -> UInt8[np.ndarray, "h w"]:
        """The ids on a frame that has a mask, 255 for void; MaskError, naming the file, if it cannot be read."""
        path = self.info.masks[frame]
        if path is None:
            raise MaskError(f"frame {self.info.stems[frame]} of {self.name} has no mask")
        labels = read_clip_labels(path)
        return (labels == VOID).astype(np.uint8) if self.is_binary else labels

    def picture(self, frame: int) -> UInt8[np.ndarray, "h w 3"]:
        """The frame, RGB; VideoError, naming the file, if it cannot be read."""
        return read_picture(self.info.frames[frame])


def index_videos(
    videos: Sequence[VideoInfo], *, cache: Path | None = None, workers: int = 1, thorough: bool = False
) -> tuple[TrainingVideo, ...]:
    """What is known of each video: from the folder `cache`, or else by reading it, in that many processes."""
    kept = None if cache is None else FactCache(cache)
    how = ["video", thorough]
    keys = ["" if kept is None else fingerprint(how, (*video.frames, *video.masks)) for video in videos]
    known = [None if kept is None else _unpack(kept.find(key)) for key in keys]
    todo = [i for i, facts in enumerate(known) if facts is None]
    scanned = in_processes(partial(scan_video, thorough=thorough), [videos[i] for i in todo], workers)
    for i, facts in zip(todo, scanned, strict=True):
        known[i] = facts
        if kept is not None:
            kept.keep(keys[i], asdict(facts))
    return tuple(TrainingVideo(video, facts) for video, facts in zip(videos, known, strict=True))


def in_processes(work: Callable[[_Thing], _Fact], things: Sequence[_Thing], workers: int) -> list[_Fact]:
    """`work` done on each thing, in that many processes; in this one if that is not worth starting others."""
    if workers < 2 or len(things) <= workers:
        return [work(thing) for thing in things]
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        return list(pool.map(work, things, chunksize=4))


def _unpack(content: Any) -> VideoFacts | None:
    """What was kept; None if it is damaged."""
    try:
        masks = tuple(None if m is None else tuple((int(i), int(n)) for i, n in m) for m in content["masks"])
        return VideoFacts(masks, tuple((Kind(kind), str(text)) for kind, text in content["troubles"]),
                          int(content["num_pixels"]))  # fmt: skip
    except (ValueError, KeyError, TypeError):
        return None
