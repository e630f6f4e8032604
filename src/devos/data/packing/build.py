"""From a folder of videos and photos with masks to a training set: checked, without what is held back, packed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devos.data.fact_cache import default_cache
from devos.data.findings import Finding, Findings, Kind
from devos.data.index import in_processes
from devos.data.packing.likeness import ALIKE, Look, Twin, list_held_back, look_at, nearest
from devos.data.packing.shards import MANIFEST, PHOTOS_FOLDER, VIDEOS_FOLDER, Member, Shard, manifest_of, write_shards
from devos.data.sources import Photos, Place, Videos, open_source
from devos.errors import InputError
from devos.io.files import prepare_output, write_json

SHARD_MB = 59
"""Largest archive unless told otherwise, in millions of bytes."""


@dataclass(frozen=True)
class Item:
    """A sequence or a photo: what is taken or left out as one."""

    name: str
    """`video-train/bear`, `static/coco/0001`."""
    members: tuple[Member, ...]
    """Its files; those in `pictures` are pictures, the others masks."""
    pictures: tuple[Path, ...]


@dataclass(frozen=True)
class Comparison:
    """What came of comparing a training set's pictures with those that are held back."""

    folders: tuple[str, ...]
    """The names of the folders that are held back."""
    num_held: int
    num_compared: int
    """Pictures of the training set."""
    same: tuple[Twin, ...] = ()
    """Those that are held back, pixel by pixel."""
    alike: tuple[Twin, ...] = ()
    """Those that are all but the same: recompressed, resized, recoloured, mirrored."""
    closest: Twin | None = None
    """Of the others, the one that comes nearest."""

    def lines(self) -> list[str]:
        """For people."""
        copies = f"{len(self.same)} are the same, {len(self.alike)} all but the same"
        lines = [f"compared {self.num_compared} pictures with {self.num_held} that are held back "
                 f"({', '.join(self.folders)}): {copies}"]  # fmt: skip
        if self.closest is not None:
            own, held = self.closest.own, self.closest.held
            lines.append(f"  the closest of the others has a likeness of {self.closest.likeness:.2f} ({ALIKE} counts "
                         f"as the same): {_short(own)} and {_short(held)}")  # fmt: skip
        return lines


@dataclass(frozen=True)
class TrainingSet:
    """What can be trained on below a folder, and what was found on the way."""

    videos: tuple[Item, ...]
    photos: tuple[Item, ...]
    findings: tuple[Findings, ...]
    comparison: Comparison | None = None
    """None where nothing is held back."""

    @property
    def members(self) -> list[Member]:
        """Every file, in order."""
        return [member for item in (*self.videos, *self.photos) for member in item.members]

    def refuse_any_left_out(self) -> None:
        """InputError, with all lines, if anything is left out."""
        for found in self.findings:
            found.refuse()

    def facts(self) -> dict[str, Any]:
        """For the manifest; nothing in it depends on where the folders are."""
        frames = {item.name.partition("/")[2]: len(item.pictures) for item in self.videos}
        photos: dict[str, int] = {}
        for item in self.photos:
            folder = item.name.split("/")[1]
            photos[folder] = photos.get(folder, 0) + 1
        masks = sum(len(item.members) - len(item.pictures) for item in self.videos)
        left_out = [{"name": one.name, "why": str(one.kind), **({"what": one.text} if one.text else {})}
                    for found in self.findings for one in found.items if one.leaves_out]  # fmt: skip
        return {
            "videos": {"sequences": len(frames), "frames": sum(frames.values()), "masks": masks, "frames_of": frames},
            "photos": {"photos": sum(photos.values()), "photos_of": photos},
            "left_out": left_out, "held_back": None if self.comparison is None else _told(self.comparison),
        }  # fmt: skip


def gather(root: Path, *, held_back: Sequence[Path] = (), workers: int = 1) -> TrainingSet:
    """What can be trained on in `root`/video-train (as DAVIS has it) and `root`/static (SET/images, SET/masks).

    Every picture and mask is decoded. A sequence is left out as a whole where one of its frames is also in a folder of
    `held_back`. `workers`: processes that read. InputError if there is neither folder or nothing is left of one.
    """
    parts = [(name, layout) for name, layout in ((VIDEOS_FOLDER, "davis-like"), (PHOTOS_FOLDER, "own"))
             if (root / name).is_dir()]  # fmt: skip
    if not parts:
        raise InputError(f"{root} holds neither {VIDEOS_FOLDER} (videos as DAVIS has them) nor {PHOTOS_FOLDER} "
                         "(SET/images and SET/masks); name a folder that does")  # fmt: skip
    held = _looks(list_held_back(held_back), workers)
    spoilt = next((fact for fact in held.values() if isinstance(fact, str)), None)
    if spoilt is not None:
        raise InputError(f"of what is held back, {spoilt}")
    kept: dict[str, tuple[Item, ...]] = {VIDEOS_FOLDER: (), PHOTOS_FOLDER: ()}
    told, twins = [], []
    for name, layout in parts:
        source, (found,) = open_source(name, [Place(layout, root / name)], cache=default_cache(), workers=workers)
        items = _items(source)
        looks = _looks([path for item in items for path in item.pictures], workers)
        own = nearest([(p, look) for p, look in looks.items() if isinstance(look, Look)],
                      [(p, look) for p, look in held.items() if isinstance(look, Look)]) if held else []  # fmt: skip
        troubles = _troubles(items, looks, {twin.own: twin for twin in own if twin.is_copy})
        out = {trouble.name for trouble in troubles}
        kept[name] = tuple(item for item in items if _bare(item) not in out)
        told.append(Findings(found.source, found.noun, found.total, (*found.items, *troubles)))
        told[-1].refuse_if_none_is_left()
        twins += own
    comparison = _compared(held_back, len(held), twins) if held else None
    return TrainingSet(kept[VIDEOS_FOLDER], kept[PHOTOS_FOLDER], tuple(told), comparison)


