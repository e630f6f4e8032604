"""From the data sets that a user names to the sources that a recipe takes its clips from, checked once at the start."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from devos.data.fact_cache import default_cache
from devos.data.mixing import Part
from devos.data.packing.shards import PHOTOS_FOLDER, VIDEOS_FOLDER, is_packed, unpacked
from devos.data.sources import Photos, Place, Sources, Videos, open_source, parse_place
from devos.errors import InputError, OptionError
from devos.training.distributed import ALONE, World

_OPTIONS = {
    "davis": "--source davis=davis2017:ROOT", "youtube-vos": "--source youtube-vos=youtube-vos:ROOT",
    "mose": "--source mose=mose:ROOT", "static": "--source static=LAYOUT:ROOT (LAYOUT: duts, coco, ...)",
    "instances": "--source instances=davis-like:ROOT", "videos": "--videos ROOT", "photos": "--photos ROOT",
}  # fmt: skip
"""What gives each source that our recipes know."""

Places = dict[str, list[Place]]
"""Data sets by the name of the source that they belong to."""


def name_places(
    sources: Sequence[str] = (), data: Path | None = None, videos: Path | None = None, photos: Path | None = None
) -> Places:
    """The data sets that options name: `sources` as `parse_place` takes them, several under one name or not; `data`,
    `videos` and `photos` for a folder as `folders_below` takes it, one in DAVIS's layout and one of our own sets.
    """
    below = folders_below(data) if data is not None else (None, None)
    places: Places = {}
    for name, layout, root in (("videos", "davis-like", videos or below[0]), ("photos", "own", photos or below[1])):
        if root is not None:
            places[name] = [Place(layout, root)]
    for text in sources:
        name, place = parse_place(text)
        places.setdefault(name, []).append(place)
    return places


def folders_below(data: Path) -> tuple[Path | None, Path | None]:
    """The videos and the photos below one folder, as `video-train` and `static`; None for what is not there.

    Archives of `devos data build` are unpacked into a folder `unpacked` beside them, if that was not done before.
    """
    data = unpacked(data) if is_packed(data) else data
    videos, photos = data / VIDEOS_FOLDER, data / PHOTOS_FOLDER
    if not videos.is_dir() and not photos.is_dir():
        raise InputError(f"{data}: holds neither {VIDEOS_FOLDER} (videos in DAVIS's layout) nor {PHOTOS_FOLDER} "
                         "(photos with masks); make one of them, or use --videos and --photos")  # fmt: skip
    return (videos if videos.is_dir() else None), (photos if photos.is_dir() else None)


def check_names(recipe: str, parts: Mapping[str, Part], places: Places) -> None:
    """OptionError, with the option that mends it, if a source of the recipe is missing or one is none of its own."""
    known = " and ".join(parts)
    strange = [name for name in places if name not in parts]
    if strange:
        raise OptionError(f"{recipe} takes clips from {known}, not from {' or '.join(strange)}; give "
                          f"{_ask(parts)}, or choose another recipe")  # fmt: skip
    missing = [name for name, part in parts.items() if part.required and name not in places]
    if missing or not places:
        raise OptionError(f"{recipe} takes clips from {known}, and there is no {' and no '.join(missing or parts)}; "
                          f"add {_ask(missing or parts)}")  # fmt: skip


def _ask(names: Sequence[str] | Mapping[str, Part]) -> str:
    return ", ".join(_OPTIONS.get(name, f"--source {name}=LAYOUT:ROOT") for name in names)


def open_places(
    places: Places, *, world: World = ALONE, workers: int = 1, strict: bool = False,
    tell: Callable[[str], None] = lambda line: None,
) -> Sources:  # fmt: skip
    """The sources, each checked and what was found told line by line; the errors are `open_source`'s.

    `workers`: processes that read; `strict`: refuse a set of which anything is left out. The first process reads, the
    others then find what it kept.
    """
    opened: dict[str, Videos | Photos] = {}
    for first in (True, False):
        if world.first is first:
            for name, sets in places.items():
                opened[name], findings = open_source(name, sets, cache=default_cache(), workers=max(1, workers),
                                                     strict=strict)  # fmt: skip
                for line in (line for one in findings for line in one.lines()):
                    tell(line)
        world.gathered(None)
    return opened


def open_folders(videos: Path | None, photos: Path | None) -> Sources:
    """The sources `videos`, of a folder in DAVIS's layout, and `photos`, of one of our own sets of photos; either may
    be None. InputError if a folder holds nothing to train on.
    """
    return open_places(name_places(videos=videos, photos=photos))
