"""Where the videos or photos of a run come from: a name that recipes know, and what lies behind it on disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from devos.data.catalog import VideoInfo
from devos.data.checks import check_photos, check_videos
from devos.data.findings import Findings
from devos.data.index import TrainingVideo
from devos.data.photo_sets import PHOTO_LAYOUTS, list_photos
from devos.data.photos import PhotoSource
from devos.data.video_sets import VIDEO_LAYOUTS, list_videos
from devos.errors import OptionError

LAYOUTS = (*VIDEO_LAYOUTS, *PHOTO_LAYOUTS, "coco")
"""Every layout that is read."""


@dataclass(frozen=True)
class Videos:
    """Videos to take clips from."""

    items: tuple[TrainingVideo, ...]


@dataclass(frozen=True)
class Photos:
    """Photos to make clips of."""

    items: tuple[PhotoSource, ...]

    @cached_property
    def folders(self) -> tuple[tuple[PhotoSource, ...], ...]:
        """The same by the folders of their pictures, in the order in which these first come."""
        found: dict[Path, list[PhotoSource]] = {}
        for item in self.items:
            found.setdefault(item.image.parent, []).append(item)
        return tuple(tuple(items) for items in found.values())


Sources = Mapping[str, Videos | Photos]
"""What a run has, by the names that its mix knows."""


@dataclass(frozen=True)
class Place:
    """A data set on disk."""

    layout: str
    """One of `LAYOUTS`."""
    root: Path
    split: str | None = None
    """A list of ImageSets, or a part of COCO, other than the layout's own."""

    def __post_init__(self) -> None:
        if self.layout not in LAYOUTS:
            raise OptionError(f"no layout is called {self.layout!r}; choose one of {', '.join(LAYOUTS)}")


def parse_place(text: str) -> tuple[str, Place]:
    """A source's name and place from `NAME=LAYOUT:ROOT` or `NAME=LAYOUT/SPLIT:ROOT`; OptionError for anything else.

    For example `davis=davis2017:/data/DAVIS`, `static=coco/val2017:/data/coco`.
    """
    name, _, rest = text.partition("=")
    layout, _, root = rest.partition(":")
    if not (name and layout and root):
        raise OptionError(f"{text!r} names no data set; write NAME=LAYOUT:ROOT, such as davis=davis2017:/data/DAVIS")
    layout, _, split = layout.partition("/")
    return name, Place(layout, Path(root), split or None)


def open_source(
    name: str, places: Sequence[Place], *, cache: Path | None = None, workers: int = 1, thorough: bool = False,
    strict: bool = False,
) -> tuple[Videos | Photos, tuple[Findings, ...]]:  # fmt: skip
    """What can be trained on of one or several data sets, and what was found in each.

    `cache`: a folder that keeps what was read, usually `default_cache()`; `workers`: processes that read; `thorough`:
    decode every picture too. InputError if a set does not lie as expected, if nothing of it can be used or, with
    `strict`, if anything is left out; OptionError for videos and photos under one name.
    """
    videos: list[TrainingVideo] = []
    photos: list[PhotoSource] = []
    told = []
    for place in places:
        title = name if len(places) == 1 else f"{name} ({place.layout})"
        if place.layout in VIDEO_LAYOUTS:
            found = list_videos(place.layout, place.root, split=place.split)
            usable, findings = check_videos(found.videos, source=title, meta=found.objects, already=found.findings,
                                            cache=cache, workers=workers, thorough=thorough)  # fmt: skip
            videos += usable
        else:
            listed = list_photos(place.layout, place.root, split=place.split)
            kept, findings = check_photos(listed.photos, source=title, already=listed.findings, cache=cache,
                                          workers=workers, thorough=thorough)  # fmt: skip
            photos += kept
        if strict:
            findings.refuse()
        findings.refuse_if_none_is_left()
        told.append(findings)
    if videos and photos:
        raise OptionError(f"{name} has videos and photos; give them two names")
    return Videos(tuple(videos)) if videos else Photos(tuple(photos)), tuple(told)


def unchecked(videos: Sequence[VideoInfo], photos: Sequence[PhotoSource]) -> Sources:
    """Sources `videos` and `photos` of what was found without looking into any file; what is empty is left out."""
    sources: dict[str, Videos | Photos] = {}
    if videos:
        sources["videos"] = Videos(tuple(TrainingVideo(video) for video in videos))
    if photos:
        sources["photos"] = Photos(tuple(photos))
    return sources
