"""Photos whose masks are COCO's JSON: polygons and run lengths, decoded by pycocotools, which is an extra."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, UInt8

from devos.data.catalog import list_folders
from devos.data.clips import VOID
from devos.data.coco_masks import BadAnnotationError, decode
from devos.data.photos import Photo, read_photo
from devos.data.trees import misplaced
from devos.errors import InputError, OptionError
from devos.extras import install

COCO_TREE = """\
ROOT/
  annotations/instances_train2017.json
  train2017/000000000009.jpg      (or images/)"""
_TITLE = "COCO"
_PREFIX = "instances_"


@dataclass(frozen=True)
class CocoPhoto:
    """A photo and its annotations."""

    image: Path
    mask: Path
    """The JSON file."""
    height: int
    width: int
    annotations: tuple[Mapping[str, Any], ...]
    """Each with `id`, `segmentation`, and `iscrowd` if it is a crowd."""

    def labels(self) -> UInt8[np.ndarray, "h w"]:
        """The labels alone, without the annotations that cannot be decoded (`troubles` names them).

        Instances are numbered from the largest to the smallest, a smaller one over a larger one where they overlap;
        crowds are void.
        """
        crowds: list[np.ndarray] = []
        regions: list[np.ndarray] = []
        for annotation in self.annotations:
            region = self._decode(annotation)
            if isinstance(region, np.ndarray):
                (crowds if annotation.get("iscrowd") else regions).append(region)
        labels = np.zeros((self.height, self.width), np.uint8)
        for region in crowds:
            labels[region] = VOID
        regions.sort(key=np.count_nonzero, reverse=True)
        for label, region in enumerate(regions[: VOID - 1], start=1):
            labels[region] = label
        return labels

    def troubles(self) -> dict[str, str]:
        """The annotations that are left out, by their ids, and what is wrong with each."""
        decoded = {str(one.get("id", "without id")): self._decode(one) for one in self.annotations}
        return {name: what for name, what in decoded.items() if isinstance(what, str)}

    def read(self) -> Photo:
        """Picture and labels; InputError, naming the file, if that fails or their sizes differ."""
        return read_photo(self)

    def _decode(self, annotation: Mapping[str, Any]) -> Bool[np.ndarray, "h w"] | str:
        """Where the object is, or what is wrong with its annotation."""
        try:
            return decode(annotation.get("segmentation"), self.height, self.width)
        except BadAnnotationError as error:
            return str(error)
        except Exception as error:  # the compiled part raises whatever it likes
            return f"cannot be decoded ({type(error).__name__}: {error})"


@dataclass(frozen=True)
class FoundCoco:
    """The photos with an annotation, and the entries of the file that were left out."""

    photos: tuple[CocoPhoto, ...]
    left_out: dict[str, str]
    """What is wrong with each, by what it is: `annotation 12`, `image 7`."""


def find_coco(root: Path, *, split: str | None = None) -> FoundCoco:
    """The photos of one part of COCO that have an annotation, by their file names.

    `split`: `train2017`, say; may be left out where there is one `instances_*.json`. OptionError if pycocotools is not
    installed, InputError, with the expected tree, if files are missing or are not COCO's.
    """
    _require_pycocotools()
    source = _annotations(root, split)
    part = source.stem.removeprefix(_PREFIX)
    images = next((root / name for name in (part, "images", f"images/{part}") if (root / name).is_dir()), None)
    if images is None:
        raise misplaced(root, _TITLE, COCO_TREE, f"neither {part} nor images is there")
    try:
        content = json.loads(source.read_text(encoding="utf-8"))
        listed = [content[key] for key in ("images", "annotations")]
        if not all(isinstance(one, list) for one in listed):
            raise TypeError("images and annotations are lists")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(
            f"{source} is not an instances file of COCO ({error}); expected images with id, file_name, height and "
            "width, and annotations with image_id and segmentation: copy it again"
        ) from error
    found = _matched(images, source, *listed)
    if not found.photos:
        why = "; ".join(f"{name} {what}" for name, what in list(found.left_out.items())[:3])
        raise InputError(f"{source} annotates no picture{f' ({why})' if why else ''}; give another part of COCO")
    return found


def _matched(folder: Path, source: Path, images: list[Any], annotations: list[Any]) -> FoundCoco:
    """The annotations of each image; an entry that is not as it should be is left out by itself."""
    left_out: dict[str, str] = {}
    sizes: dict[Any, tuple[str, int, int]] = {}
    for number, one in enumerate(images):
        name = f"image {one.get('id', f'number {number}')}" if isinstance(one, dict) else f"image number {number}"
        try:
            entry = (one["file_name"], one["height"], one["width"])
            if not (isinstance(entry[0], str) and all(type(n) is int and 0 < n < 1 << 16 for n in entry[1:])):
                raise TypeError
            if one["id"] in sizes:
                left_out[name] = "has the id of another"
            sizes.setdefault(one["id"], entry)
        except (KeyError, TypeError):
            left_out[name] = "lacks its id, file_name, height or width"
    grouped: dict[Any, list[Mapping[str, Any]]] = {}
    for number, one in enumerate(annotations):
        name = f"annotation {one.get('id', f'number {number}') if isinstance(one, dict) else f'number {number}'}"
        try:
            if one["image_id"] in sizes:
                kept = {"id": one.get("id", f"number {number}"), "segmentation": one.get("segmentation"),
                        "iscrowd": one.get("iscrowd", 0)}  # fmt: skip
                grouped.setdefault(one["image_id"], []).append(kept)
            else:
                left_out[name] = "is of no picture that the file names"
        except (KeyError, TypeError):
            left_out[name] = "names no picture"
    photos = [CocoPhoto(folder / name, source, height, width, tuple(grouped[key]))
              for key, (name, height, width) in sizes.items() if key in grouped]  # fmt: skip
    return FoundCoco(tuple(sorted(photos, key=lambda photo: photo.image.name)), left_out)


def _annotations(root: Path, split: str | None) -> Path:
    """The one JSON file that is meant."""
    if not root.is_dir():
        raise misplaced(root, _TITLE, COCO_TREE, "there is no such folder")
    found = sorted([*root.glob(f"annotations/{_PREFIX}*.json"), *root.glob(f"{_PREFIX}*.json")])
    if not found:
        raise misplaced(root, _TITLE, COCO_TREE, f"there is no {_PREFIX}*.json", ["annotations"])
    parts = [path.stem.removeprefix(_PREFIX) for path in found]
    if split is None and len(found) > 1:
        # Of all of COCO usually only some pictures are there.
        there = [path for path, part in zip(found, parts, strict=True) if part in list_folders(root)]
        if len(there) == 1:
            return there[0]
        raise OptionError(f"{root} has {' and '.join(parts)}; say which with the split")
    wanted = parts[0] if split is None else split
    if wanted not in parts:
        raise OptionError(f"{root} has no {_PREFIX}{wanted}.json; choose the split among {', '.join(parts)}")
    return found[parts.index(wanted)]


def _require_pycocotools() -> None:
    try:
        import pycocotools.mask  # noqa: F401
    except ImportError as error:
        raise OptionError(
            f"COCO's masks are decoded by pycocotools, which is not installed: {install('coco')}"
        ) from error
