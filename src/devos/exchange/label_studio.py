"""Label Studio: JSON with a task for each frame, each object a region of the brush, which keeps its id when edited."""

from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path
from typing import Any

from devos.errors import MaskError
from devos.exchange.annotations import DAMAGE, Annotations, own_id, quoted
from devos.exchange.brush import brush_counts, from_brush
from devos.exchange.coco import stem
from devos.exchange.spools import Spool, write_list
from devos.exchange.writers import Shot, VideoInfo, Writer
from devos.frames import FrameSize
from devos.whole_files import replacing

_OUR_ID = re.compile(r"object-(\d+)")
_UPLOADED = re.compile(r"^[0-9a-f]{8}-")
"""What Label Studio puts before the name of a file that was uploaded."""


class LabelStudioWriter(Writer):
    """A region's id is `object-ID`, its label the object's name; for `<BrushLabels name="tag" toName="image">`."""

    def __init__(self, path: Path, video: VideoInfo) -> None:
        super().__init__(path, video)
        self._tasks = Spool(path.parent)

    def write(self, shot: Shot) -> None:
        """Add one task."""
        height, width = shot.masks.labels.shape
        regions = [
            {
                "id": f"object-{one.object_id}", "type": "brushlabels", "from_name": "tag", "to_name": "image",
                "original_width": width, "original_height": height, "image_rotation": 0,
                "value": {"format": "rle", "rle": brush_counts(one.mask),
                          "brushlabels": [self.video.name_of(one.object_id)]},
                "score": round(one.confidence, 4),
            }
            for one in shot.objects
        ]  # fmt: skip
        task = {"data": {"image": shot.masks.name + self.video.suffix, "frame": shot.masks.index},
                "annotations": [{"result": regions}]}  # fmt: skip
        self._tasks.add(json.dumps(task))

    def close(self) -> None:
        """Write the file."""
        with replacing(self.path) as temporary, temporary.open("wb") as file:
            write_list(file, self._tasks)
        self.discard()

    def discard(self) -> None:
        """Nothing has its name yet."""
        self._tasks.close()


def is_label_studio(content: Any) -> bool:
    """Whether a JSON is a list of Label Studio's tasks."""
    return isinstance(content, list) and bool(content) and isinstance(content[0], dict) and "data" in content[0]


def read_label_studio(path: Path) -> Annotations:
    """Brush regions of the last annotation of each task, else of its last prediction, by the name of the picture.

    A region with another id than ours is numbered by its place among the regions of its frame.
    """
    found = Annotations(path)
    try:
        for task in json.loads(path.read_text(encoding="utf-8")):
            key = _UPLOADED.sub("", stem(next(task["data"][name] for name in ("image", "img") if name in task["data"])))
            done = task.get("annotations") or task.get("predictions") or []
            regions = [one for one in (done[-1]["result"] if done else []) if one["type"] == "brushlabels"]
            for number, region in enumerate(regions, start=1):
                size = FrameSize(int(region["original_height"]), int(region["original_width"]))
                if key not in found:
                    found.add_frame(key, size)
                ours = _OUR_ID.fullmatch(str(region.get("id", "")))
                object_id = own_id(ours and ours[1], number)
                found.add(key, object_id, partial(from_brush, region["value"]["rle"]))
                if (label := region["value"].get("brushlabels", ["object"])[0]) != "object":
                    found.names[object_id] = str(label)
    except DAMAGE as error:
        raise MaskError(
            f"{path}: no Label Studio JSON with brush regions that can be read ({quoted(error)})"
        ) from error
    return found
