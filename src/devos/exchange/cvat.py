"""CVAT for images 1.1: XML with a mask for each object on each frame, as run lengths along the rows of its box."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from jaxtyping import UInt16

from devos.errors import MaskError
from devos.exchange.coco import write_text
from devos.exchange.rle import from_run_lengths, run_lengths
from devos.exchange.tables import MaskWriter, VideoInfo, box_of, objects_of
from devos.frames import MaskFrame


class CvatWriter(MaskWriter):
    """An object's id is the attribute `id` of its mask, and a part of its label."""

    def __init__(self, path: Path, video: VideoInfo) -> None:
        super().__init__(path, video)
        self._root = ElementTree.Element("annotations")
        ElementTree.SubElement(self._root, "version").text = "1.1"

    def write(self, masks: MaskFrame) -> None:
        """Add one frame."""
        height, width = masks.labels.shape
        image = ElementTree.SubElement(self._root, "image", {
            "id": str(masks.index), "name": masks.name + self.video.suffix, "width": str(width), "height": str(height),
        })  # fmt: skip
        for object_id, _, mask in objects_of(masks):
            left, top, wide, high = box_of(mask)
            lengths = run_lengths(mask[top : top + high, left : left + wide].ravel())
            drawn = ElementTree.SubElement(image, "mask", {
                "label": "object", "source": "auto", "occluded": "0", "rle": ", ".join(map(str, lengths)),
                "left": str(left), "top": str(top), "width": str(wide), "height": str(high), "z_order": "0",
            })  # fmt: skip
            ElementTree.SubElement(drawn, "attribute", {"name": "id"}).text = str(object_id)

    def close(self) -> None:
        """Write the file."""
        write_text(self.path, ElementTree.tostring(self._root, encoding="unicode"))


def read_cvat(path: Path) -> Mapping[str, UInt16[np.ndarray, "h w"]]:
    """Labels by the name of the frame. Masks without an `id` are numbered by their place on the frame."""
    try:
        root = ElementTree.fromstring(path.read_text(encoding="utf-8"))
        labels: dict[str, np.ndarray] = {}
        for image in root.iter("image"):
            canvas = np.zeros((int(image.attrib["height"]), int(image.attrib["width"])), np.uint16)
            for number, drawn in enumerate(image.iter("mask"), start=1):
                left, top, wide, high = (int(drawn.attrib[name]) for name in ("left", "top", "width", "height"))
                lengths = [int(length) for length in drawn.attrib["rle"].split(",")]
                inside = from_run_lengths(lengths, wide * high).reshape(high, wide)
                named = next((one.text for one in drawn.iter("attribute") if one.attrib.get("name") == "id"), None)
                canvas[top : top + high, left : left + wide][inside] = int(named or number)
            labels[Path(image.attrib["name"]).stem] = canvas
        return labels
    except (OSError, ElementTree.ParseError, KeyError, ValueError, IndexError) as error:
        raise MaskError(f"{path}: no XML of CVAT for images 1.1 that can be read ({error!r})") from error
