"""labelme: a folder with a JSON for each frame, each object a `mask` (a PNG inside its box); its id is `group_id`."""

from __future__ import annotations

import base64
import json
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Bool
from PIL import Image

from devos.errors import MaskError
from devos.exchange.annotations import DAMAGE, Annotations, own_id, quoted
from devos.exchange.writers import FolderWriter, Shot
from devos.frames import FrameSize


class LabelmeWriter(FolderWriter):
    """An object's name is its label."""

    def write(self, shot: Shot) -> None:
        """Write one frame's file."""
        shapes = []
        for one in shot.objects:
            x, y, width, height = one.box
            png = BytesIO()
            Image.fromarray(one.inside).save(png, format="PNG")
            shapes.append({
                "label": self.video.name_of(one.object_id), "group_id": one.object_id, "shape_type": "mask",
                "flags": {}, "description": "", "points": [[x, y], [x + width - 1, y + height - 1]],
                "mask": base64.b64encode(png.getvalue()).decode(),
            })  # fmt: skip
        height, width = shot.masks.labels.shape
        content = {
            "version": "5.5.0", "flags": {}, "shapes": shapes, "imagePath": shot.masks.name + self.video.suffix,
            "imageData": None, "imageHeight": height, "imageWidth": width,
        }  # fmt: skip
        with self.file(f"{shot.masks.name}.json") as path:
            path.write_text(json.dumps(content), encoding="utf-8")


def is_labelme(folder: Path) -> bool:
    """Whether a folder holds labelme's files."""
    first = next(iter(sorted(folder.glob("*.json"))), None)
    try:
        return first is not None and "shapes" in json.loads(first.read_text(encoding="utf-8"))
    except DAMAGE:
        return False


def read_labelme(folder: Path) -> Annotations:
    """Masks and polygons, by the name of the frame. Shapes without `group_id` are numbered by their place."""
    found = Annotations(folder)
    for file in sorted(folder.glob("*.json")):
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
            found.add_frame(file.stem, FrameSize(int(content["imageHeight"]), int(content["imageWidth"])))
            for number, shape in enumerate(content["shapes"], start=1):
                object_id = own_id(shape.get("group_id"), number)
                if (kind := shape["shape_type"]) not in ("mask", "polygon"):
                    raise ValueError(f"a shape of the type {kind}; masks and polygons are read")
                found.add(file.stem, object_id, partial(_painted, file, number - 1))
                if (label := str(shape.get("label", "object"))) != "object":
                    found.names[object_id] = label
        except DAMAGE as error:
            raise MaskError(f"{file}: no labelme JSON that can be read ({quoted(error)})") from error
    return found


def _painted(file: Path, number: int, size: FrameSize) -> Bool[np.ndarray, "h w"]:
    """One shape, read again, so that a long folder is not held."""
    shape: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))["shapes"][number]
    points = np.asarray(shape["points"], float)
    canvas = np.zeros(size, np.uint8)
    if shape["shape_type"] == "polygon":  # labelme draws pixels whose centre or corner is on the line, as this does
        cv2.fillPoly(canvas, [np.floor(points).astype(np.int32)], 1)
        return canvas > 0
    with Image.open(BytesIO(base64.b64decode(str(shape["mask"])))) as picture:
        inside = np.asarray(picture) > 0
    x, y = (int(value) for value in points[0])
    canvas[y : y + inside.shape[0], x : x + inside.shape[1]] = inside
    return canvas > 0
