"""Masks in any format that is read, as `devos segment -m` and `devos correct -m` take them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import UInt16

from devos.errors import MaskError
from devos.exchange.annotations import DAMAGE, Annotations, FrameKey, quoted
from devos.exchange.cells import is_cells, read_cells
from devos.exchange.coco import read_coco
from devos.exchange.cvat import read_cvat
from devos.exchange.label_studio import is_label_studio, read_label_studio
from devos.exchange.labelme import is_labelme, read_labelme
from devos.exchange.napari import read_stack
from devos.exchange.object_pictures import is_objects, read_objects
from devos.exchange.youtube_vis import read_youtube_vis
from devos.frames import FrameSize
from devos.io.masks import GivenMasks, MaskSource, example_names, read_masks, resize_nearest
from devos.io.reader import VideoReader
from devos.io.videos import holds_several

ACCEPTED = ("COCO, YouTube-VIS or Label Studio JSON, CVAT's XML, a TIFF of labels, or a folder of PNGs, labelme files, "
            "a folder for each object, or the Cell Tracking Challenge's masks")  # fmt: skip


def read_given(path: str | Path, video: VideoReader, *, resize: bool = False, snap: bool = False,
               frame: int = 0) -> GivenMasks:  # fmt: skip
    """Masks of some frames of a video, from pictures (`read_masks`) or another tool's annotations.

    Annotations name their frames; frames on which nothing is marked are passed over. `resize`, `snap` and `frame` are
    those of `read_masks`. MaskError for what cannot be read, or is for no frame of the video.
    """
    path = Path(path)
    if not path.exists() or not is_annotations(path):
        return read_masks(path, video, resize=resize, snap=snap, frame=frame)
    found = read_annotations(path)
    sources: dict[int, MaskSource] = {}
    index_of = None if video.names is None else {name: index for index, name in enumerate(video.names)}
    for key in found:
        if not found.ids(key):
            continue
        index = _index(key, video, index_of)
        if index is None:
            raise MaskError(f"{path}: frame {key} is none of {video.path}; its frames are {example_names(video)}")
        if found.size(key) != video.size and not resize:
            raise MaskError(f"{path}: frame {key} is {found.size(key)}, but the video is {video.size}; annotate the "
                            "video's own frames, or fit the masks with --resize-masks")  # fmt: skip
        if index in sources:
            raise MaskError(f"{path}: two frames of it are frame {index} of {video.path}; keep one")
        sources[index] = MaskSource(path, partial(_load, found, key, video.size))
    if not sources:
        raise MaskError(f"{path}: marks no object on any frame")
    names = [f"object {object_id} is called {name} in {path.name}" for object_id, name in sorted(found.names.items())]
    return GivenMasks(sources, names)


def _load(found: Annotations, key: FrameKey, size: FrameSize) -> UInt16[np.ndarray, "h w"]:
    return resize_nearest(found[key], size)


def is_annotations(path: Path) -> bool:
    """Whether a file or folder holds another tool's annotations, by what it is, rather than mask pictures."""
    if path.is_dir():
        return is_labelme(path) or is_cells(path) or is_objects(path) or (path / "labels.tif").is_file()
    return path.suffix.lower() in (".json", ".xml") or (
        path.suffix.lower() in (".tif", ".tiff") and holds_several(path)
    )


def read_annotations(path: Path) -> Annotations:
    """Another tool's file or folder, of whatever format it is. MaskError if it is none that is read."""
    if path.is_dir():
        if is_cells(path):
            return read_cells(path)
        if (path / "labels.tif").is_file():
            return read_stack(path)
        return read_objects(path) if is_objects(path) else read_labelme(path)
    kind = path.suffix.lower()
    if kind == ".xml":
        return read_cvat(path)
    if kind == ".json":
        return _read_json(path)
    if kind in (".tif", ".tiff"):
        return read_stack(path)
    raise MaskError(f"{path}: no annotations that can be read; give {ACCEPTED}")


def _read_json(path: Path) -> Annotations:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except DAMAGE as error:
        raise MaskError(f"{path}: no JSON that can be read ({quoted(error)})") from error
    if is_label_studio(content):
        return read_label_studio(path)
    if isinstance(content, dict) and "videos" in content:
        return read_youtube_vis(path)
    if isinstance(content, dict) and "images" in content:
        return read_coco(path)
    raise MaskError(f"{path}: a JSON of no kind that is read; give {ACCEPTED}")


def _index(key: FrameKey, video: VideoReader, index_of: dict[str, int] | None) -> int | None:
    """The frame of a video that a name or a number means."""
    if isinstance(key, str) and index_of is not None:
        return index_of.get(key)
    number = _number(key)
    if number is None:
        return None
    beyond = video.num_frames_is_exact and video.num_frames is not None and number >= video.num_frames
    return None if beyond else number


def _number(key: FrameKey) -> int | None:
    if isinstance(key, int):
        return key
    digits = next(_last_digits(key), None)
    return None if digits is None else int(digits)


def _last_digits(key: str) -> Iterator[str]:
    """Of `00012`, and of `frame_000012`, as CVAT calls frames of a video."""
    place = len(key.rstrip("0123456789"))
    if place < len(key) and key.isascii():
        yield key[place:]
