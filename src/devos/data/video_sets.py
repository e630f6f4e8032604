"""The video data sets in the folders in which they are published: DAVIS, YouTube-VOS, MOSE; and any like DAVIS."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from devos.data.catalog import (
    VideoInfo,
    by_stem,
    find_resolution,
    is_one_off,
    list_files,
    list_folders,
    masks_by_stem,
    read_split,
)
from devos.data.findings import Finding, Kind
from devos.data.trees import misplaced
from devos.errors import InputError, MaskError, OptionError
from devos.io.pictures import PICTURE_SUFFIXES


@dataclass(frozen=True, kw_only=True)
class VideoLayout:
    """How a data set of videos lies on disk."""

    title: str
    tree: str
    """What is expected, for people."""
    homes: tuple[str, ...] = ("",)
    """Where JPEGImages and Annotations are, below the root; the first that is there counts."""
    years: tuple[str, ...] = ()
    """The folders of ImageSets whose lists are read, the first that has the list; none: there are no lists."""
    split: str | None = None
    """The list that is read unless another is asked for."""
    meta: bool = False
    """Whether meta.json, beside JPEGImages, names each video's objects."""


_DAVIS_TREE = """\
ROOT/
  JPEGImages/480p/<sequence>/00000.jpg
  Annotations/480p/<sequence>/00000.png
  ImageSets/{year}/train.txt"""
_TRAIN_TREE = """\
ROOT/
  train/
    JPEGImages/<video>/00000.jpg
    Annotations/<video>/00000.png{rest}"""

VIDEO_LAYOUTS: Mapping[str, VideoLayout] = {
    "davis2017": VideoLayout(
        title="DAVIS 2017 (trainval)", tree=_DAVIS_TREE.format(year="2017"), years=("2017",), split="train"
    ),
    "davis2016": VideoLayout(
        title="DAVIS 2016", tree=_DAVIS_TREE.format(year="480p (or 2016)"), years=("480p", "2016"), split="train"
    ),
    "youtube-vos": VideoLayout(
        title="YouTube-VOS 2018 or 2019", homes=("train", ""), meta=True,
        tree=_TRAIN_TREE.format(rest="        (every fifth frame)\n    meta.json"),
    ),
    "mose": VideoLayout(title="MOSE 2023", tree=_TRAIN_TREE.format(rest=""), homes=("train", "")),
    "davis-like": VideoLayout(
        title="a folder like DAVIS",
        tree="ROOT/\n  JPEGImages/[480p/]<sequence>/<frame>.jpg    (or png, webp, ...)\n"
        "  Annotations/[480p/]<sequence>/<frame>.png\n  ImageSets/<year>/<split>.txt             (may be left out)",
    ),
}  # fmt: skip
"""Every layout of videos by its name."""


@dataclass(frozen=True)
class FoundVideos:
    """The videos of a data set, and what was already seen to be wrong with some."""

    videos: tuple[VideoInfo, ...]
    findings: tuple[Finding, ...] = ()
    objects: Mapping[str, frozenset[int]] | None = None
    """The ids of each video's objects, by the data set's own account; None if it gives none."""


def list_videos(layout: str, root: Path, *, split: str | None = None, resolution: str | None = None) -> FoundVideos:
    """The videos below `root`, by their names; none of their files is opened.

    `split`: a list of ImageSets other than the layout's own. InputError, with the expected tree, if folders or lists
    are missing or misnamed; a single sequence that is not as it should be becomes a finding.
    """
    if layout not in VIDEO_LAYOUTS:
        raise OptionError(f"no layout of videos is called {layout!r}; choose one of {', '.join(VIDEO_LAYOUTS)}")
    form = VIDEO_LAYOUTS[layout]
    home = _home(form, root)
    part = find_resolution(home / "JPEGImages", resolution)
    pictures, annotations = home / "JPEGImages" / part, home / "Annotations" / part
    if not annotations.is_dir():
        raise _misplaced(form, root, f"{annotations.relative_to(root)} is missing")
    names = _names(form, root, split) or list_folders(pictures)
    if not names:
        raise _misplaced(form, root, f"{pictures.relative_to(root)} holds no sequence")
    videos: list[VideoInfo] = []
    findings: list[Finding] = []
    for name in names:
        found = list_video(name, pictures / name, annotations / name)
        videos += [found] if isinstance(found, VideoInfo) else []
        findings += [found] if isinstance(found, Finding) else []
    return FoundVideos(tuple(videos), tuple(findings), _read_meta(home / "meta.json") if form.meta else None)


def list_video(name: str, pictures: Path, annotations: Path) -> VideoInfo | Finding:
    """One sequence, or what is wrong with its folders."""
    frames = list_files(pictures, PICTURE_SUFFIXES)
    if not frames:
        return Finding(Kind.NO_PICTURES, name, "an empty folder" if pictures.is_dir() else "listed, but not there")
    try:
        stems, masks = by_stem(frames), masks_by_stem(annotations)
    except MaskError as error:
        return Finding(Kind.TWINS, name, str(error).split(": ", 1)[1].split(" are ")[0])
    strays = sorted(masks.keys() - stems.keys())
    if strays:
        counted = "; are they counted from 1?" if is_one_off(stems, masks) else ""
        return Finding(Kind.STRAY_MASKS, name, f"{len(strays)} of {len(masks)}, {masks[strays[0]].name} first{counted}")
    return VideoInfo(name, tuple(frames), tuple(masks.get(frame.stem) for frame in frames))


def _home(form: VideoLayout, root: Path) -> Path:
    for home in form.homes:
        if (root / home / "JPEGImages").is_dir():
            return root / home
    wanted = "/".join(filter(None, (form.homes[0], "JPEGImages")))
    raise _misplaced(form, root, f"{wanted} is missing" if root.is_dir() else "there is no such folder")


def _names(form: VideoLayout, root: Path, split: str | None) -> list[str] | None:
    """The sequences of the list that counts; None where there are no lists."""
    wanted = split or form.split
    if not form.years:
        return None if wanted is None else read_split(root, wanted, None)
    assert wanted is not None, "a layout with lists has one of its own"
    for year in form.years:
        if (root / "ImageSets" / year / f"{wanted}.txt").is_file():
            return read_split(root, wanted, year)
    tried = " and ".join(f"ImageSets/{year}/{wanted}.txt" for year in form.years)
    raise _misplaced(form, root, f"{tried} {'is' if len(form.years) == 1 else 'are'} missing")


def _misplaced(form: VideoLayout, root: Path, problem: str) -> InputError:
    return misplaced(root, form.title, form.tree, problem, [str(Path(home) / "JPEGImages") for home in form.homes])


def _read_meta(path: Path) -> dict[str, frozenset[int]] | None:
    """The ids of each video's objects in YouTube-VOS's meta.json; None if there is no such file."""
    if not path.is_file():
        return None
    try:
        videos = json.loads(path.read_text(encoding="utf-8"))["videos"]
        return {name: frozenset(int(one) for one in video["objects"]) for name, video in videos.items()}
    except (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path} is not YouTube-VOS's meta.json ({type(error).__name__}: {error}); expected "
            '{"videos": {NAME: {"objects": {ID: {...}}}}}: copy it again, or remove it'
        ) from error
