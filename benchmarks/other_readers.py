"""Files that devos writes, read by programs of others: how many masks are equal, and at how many pixels they are not.

    python benchmarks/other_readers.py write OUT       # where devos is: a film of 12 frames in every format
    pip install datumaro labelme label-studio-converter trackeval pycocotools      # in an environment of its own
    python benchmarks/other_readers.py read OUT        # there; a reader that is not installed is left out with a word

The film has two objects, one with a hole, which touch, fall into parts, go away and come back.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

Masks = dict[tuple[int, int], np.ndarray]
"""By frame and object; bool, h w."""
HEIGHT, WIDTH, NUM_FRAMES = 60, 90, 12


def labels_at(index: int) -> np.ndarray:
    """7 with a hole, 300 in two parts; one is away from frame 4 to 6, both are on frame 9."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    labels = np.zeros((HEIGHT, WIDTH), np.uint16)
    if index != 9:
        far = np.hypot(x - 24 - index, y - 26)
        labels[(far < 15) & (far > 4)] = 7
    if index not in (4, 5, 6, 9):
        labels[(abs(x - 60 + index) < 9) & (abs(y - 30) < 12) & (labels == 0)] = 300
        labels[50:52, 80 - index : 88 - index] = 300
    return labels


def write(out: Path) -> None:
    """The film in every format of masks."""
    from fractions import Fraction

    from PIL import Image

    from devos.exchange.registry import FORMATS
    from devos.exchange.writers import Shot, VideoInfo
    from devos.frames import Frame, FrameSize, MaskFrame, ObjectScore

    info = VideoInfo("film", FrameSize(HEIGHT, WIDTH), NUM_FRAMES, Fraction(25), names={7: "swan"})
    scores = (ObjectScore(7, 0.9, 0.8), ObjectScore(300, 0.7, 0.6))
    for name in ("coco", "youtube-vis", "cvat", "cvat-video", "label-studio", "labelme", "mots", "burst"):
        with FORMATS[name].open(out / FORMATS[name].place, info) as writer:
            for index in range(NUM_FRAMES):
                rgb = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
                masks = MaskFrame(index, index / 25, f"f{index:03d}", labels_at(index), scores)
                writer.write(Shot(masks, Frame(index, index / 25, f"f{index:03d}", rgb), {7: "swan"}))
        print(name, FORMATS[name].place)
    (out / "images").mkdir(exist_ok=True)  # where datumaro looks for the pictures that CVAT's file names
    for index in range(NUM_FRAMES):
        Image.new("RGB", (WIDTH, HEIGHT)).save(out / "images" / f"f{index:03d}.jpg")


# --- each reader: the folder of exports to the masks that it sees ---


def by_datumaro(path: Path, kind: str) -> Masks:
    """CVAT's format as the library reads it that CVAT itself converts with."""
    from datumaro.components.annotation import AnnotationType
    from datumaro.components.dataset import Dataset
    from datumaro.plugins.data_formats.cvat.base import CvatBase

    found: Masks = {}
    for number, item in enumerate(Dataset.from_extractors(CvatBase(str(path)))):
        index = int(item.attributes.get("frame", number)) if kind == "video" else int(item.id.rpartition("f")[2])
        for one in item.annotations:
            key = index, int(one.attributes["id"])
            whole = found.setdefault(key, np.zeros((HEIGHT, WIDTH), bool))
            if one.type == AnnotationType.mask:
                whole |= np.asarray(one.image) > 0
            elif one.type == AnnotationType.polygon:
                whole |= filled(one.points)
    return found


def filled(points: list[float]) -> np.ndarray:
    """A polygon as pycocotools draws it."""
    from pycocotools import mask

    return np.asarray(mask.decode(mask.merge(mask.frPyObjects([list(points)], HEIGHT, WIDTH)))) > 0


