"""The sets of photos with masks in the folders in which they are published, as STM, AOT and XMem train on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from natsort import natsorted

from devos.data.catalog import MASK_SUFFIXES, list_files
from devos.data.coco import find_coco
from devos.data.findings import Finding, Kind
from devos.data.photos import PhotoInfo, PhotoSource
from devos.data.trees import misplaced
from devos.errors import OptionError
from devos.io.pictures import PICTURE_SUFFIXES


@dataclass(frozen=True, kw_only=True)
class PhotoLayout:
    """How a set of photos lies on disk: one or several pairs of folders, a picture and its mask of the same name."""

    title: str
    tree: str
    """What is expected, for people."""
    pairs: tuple[tuple[str, str], ...]
    """Folders of pictures and of masks below the root, as patterns; the first pair that is there counts. Where both
    are one, the masks are its PNGs and the pictures its JPEGs. A star in both stands for the same folder."""
    is_binary: bool = True
    """Whether brightness tells the object; otherwise the masks' values are ids."""
    endings: tuple[str, str] = ("", "")
    """What the names of pictures and of masks end with beyond what they share."""


def _beside(title: str, folder: str, endings: tuple[str, str] = ("", "")) -> PhotoLayout:
    inner = f"  {folder}/\n    " if folder != "." else "  "
    tree = f"ROOT/\n{inner}NAME{endings[0]}.jpg  NAME{endings[1]}.png"
    return PhotoLayout(title=title, tree=tree, pairs=((folder, folder),), endings=endings)


def _apart(title: str, *pairs: tuple[str, str], is_binary: bool = True) -> PhotoLayout:
    images, masks = pairs[0]
    tree = f"ROOT/\n  {images}/NAME.jpg\n  {masks}/NAME.png"
    return PhotoLayout(title=title, tree=tree, pairs=pairs, is_binary=is_binary)


PHOTO_LAYOUTS: Mapping[str, PhotoLayout] = {
    "duts": _apart("DUTS", ("DUTS-TR-Image", "DUTS-TR-Mask"), ("DUTS-TE-Image", "DUTS-TE-Mask")),
    "ecssd": _apart("ECSSD", ("images", "ground_truth_mask")),
    "msra10k": _beside("MSRA10K", "Imgs"),
    "hku-is": _apart("HKU-IS", ("imgs", "gt")),
    "fss1000": _beside("FSS-1000", "<class>"),
    "big": _beside("BIG", ".", ("_im", "_gt")),
    "hrsod": _apart("HRSOD", ("HRSOD_train", "HRSOD_train_mask"), ("images", "masks")),
    "voc2012": _apart("Pascal VOC 2012 (objects)", ("JPEGImages", "SegmentationObject"), is_binary=False),
    "voc2012-class": _apart("Pascal VOC 2012 (classes)", ("JPEGImages", "SegmentationClass"), is_binary=False),
    "pairs": _beside("a folder of pairs (as STCN and XMem prepare their static sets)", "."),
    "aot-static": _apart("AOT's static sets", ("JPEGImages/<set>", "Annotations/<set>"), is_binary=False),
    "own": _apart("our own sets", ("<set>/images", "<set>/masks"), is_binary=False),
}
"""Every layout of photos by its name, but for `coco`, whose masks are no pictures."""


@dataclass(frozen=True)
class FoundPhotos:
    """The photos of a set that have a mask, and what was seen to be wrong with others."""

    photos: tuple[PhotoSource, ...]
    findings: tuple[Finding, ...] = ()


def list_photos(layout: str, root: Path, *, split: str | None = None) -> FoundPhotos:
    """The photos below `root`, in the order of folders and names; none of their files is opened.

    A picture without a mask is none of the set; a mask without a picture is a finding. `split`: only for `coco`, which
    of its parts. InputError, with the expected tree, if folders are missing or misnamed, or nothing is in them.
    """
    if layout == "coco":
        coco = find_coco(root, split=split)
        return FoundPhotos(coco.photos, tuple(Finding(Kind.BAD_ENTRY, *one) for one in coco.left_out.items()))
    if layout not in PHOTO_LAYOUTS:
        known = ", ".join([*PHOTO_LAYOUTS, "coco"])
        raise OptionError(f"no layout of photos is called {layout!r}; choose one of {known}")
    form = PHOTO_LAYOUTS[layout]
    if not root.is_dir():
        raise misplaced(root, form.title, form.tree, "there is no such folder")
    marks = [folder for pair in form.pairs for folder in pair if "<" not in folder and folder != "."]
    pairs = next((found for pair in form.pairs if (found := _folders(root, *pair))), None)
    if pairs is None:
        wanted = " and ".join(dict.fromkeys(form.pairs[0]))
        raise misplaced(root, form.title, form.tree, f"{wanted} missing", marks)
    photos: list[PhotoSource] = []
    findings: list[Finding] = []
    for images, masks in pairs:
        own, strays = _match(images, masks, form)
        photos += own
        findings += strays
    if not photos:
        problem = f"{pairs[0][0].relative_to(root)} and {pairs[0][1].relative_to(root)} share no names"
        raise misplaced(root, form.title, form.tree, problem, marks)
    return FoundPhotos(tuple(photos), tuple(findings))


def _folders(root: Path, images: str, masks: str) -> list[tuple[Path, Path]]:
    """Each pair of folders that both are there; `<...>` in a pattern stands for any one name, the same in both."""
    head, _, rest = images.partition("<")
    if not rest:
        pair = (root / images, root / masks)
        return [pair] if all(folder.is_dir() for folder in pair) else []
    tail = rest.partition(">")[2]
    stem, end = masks.partition("<")[0], masks.partition(">")[2]
    names = natsorted(path.name for path in (root / head).glob("*") if path.is_dir())
    pairs = [(root / f"{head}{name}{tail}", root / f"{stem}{name}{end}") for name in names]
    return [pair for pair in pairs if all(folder.is_dir() for folder in pair)]


def _match(images: Path, masks: Path, form: PhotoLayout) -> tuple[list[PhotoInfo], list[Finding]]:
    mask_suffixes = (".png",) if images == masks else MASK_SUFFIXES
    picture_suffixes = tuple(s for s in PICTURE_SUFFIXES if images != masks or s not in mask_suffixes)
    ending, mask_ending = form.endings
    photos, findings = [], []
    pictures, twins = _by_name(images, picture_suffixes, ending)
    drawn, mask_twins = _by_name(masks, mask_suffixes, mask_ending)
    for name, mask in drawn.items():
        if name in twins | mask_twins:
            findings.append(Finding(Kind.TWINS, f"{images.name}/{name}", (twins | mask_twins)[name]))
        elif name in pictures:
            photos.append(PhotoInfo(pictures[name], mask, form.is_binary))
        else:
            findings.append(Finding(Kind.STRAY_MASKS, f"{images.name}/{name}", mask.name))
    return photos, findings


def _by_name(folder: Path, suffixes: tuple[str, ...], ending: str) -> tuple[dict[str, Path], dict[str, str]]:
    """The files by what they share with their partners; and which names several files have."""
    found: dict[str, Path] = {}
    twins: dict[str, str] = {}
    for path in list_files(folder, suffixes):
        if path.stem.endswith(ending):
            name = path.stem.removesuffix(ending)
            other = found.setdefault(name, path)
            if other is not path:
                twins[name] = f"{other.name} and {path.name}"
    return found, twins
