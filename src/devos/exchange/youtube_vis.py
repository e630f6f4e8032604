"""YouTube-VIS: one annotation for each object of the video, with a mask for each frame, null where it is away."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from devos.errors import MaskError
from devos.exchange.annotations import DAMAGE, Annotations, quoted
from devos.exchange.coco import CATEGORY, shape_of, stem
from devos.exchange.rle import run_lengths
from devos.exchange.spools import ByObject, Spool
from devos.exchange.writers import Shot, VideoInfo, Writer
from devos.frames import FrameSize
from devos.whole_files import replacing

_KEYS = ("segmentations", "bboxes", "areas")


class YouTubeVisWriter(Writer):
    """An object's id is `id`. Run lengths are lists, as in the set's own annotations, which more programs read."""

    def __init__(self, path: Path, video: VideoInfo) -> None:
        super().__init__(path, video)
        self._names = Spool(path.parent)
        self._pieces = ByObject(path.parent)
        self._scores: dict[int, tuple[float, int]] = {}

    def write(self, shot: Shot) -> None:
        """Add one frame."""
        place = self._names.add(json.dumps(f"{self.video.name}/{shot.masks.name}{self.video.suffix}"))
        for one in shot.objects:
            rle = {"size": list(one.size), "counts": run_lengths(one.mask.ravel(order="F"))}
            values = rle, list(one.box), one.region.area  # as in _KEYS, a line each
            self._pieces.add(one.object_id, place, "\n".join(json.dumps(value) for value in values))
            total, count = self._scores.get(one.object_id, (0.0, 0))
            self._scores[one.object_id] = total + one.confidence, count + 1

    def close(self) -> None:
        """Write the file."""
        height, width = self.video.size
        with replacing(self.path) as temporary, temporary.open("w", encoding="utf-8") as file:
            video = {"id": 1, "width": width, "height": height, "length": len(self._names)}
            file.write('{"videos": [' + json.dumps(video)[:-1] + ', "file_names": [')
            _write_joined(file, (name.decode() for name in self._names))
            file.write(']}], "annotations": [')
            for number, object_id in enumerate(self._pieces.ids):
                total, count = self._scores[object_id]
                head = {"id": object_id, "video_id": 1, "category_id": 1, "iscrowd": 0, "width": width,
                        "height": height, "score": round(total / count, 4)}  # fmt: skip
                file.write((",\n" if number else "\n") + json.dumps(head)[:-1])
                for line, key in enumerate(_KEYS):
                    file.write(f', "{key}": [')
                    _write_joined(file, _with_nulls(self._pieces.of(object_id), line, len(self._names)))
                    file.write("]")
                file.write("}")
            file.write(f'], "categories": [{json.dumps(CATEGORY)}]}}')
        self.discard()

    def discard(self) -> None:
        """Nothing has its name yet."""
        self._names.close()
        self._pieces.close()


def _with_nulls(pieces: Iterable[tuple[int, str]], line: int, length: int) -> Iterator[str]:
    """That line of each piece at its place of so many, null at all others."""
    place = 0
    for at, content in pieces:
        yield from ["null"] * (at - place)
        yield content.split("\n")[line]
        place = at + 1
    yield from ["null"] * (length - place)


def _write_joined(file: IO[str], items: Iterable[str]) -> None:
    for number, item in enumerate(items):
        file.write(f", {item}" if number else item)


def read_youtube_vis(path: Path) -> Annotations:
    """Run lengths and polygons, by the stem of the frame's file."""
    found = Annotations(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        videos = {video["id"]: video for video in content["videos"]}
        for video in videos.values():
            for name in video["file_names"]:
                found.add_frame(stem(name), FrameSize(int(video["height"]), int(video["width"])))
        for annotation in content["annotations"]:
            names = videos[annotation["video_id"]]["file_names"]
            for name, segmentation in zip(names, annotation["segmentations"], strict=True):
                if segmentation is not None:
                    found.add(stem(name), int(annotation["id"]), shape_of(segmentation))
    except DAMAGE as error:
        raise MaskError(f"{path}: no YouTube-VIS JSON that can be read ({quoted(error)})") from error
    return found
