"""COCO: an annotation for each object on each frame, masks as compressed run lengths, an object's id as `track_id`."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from devos.errors import MaskError
from devos.exchange.annotations import DAMAGE, Annotations, own_id, quoted
from devos.exchange.polygons import fill
from devos.exchange.rle import from_coco
from devos.exchange.spools import JsonLists
from devos.exchange.writers import Seen, Shot, VideoInfo, Writer
from devos.frames import FrameSize, MaskFrame

CATEGORY = {"id": 1, "name": "object"}


class CocoWriter(Writer):
    """Instance annotations, as detection tools read them."""

    def __init__(self, path: Path, video: VideoInfo) -> None:
        super().__init__(path, video)
        self._lists = JsonLists(path, "images", "annotations")
        self._count = 0

    def write(self, shot: Shot) -> None:
        """Add one frame."""
        self._lists.add("images", image_of(shot.masks, self.video.suffix))
        for one in shot.objects:
            self._count += 1
            self._lists.add("annotations", annotation_of(one, shot.masks.index, self._count, self.video.names))

    def close(self) -> None:
        """Write the file."""
        self._lists.write(categories=[CATEGORY])

    def discard(self) -> None:
        """Nothing has its name yet."""
        self._lists.close()


def image_of(masks: MaskFrame, suffix: str = ".jpg") -> dict[str, Any]:
    """A frame as an entry of COCO's `images`."""
    height, width = masks.labels.shape
    return {"id": masks.index, "file_name": masks.name + suffix, "width": width, "height": height}


def annotation_of(one: Seen, image_id: int, number: int, names: Any = None) -> dict[str, Any]:
    """An object on a frame as an entry of COCO's `annotations`."""
    annotation = {
        "id": number, "image_id": image_id, "category_id": 1, "track_id": one.object_id, "segmentation": one.rle,
        "bbox": list(one.box), "area": one.region.area, "iscrowd": 0, "score": round(one.confidence, 4),
    }  # fmt: skip
    if names and one.object_id in names:
        annotation["attributes"] = {"name": names[one.object_id]}
    return annotation


def as_coco(masks: MaskFrame) -> list[dict[str, Any]]:
    """The objects of one frame as COCO's `annotations`, for programs of one's own: `image_id` is the frame's index."""
    return [annotation_of(one, masks.index, number) for number, one in enumerate(Shot(masks).objects, start=1)]


def read_coco(path: Path) -> Annotations:
    """Run lengths and polygons, by the stem of the image's file.

    Ids are `track_id`, in files without it the number of the annotation among those of its image.
    """
    found = Annotations(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        images = {image["id"]: image for image in content["images"]}
        for image in images.values():
            found.add_frame(stem(image["file_name"]), FrameSize(int(image["height"]), int(image["width"])))
        seen: dict[Any, int] = {}
        for annotation in content["annotations"]:
            image_id = annotation["image_id"]
            seen[image_id] = seen.get(image_id, 0) + 1
            object_id = own_id(annotation.get("track_id"), seen[image_id])
            found.add(stem(images[image_id]["file_name"]), object_id, shape_of(annotation["segmentation"]))
            if name := (annotation.get("attributes") or {}).get("name"):
                found.names[object_id] = str(name)
    except DAMAGE as error:
        raise MaskError(f"{path}: no COCO JSON that can be read ({quoted(error)})") from error
    return found


def stem(file_name: str) -> str:
    """A frame's name of the name of its file, whatever system wrote it."""
    return Path(str(file_name).replace("\\", "/")).stem


def shape_of(segmentation: Any) -> Any:
    """COCO's run lengths or polygons as a shape."""
    if isinstance(segmentation, dict):
        return partial(_from_counts, segmentation["counts"], FrameSize(*map(int, segmentation["size"])))
    return partial(fill, [list(map(float, polygon)) for polygon in segmentation])


def _from_counts(counts: Any, own: FrameSize, size: FrameSize) -> np.ndarray:
    if own != size:
        raise ValueError(f"run lengths of {own} for a frame of {size}")
    return from_coco(counts, own)
