"""COCO (an annotation for each object on each frame) and YouTube-VIS (one for each object of the video), as JSON.

Masks are COCO's run lengths, compressed. An object's id is `track_id` in COCO, `id` in YouTube-VIS.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import UInt16

from devos.errors import MaskError
from devos.exchange.rle import coco_counts, from_coco
from devos.exchange.tables import MaskWriter, VideoInfo, box_of, objects_of
from devos.frames import FrameSize, MaskFrame
from devos.whole_files import replacing

_CATEGORY = {"id": 1, "name": "object"}


class CocoWriter(MaskWriter):
    """Instance annotations, as detection tools read them."""

    def __init__(self, path: Path, video: VideoInfo) -> None:
        super().__init__(path, video)
        self._images: list[dict[str, Any]] = []
        self._annotations: list[dict[str, Any]] = []

    def write(self, masks: MaskFrame) -> None:
        """Add one frame."""
        height, width = masks.labels.shape
        image = {"id": masks.index, "file_name": masks.name + self.video.suffix, "width": width, "height": height}
        self._images.append(image)
        for object_id, score, mask in objects_of(masks):
            self._annotations.append({
                "id": len(self._annotations) + 1, "image_id": masks.index, "category_id": 1, "track_id": object_id,
                "segmentation": {"size": [height, width], "counts": coco_counts(mask)}, "bbox": list(box_of(mask)),
                "area": int(np.count_nonzero(mask)), "iscrowd": 0, "score": round(score, 4),
            })  # fmt: skip

    def close(self) -> None:
        """Write the file."""
        write_text(self.path, json.dumps({"images": self._images, "annotations": self._annotations,
                                          "categories": [_CATEGORY]}))  # fmt: skip


class YouTubeVisWriter(MaskWriter):
    """A list of masks for each object, null where it is not seen."""

    def __init__(self, path: Path, video: VideoInfo) -> None:
        super().__init__(path, video)
        self._names: list[str] = []
        self._tracks: dict[int, dict[int, tuple[dict[str, Any], list[int], int, float]]] = {}

    def write(self, masks: MaskFrame) -> None:
        """Add one frame."""
        place = len(self._names)
        self._names.append(f"{self.video.name}/{masks.name}{self.video.suffix}")
        for object_id, score, mask in objects_of(masks):
            rle = {"size": list(mask.shape), "counts": coco_counts(mask)}
            found = (rle, list(box_of(mask)), int(np.count_nonzero(mask)), score)
            self._tracks.setdefault(object_id, {})[place] = found

    def close(self) -> None:
        """Write the file."""
        height, width = self.video.size
        video = {"id": 1, "width": width, "height": height, "length": len(self._names), "file_names": self._names}
        annotations = [
            {
                "id": object_id, "video_id": 1, "category_id": 1, "iscrowd": 0, "width": width, "height": height,
                "segmentations": [track[i][0] if i in track else None for i in range(len(self._names))],
                "bboxes": [track[i][1] if i in track else None for i in range(len(self._names))],
                "areas": [track[i][2] if i in track else None for i in range(len(self._names))],
                "score": round(float(np.mean([found[3] for found in track.values()])), 4),
            }
            for object_id, track in sorted(self._tracks.items())
        ]  # fmt: skip
        content = {"videos": [video], "annotations": annotations, "categories": [_CATEGORY]}
        write_text(self.path, json.dumps(content))


def read_coco(path: Path) -> Mapping[str, UInt16[np.ndarray, "h w"]]:
    """Labels by the name of the frame (its file's stem), from COCO or YouTube-VIS JSON, run lengths or polygons.

    Ids are `track_id`, in COCO files without it the number of the annotation among those of its image; where objects
    overlap, the one that is named last has the pixel.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return _read_videos(content) if "videos" in content else _read_images(content)
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise MaskError(f"{path}: no COCO or YouTube-VIS JSON that can be read ({error!r})") from error


def _read_images(content: dict[str, Any]) -> dict[str, np.ndarray]:
    images = {image["id"]: image for image in content["images"]}
    labels: dict[str, np.ndarray] = {}
    seen: dict[Any, int] = {}
    for annotation in content["annotations"]:
        image = images[annotation["image_id"]]
        size = FrameSize(int(image["height"]), int(image["width"]))
        seen[image["id"]] = seen.get(image["id"], 0) + 1
        object_id = int(annotation.get("track_id", seen[image["id"]]))
        _paint(labels, Path(image["file_name"]).stem, size, annotation["segmentation"], object_id)
    return labels


def _read_videos(content: dict[str, Any]) -> dict[str, np.ndarray]:
    videos = {video["id"]: video for video in content["videos"]}
    labels: dict[str, np.ndarray] = {}
    for annotation in content["annotations"]:
        video = videos[annotation["video_id"]]
        size = FrameSize(int(video["height"]), int(video["width"]))
        for name, segmentation in zip(video["file_names"], annotation["segmentations"], strict=True):
            if segmentation is not None:
                _paint(labels, Path(name).stem, size, segmentation, int(annotation["id"]))
    return labels


def _paint(labels: dict[str, np.ndarray], name: str, size: FrameSize, segmentation: Any, object_id: int) -> None:
    canvas = labels.setdefault(name, np.zeros(size, np.uint16))
    if isinstance(segmentation, dict):
        canvas[from_coco(segmentation["counts"], FrameSize(*segmentation["size"]))] = object_id
        return
    inside = np.zeros(size, np.uint8)
    for polygon in segmentation:
        points = np.asarray(polygon, float).reshape(-1, 2)
        cv2.fillPoly(inside, [np.floor(points).astype(np.int32)], 1)
    canvas[inside > 0] = object_id


def write_text(path: Path, text: str) -> None:
    """Write a file whole, or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