def pack(found: TrainingSet, out: Path, *, shard_mb: float = SHARD_MB, terms: str | None = None) -> tuple[Shard, ...]:
    """Write a training set as archives of at most `shard_mb` million bytes into the new or empty folder `out`.

    `terms`: what its sources allow, for the manifest. The same files and terms give the same bytes.
    """
    prepare_output(out)
    shards = write_shards(found.members, out, round(shard_mb * 1e6))
    write_json(out / MANIFEST, manifest_of(shards, {**found.facts(), "terms": terms}))
    return shards


def _items(source: Videos | Photos) -> list[Item]:
    if isinstance(source, Photos):
        items = []
        for photo in source.items:
            home = f"{PHOTOS_FOLDER}/{photo.image.parent.parent.name}"
            members = (Member(f"{home}/images/{photo.image.name}", photo.image),
                       Member(f"{home}/masks/{photo.mask.name}", photo.mask))  # fmt: skip
            items.append(Item(f"{home}/{photo.image.stem}", members, (photo.image,)))
        return items
    items = []
    for video in source.items:
        homes = [f"{VIDEOS_FOLDER}/{kind}/{video.name}" for kind in ("JPEGImages", "Annotations")]
        frames = [Member(f"{homes[0]}/{path.name}", path) for path in video.info.frames]
        masks = [Member(f"{homes[1]}/{path.name}", path) for path in video.info.masks if path is not None]
        items.append(Item(f"{VIDEOS_FOLDER}/{video.name}", (*frames, *masks), video.info.frames))
    return items


def _looks(paths: Sequence[Path], workers: int) -> dict[Path, Look | str]:
    """What each picture is compared by, or why it cannot be read."""
    return dict(zip(paths, in_processes(_try, paths, workers), strict=True))


def _try(path: Path) -> Look | str:
    try:
        return look_at(path)
    except InputError as error:
        return str(error)


def _troubles(items: Sequence[Item], looks: dict[Path, Look | str], copies: dict[Path, Twin]) -> list[Finding]:
    found = []
    for item in items:
        unreadable = [look for look in (looks[path] for path in item.pictures) if isinstance(look, str)]
        held = [copies[path] for path in item.pictures if path in copies]
        if unreadable:
            found.append(Finding(Kind.BAD_PICTURE, _bare(item), unreadable[0]))
        if held:
            number = f"{len(held)} of {len(item.pictures)} frames, first {held[0].own.name} as "
            text = (number if len(item.pictures) > 1 else "as ") + _short(held[0].held)
            found.append(Finding(Kind.HELD_BACK, _bare(item), text))
    return found


def _bare(item: Item) -> str:
    """Its name as findings have it: without video-train or static."""
    return item.name.partition("/")[2]


def _compared(folders: Sequence[Path], num_held: int, twins: Sequence[Twin]) -> Comparison:
    copies = [twin for twin in twins if twin.is_copy]
    others = [twin for twin in twins if not twin.is_copy]
    same = tuple(twin for twin in copies if twin.is_same)
    return Comparison(
        tuple(folder.resolve().name for folder in folders), num_held, len(twins), same,
        tuple(twin for twin in copies if not twin.is_same), max(others, key=lambda twin: twin.likeness, default=None),
    )  # fmt: skip


def _told(comparison: Comparison) -> dict[str, Any]:
    closest = comparison.closest
    return {
        "folders": list(comparison.folders), "pictures": comparison.num_held, "compared": comparison.num_compared,
        "same": len(comparison.same), "alike": len(comparison.alike), "counts_as_alike_from": ALIKE,
        "closest": None if closest is None else [_short(closest.own), _short(closest.held), round(closest.likeness, 2)],
    }  # fmt: skip


def _short(path: Path) -> str:
    """The end of a path that tells which picture it is, whatever it lies in."""
    return "/".join(path.parts[-2:]) if path.parent.name != "images" else f"{path.parts[-3]}/{path.name}"
