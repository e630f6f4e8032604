"""CVAT for images 1.1: XML with a mask for each object on each frame, as run lengths along the rows of its box."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import numpy as np
from jaxtyping import Bool

from devos.errors import MaskError
from devos.exchange.annotations import DAMAGE, Annotations, FrameKey, Shape, own_id, quoted
from devos.exchange.coco import stem
from devos.exchange.polygons import fill
from devos.exchange.rle import from_run_lengths, run_lengths
from devos.exchange.spools import Spool
from devos.exchange.writers import Seen, Shot, VideoInfo, Writer
from devos.frames import FrameSize
from devos.whole_files import replacing

HEAD = '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n<version>1.1</version>\n'


class CvatWriter(Writer):
    """An object's id is the attribute `id` of its mask, its name the label."""

    def __init__(self, path: Path, video: VideoInfo) -> None:
        super().__init__(path, video)
        self._images = Spool(path.parent)

    def write(self, shot: Shot) -> None:
        """Add one frame."""
        height, width = shot.masks.labels.shape
        image = ElementTree.Element("image", {
            "id": str(shot.masks.index), "name": shot.masks.name + self.video.suffix, "width": str(width),
            "height": str(height),
        })  # fmt: skip
        for one in shot.objects:
            image.append(_drawn(one, self.video.name_of(one.object_id)))
        self._images.add(ElementTree.tostring(image, encoding="unicode") + "\n")

    def close(self) -> None:
        """Write the file."""
        with replacing(self.path) as temporary, temporary.open("wb") as file:
            file.write((HEAD + meta(self.video)).encode())
            file.writelines(self._images)
            file.write(b"</annotations>\n")
        self.discard()

    def discard(self) -> None:
        """Nothing has its name yet."""
        self._images.close()


def meta(video: VideoInfo) -> str:
    """What CVAT's export says of the task: its labels, each with the attribute `id`."""
    labels = "".join(
        f"<label><name>{escape(name)}</name><attributes><attribute><name>id</name><mutable>False</mutable>"
        "<input_type>number</input_type><default_value>1</default_value><values>1;65535;1</values></attribute>"
        "</attributes></label>"
        for name in sorted({"object", *video.names.values()})
    )
    size = "" if video.num_frames is None else f"<size>{video.num_frames}</size>"
    height, width = video.size
    return (f"<meta><task><name>{escape(video.name)}</name>{size}<labels>{labels}</labels><original_size>"
            f"<width>{width}</width><height>{height}</height></original_size></task></meta>\n")  # fmt: skip


def _drawn(one: Seen, label: str) -> ElementTree.Element:
    left, top, wide, high = one.box
    drawn = ElementTree.Element("mask", {
        "label": label, "source": "auto", "occluded": "0", "rle": ", ".join(map(str, run_lengths(one.inside.ravel()))),
        "left": str(left), "top": str(top), "width": str(wide), "height": str(high), "z_order": "0",
    })  # fmt: skip
    ElementTree.SubElement(drawn, "attribute", {"name": "id"}).text = str(one.object_id)
    return drawn


def read_cvat(path: Path) -> Annotations:
    """CVAT's XML, for images (masks and polygons, by the name of the frame) or for video (tracks, by its number).

    Without an attribute `id` an object has the number of its track from 1, or of its shape on the frame.
    """
    found = Annotations(path)
    try:
        root = ElementTree.fromstring(path.read_text(encoding="utf-8"))
        if root.tag != "annotations":
            raise ValueError(f"its root is {root.tag}, not annotations")
        for image in root.iter("image"):
            key = stem(image.attrib["name"])
            found.add_frame(key, FrameSize(int(image.attrib["height"]), int(image.attrib["width"])))
            for number, drawn in enumerate(_drawings(image), start=1):
                _add(found, key, drawn, own_id(_id_of(drawn), number))
        _read_tracks(found, root)
    except DAMAGE as error:
        raise MaskError(f"{path}: no XML of CVAT for images or video 1.1 that can be read ({quoted(error)})") from error
    return found


def _read_tracks(found: Annotations, root: ElementTree.Element) -> None:
    tracks = list(root.iter("track"))
    if not tracks:
        return
    place = root.find(".//original_size")
    if place is None:
        raise ValueError("tracks, but no original_size in its meta")
    size = FrameSize(int(place.findtext("height", "")), int(place.findtext("width", "")))
    for number, track in enumerate(tracks, start=1):
        given = next((i for drawn in _drawings(track) if (i := _id_of(drawn)) is not None), None)
        object_id = own_id(given, number)
        if (label := track.attrib.get("label", "object")) != "object":
            found.names[object_id] = label
        for drawn in _drawings(track):
            if drawn.attrib.get("outside") == "1":
                continue
            frame = int(drawn.attrib["frame"])
            if frame not in found:
                found.add_frame(frame, size)
            _add(found, frame, drawn, object_id)


def _drawings(within: ElementTree.Element) -> Iterator[ElementTree.Element]:
    others = {"box", "polyline", "points", "ellipse", "cuboid", "skeleton"}
    for drawn in within:
        if drawn.tag in ("mask", "polygon"):
            yield drawn
        elif drawn.tag in others:
            raise ValueError(f"a shape of the type {drawn.tag}; masks and polygons are read")


def _id_of(drawn: ElementTree.Element) -> str | None:
    return next((one.text for one in drawn.iter("attribute") if one.attrib.get("name") == "id"), None)


def _add(found: Annotations, key: FrameKey, drawn: ElementTree.Element, object_id: int) -> None:
    found.add(key, object_id, _shape(drawn.tag, dict(drawn.attrib)))
    if (label := drawn.attrib.get("label", "object")) != "object":
        found.names[object_id] = label


def _shape(kind: str, values: dict[str, Any]) -> Shape:
    if kind == "polygon":
        points = [float(value) for pair in values["points"].split(";") for value in pair.split(",")]
        return partial(fill, [points])
    left, top, wide, high = (int(values[name]) for name in ("left", "top", "width", "height"))
    return partial(_from_rows, [int(length) for length in values["rle"].split(",")], (left, top, wide, high))


def _from_rows(lengths: list[int], box: tuple[int, int, int, int], size: FrameSize) -> Bool[np.ndarray, "h w"]:
    left, top, wide, high = box
    full = np.zeros(size, bool)
    full[top : top + high, left : left + wide] = from_run_lengths(lengths, wide * high).reshape(high, wide)
    return full
