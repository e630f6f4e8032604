"""Photos whose masks are COCO's JSON: polygons and run lengths, decoded by pycocotools, which is an extra."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from devos.data.catalog import list_folders
from devos.data.clips import VOID
from devos.data.photos import Photo, read_photo
from devos.data.trees import misplaced
from devos.errors import InputError, MaskError, OptionError

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
    """Each with `segmentation`, and `iscrowd` if it is a crowd."""

    def labels(self) -> UInt8[np.ndarray, "h w"]:
        """The labels alone; MaskError, naming the files, if an annotation cannot be decoded.

        Instances are numbered from the largest to the smallest, a smaller one over a larger one where they overlap;
        crowds are void.
        """
        crowds: list[np.ndarray] = []
        regions: list[np.ndarray] = []
        for annotation in self.annotations:
            (crowds if annotation.get("iscrowd") else regions).append(self._decode(annotation["segmentation"]))
        labels = np.zeros((self.height, self.width), np.uint8)
        for region in crowds:
            labels[region] = VOID
        regions.sort(key=np.count_nonzero, reverse=True)
        for label, region in enumerate(regions[: VOID - 1], start=1):
            labels[region] = label
        return labels

    def read(self) -> Photo:
        """Picture and labels; InputError, naming the file, if that fails or their sizes differ."""
        return read_photo(self)

    def _decode(self, segmentation: Any) -> np.ndarray:
        from pycocotools import mask as coding

        try:
            coded = segmentation
            if isinstance(segmentation, list) or isinstance(segmentation["counts"], list):
                coded = coding.frPyObjects(segmentation, self.height, self.width)
            with warnings.catch_warnings():
                # Up to 2.0.11 it hands its result to NumPy 2 in a way that is going to end.
                warnings.filterwarnings("ignore", category=DeprecationWarning)
                decoded = coding.decode(coding.merge(coded) if isinstance(coded, list) else coded)
        except Exception as error:  # the compiled part raises whatever it likes
            raise MaskError(f"{self.mask}: a mask of {self.image.name} cannot be decoded ({error!r}); "
                            "copy the file again, or take the picture out") from error  # fmt: skip
        region: UInt8[np.ndarray, "h w"] = decoded
        return region.astype(bool)


def find_coco(root: Path, *, split: str | None = None) -> tuple[CocoPhoto, ...]:
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
        grouped: dict[int, list[Mapping[str, Any]]] = {}
        for one in content["annotations"]:
            kept = {"segmentation": one["segmentation"], "iscrowd": one.get("iscrowd", 0)}
            grouped.setdefault(one["image_id"], []).append(kept)
        photos = [
            CocoPhoto(images / one["file_name"], source, one["height"], one["width"], tuple(grouped[one["id"]]))
            for one in content["images"] if one["id"] in grouped
        ]  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{source} is not an instances file of COCO ({error!r}); expected images with id, file_name, height and "
            "width, and annotations with image_id and segmentation: copy it again"
        ) from error
    if not photos:
        raise InputError(f"{source} annotates no picture; give another part of COCO")
    return tuple(sorted(photos, key=lambda photo: photo.image.name))


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
            "COCO's masks are decoded by pycocotools, which is not here: pip install 'devos[coco]'"
        ) from error
