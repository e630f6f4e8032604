"""Check a data set at the start: what cannot be trained on is left out, and all of it is said."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from devos.data.catalog import VideoInfo
from devos.data.clips import VOID
from devos.data.fact_cache import FactCache, fingerprint
from devos.data.findings import Finding, Findings, Kind
from devos.data.index import TrainingVideo, in_processes, index_videos
from devos.data.photos import PhotoSource
from devos.data.scanning import TroubleError, check_picture, explain
from devos.errors import MaskError, SoftEdgesError
from devos.frames import FrameSize

_LEAST_FRAMES = 2

_Trouble = tuple[Kind, str]


def check_videos(
    videos: Sequence[VideoInfo], *, source: str = "videos", meta: Mapping[str, frozenset[int]] | None = None,
    already: Sequence[Finding] = (), cache: Path | None = None, workers: int = 1, thorough: bool = False,
) -> tuple[tuple[TrainingVideo, ...], Findings]:  # fmt: skip
    """The videos that can be trained on, and what was found in all of them.

    `meta`: the objects that each video has by the data set's own account. `already`: what was found when the videos
    were listed. `cache`, `workers`, `thorough`: as `index_videos` takes them.
    """
    indexed = index_videos(videos, cache=cache, workers=workers, thorough=thorough)
    items = list(already)
    for video in indexed:
        items += _look_at(video, None if meta is None else meta.get(video.name))
    out = {item.name for item in items if item.leaves_out}
    names = {video.name for video in videos} | {item.name for item in items}
    findings = Findings(source, "sequences", len(names), tuple(items))
    return tuple(video for video in indexed if video.name not in out), findings


def _look_at(video: TrainingVideo, meant: frozenset[int] | None) -> Iterable[Finding]:
    name, masked = video.name, video.masked
    if not masked:
        yield Finding(Kind.NO_MASKS, name)
        return
    if video.facts.troubles:
        yield from (Finding(kind, name, text) for kind, text in video.facts.troubles)
        return
    if len(masked) < _LEAST_FRAMES:
        yield Finding(Kind.ONE_FRAME, name, "nothing moves: use it as a photo")
        return
    if not video.object_ids:
        yield Finding(Kind.NO_OBJECT, name)
        return
    if video.is_binary:
        yield Finding(Kind.BINARY, name)
    empty = [frame for frame in masked if not video.areas(frame)]
    if empty:
        yield Finding(Kind.SOME_EMPTY, name, f"{len(empty)} of {len(masked)}")
    missing = _gaps(masked)
    if missing:
        yield Finding(Kind.SOME_MISSING, name, f"{missing} of {video.info.num_frames}; clips take the others")
    if meant is not None and meant != frozenset(video.object_ids):
        told, seen = sorted(meant), list(video.object_ids)
        yield Finding(Kind.OTHER_OBJECTS, name, f"named {told}, seen {seen}")


def _gaps(masked: tuple[int, ...]) -> int:
    """Frames between the first and the last mask that miss one, unless every few frames have one by design."""
    steps = {b - a for a, b in itertools.pairwise(masked)}
    return 0 if len(steps) == 1 else masked[-1] - masked[0] + 1 - len(masked)


def check_photos(
    photos: Sequence[PhotoSource], *, source: str = "photos", already: Sequence[Finding] = (),
    cache: Path | None = None, workers: int = 1, thorough: bool = False,
) -> tuple[tuple[PhotoSource, ...], Findings]:  # fmt: skip
    """The photos that can be trained on, and what was found in all of them. The arguments are `check_videos`'s."""
    kept = None if cache is None else FactCache(cache)
    paths = [path for photo in photos for path in (photo.image, photo.mask)]
    key = "" if kept is None else fingerprint(["photos", thorough], paths)
    troubles = _unpack(kept.find(key), len(photos)) if kept is not None else None
    if troubles is None:
        troubles = in_processes(partial(_find_troubles, thorough=thorough), photos, workers)
        if kept is not None:
            kept.keep(key, troubles)
    items, usable = list(already), []
    for photo, found in zip(photos, troubles, strict=True):
        told = [Finding(kind, f"{photo.image.parent.name}/{photo.image.stem}", text) for kind, text in found]
        items += told
        usable += [] if any(one.leaves_out for one in told) else [photo]
    total = len(photos) + len({item.name for item in already if item.leaves_out})
    return tuple(usable), Findings(source, "photos", total, tuple(items))


def _find_troubles(photo: PhotoSource, thorough: bool) -> list[_Trouble]:
    """What is wrong with a photo, and what of it is left out."""
    own = [(Kind.BAD_ENTRY, f"annotation {name} {what}") for name, what in photo.troubles().items()]
    try:
        size = check_picture(photo.image, thorough)
        labels = photo.labels()
    except TroubleError as trouble:
        return [*own, (trouble.kind, trouble.text)]
    except SoftEdgesError:
        return [*own, (Kind.SOFT_EDGES, photo.mask.name)]
    except MaskError as error:
        return [*own, (Kind.BAD_MASK, explain(photo.mask, error))]
    if labels.shape != tuple(size):
        return [*own, (Kind.WRONG_SIZE, f"{photo.mask.name} is {FrameSize(*labels.shape)}, the picture {size}")]
    if not np.isin(labels, (0, VOID), invert=True).any():
        return [*own, (Kind.NO_OBJECT, photo.mask.name)]
    return own


def _unpack(content: Any, count: int) -> list[list[_Trouble]] | None:
    """What was kept; None if it is damaged."""
    try:
        troubles = [[(Kind(kind), str(text)) for kind, text in found] for found in content]
    except (ValueError, TypeError, LookupError):
        return None
    return troubles if len(troubles) == count else None