def by_trackeval(path: Path) -> Masks:
    """YouTube-VIS as TrackEval reads it for its measures; what it takes as truth."""
    import tempfile

    from pycocotools import mask
    from trackeval.datasets import YouTubeVIS

    with tempfile.TemporaryDirectory() as home:
        truth = Path(home) / "gt" / "youtube_vis_train_sub_split"
        results = Path(home) / "trackers" / "youtube_vis_train_sub_split" / "devos" / "data"
        for folder in (truth, results):
            folder.mkdir(parents=True)
        (truth / "film.json").write_text(path.read_text())
        (results / "film.json").write_text(json.dumps(json.loads(path.read_text())["annotations"]))
        data = YouTubeVIS({"GT_FOLDER": f"{home}/gt/", "TRACKERS_FOLDER": f"{home}/trackers/", "PRINT_CONFIG": False})
        raw = data._load_raw_file("devos", "film", is_gt=True)
    return {(index, int(number)): np.asarray(mask.decode(one)) > 0
            for index, (numbers, ones) in enumerate(zip(raw["gt_ids"], raw["gt_dets"], strict=True))
            for number, one in zip(numbers, ones, strict=True)}  # fmt: skip


def by_labelme(path: Path) -> Masks:
    """Each file by labelme's own class, its masks put where its `shapes_to_label` puts them."""
    from labelme._label_file import _load_shape_json_obj
    from labelme.utils import shapes_to_label

    found: Masks = {}
    for file in sorted(path.glob("*.json")):
        content = json.loads(file.read_text())
        shapes = [_load_shape_json_obj(one) for one in content["shapes"]]
        for shape in shapes:
            size = content["imageHeight"], content["imageWidth"]
            _, instances = shapes_to_label(size, [shape], {shape["label"]: 1})
            found[int(file.stem[1:]), int(shape["group_id"])] = instances > 0
    return found


def by_label_studio(path: Path) -> Masks:
    """The brush's run lengths by Label Studio's own converter."""
    from label_studio_converter.brush import decode_rle

    found: Masks = {}
    for index, task in enumerate(json.loads(path.read_text())):
        for one in (*task.get("annotations", []), *task.get("predictions", [])):
            for region in one["result"]:
                rgba = decode_rle(region["value"]["rle"])
                alpha = np.reshape(rgba, (region["original_height"], region["original_width"], 4))[..., 3]
                found[index, int(region["id"].rpartition("-")[2])] = alpha > 0
    return found


def by_pycocotools(path: Path) -> Masks:
    """COCO's own library."""
    from pycocotools.coco import COCO

    with contextlib.redirect_stdout(io.StringIO()):
        data = COCO(str(path))
    order = {image: index for index, image in enumerate(sorted(data.imgs))}
    return {(order[one["image_id"]], one["track_id"]): data.annToMask(one) > 0 for one in data.anns.values()}


READERS: dict[str, tuple[str, str, Callable[[Path], Any]]] = {
    "coco": ("pycocotools", "coco.json", by_pycocotools),
    "youtube-vis": ("trackeval", "youtube_vis.json", by_trackeval),
    "cvat": ("datumaro", "cvat.xml", lambda path: by_datumaro(path, "images")),
    "cvat-video": ("datumaro", "cvat_video.xml", lambda path: by_datumaro(path, "video")),
    "labelme": ("labelme", "labelme", by_labelme),
    "label-studio": ("label-studio-converter", "label_studio.json", by_label_studio),
}


def read(out: Path) -> int:
    """A line for each format; how many were not equal."""
    truth = {(index, int(number)): labels_at(index) == number
             for index in range(NUM_FRAMES) for number in np.unique(labels_at(index)) if number}  # fmt: skip
    unlike = 0
    for name, (package, place, reader) in READERS.items():
        try:
            version = metadata.version(package)
        except metadata.PackageNotFoundError:
            print(f"{name}: {package} is not installed", flush=True)
            continue
        seen = reader(out / place)
        missing, more = truth.keys() - seen.keys(), seen.keys() - truth.keys()
        off = [int((seen[key] != truth[key]).sum()) for key in truth.keys() & seen.keys()]
        unlike += len(missing) + len(more) + sum(map(bool, off))
        print(f"{name}: {package} {version}: {sum(not one for one in off)} of {len(truth)} masks equal, at most "
              f"{max(off, default=0)} pixels off; {len(missing)} missing, {len(more)} more", flush=True)  # fmt: skip
    return unlike


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("write", "read"))
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    if given.what == "write":
        write(given.out)
    else:
        sys.exit(1 if read(given.out) else 0)
