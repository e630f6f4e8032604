"""labelme: a folder with a JSON for each frame, each object a `mask` (a PNG inside its box); its id is `group_id`."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt16
from PIL import Image

from devos.errors import MaskError
from devos.exchange.coco import write_text
from devos.exchange.tables import MaskWriter, VideoInfo, box_of, objects_of
from devos.frames import MaskFrame
from devos.whole_files import output_error


class LabelmeWriter(MaskWriter):
    """`path` is the folder."""

    def __init__(self, path: Path, video: VideoInfo) -> None:
        super().__init__(path, video)
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise output_error(path, error) from error

    def write(self, masks: MaskFrame) -> None:
        """Write one frame's file."""
        shapes = []
        for object_id, _, mask in objects_of(masks):
            x, y, width, height = box_of(mask)
            png = BytesIO()
            Image.fromarray(mask[y : y + height, x : x + width]).save(png, format="PNG")
            shapes.append({
                "label": "object", "group_id": object_id, "shape_type": "mask", "flags": {}, "description": "",
                "points": [[x, y], [x + width - 1, y + height - 1]], "mask": base64.b64encode(png.getvalue()).decode(),
            })  # fmt: skip
        height, width = masks.labels.shape
        content = {
            "version": "5.5.0", "flags": {}, "shapes": shapes, "imagePath": masks.name + self.video.suffix,
            "imageData": None, "imageHeight": height, "imageWidth": width,
        }  # fmt: skip
        write_text(self.path / f"{masks.name}.json", json.dumps(content))

    def close(self) -> None:
        """Every file is whole already."""


def read_labelme(folder: Path) -> Mapping[str, UInt16[np.ndarray, "h w"]]:
    """Labels by the name of the frame; masks and polygons. Shapes without `group_id` are numbered by their place."""
    labels: dict[str, np.ndarray] = {}
    for file in sorted(folder.glob("*.json")):
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
            canvas = np.zeros((int(content["imageHeight"]), int(content["imageWidth"])), np.uint16)
            for number, shape in enumerate(content["shapes"], start=1):
                given = shape.get("group_id")
                _paint(canvas, shape, number if given is None else int(given))
        except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
            raise MaskError(f"{file}: no labelme JSON that can be read ({error!r})") from error
        labels[file.stem] = canvas
    return labels


def _paint(canvas: np.ndarray, shape: dict[str, object], object_id: int) -> None:
    points = np.asarray(shape["points"], float)
    if shape["shape_type"] == "mask":
        with Image.open(BytesIO(base64.b64decode(str(shape["mask"])))) as picture:
            inside = np.asarray(picture) > 0
        x, y = (int(value) for value in points[0])
        canvas[y : y + inside.shape[0], x : x + inside.shape[1]][inside] = object_id
    elif shape["shape_type"] == "polygon":
        inside = np.zeros(canvas.shape, np.uint8)
        cv2.fillPoly(inside, [np.floor(points).astype(np.int32)], 1)
        canvas[inside > 0] = object_id
    else:
        raise ValueError(f"a shape of the type {shape['shape_type']}; masks and polygons are read")
