"""The doors through which files from strangers come in, for `fuzz.py`: what opens each, a good file, and bombs."""

from __future__ import annotations

import base64
import contextlib
import json
import struct
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from samples import (
    DEEP,
    archives,
    bomb_zip,
    brush,
    checkpoint,
    click_head,
    coco,
    curve,
    cvat,
    exported,
    film,
    labelme,
    lying_png,
    lying_video,
    meta,
    packed,
    png,
    project,
    renamed,
    safetensors,
    scores,
    state,
    trained,
    unpacked,
    video,
    weights,
    xml_bomb,
    zipped,
)

from devos.errors import DevosError

# --- doors: each takes a file that may be anything ---


def read_video(path: Path) -> None:
    from devos.io import open_video

    with open_video(path) as reader:
        for number, _ in enumerate(reader):
            if number > 200:
                break


def read_mask(path: Path) -> None:
    from devos.data.catalog import read_labels
    from devos.evaluation.measures.label_files import read_label_file
    from devos.evaluation.submission.masks import UnfitMaskError, read_png
    from devos.io.mask_pictures import read_mask_picture

    refused: DevosError | None = None
    for read in (read_labels, read_label_file, read_mask_picture):
        try:
            read(path)
        except DevosError as error:
            refused = error
    with contextlib.suppress(UnfitMaskError):
        read_png(path.read_bytes())
    if refused:
        raise refused


def read_picture(path: Path) -> None:
    from devos.data.catalog import read_picture as read

    read(path)


def read_weights(path: Path) -> None:
    from devos.model.checkpoint import load_weights

    load_weights(path)


def read_coco(path: Path) -> None:
    from devos.data.sources import Place, open_source

    home = path.parent
    (home / "val2017").mkdir(exist_ok=True)
    for number in range(3):
        (home / "val2017" / f"{number}.png").write_bytes(png(64, 48, "RGB"))
    path.replace(home / "instances_val2017.json")
    open_source("photos", [Place("coco", home)])


def read_zip(path: Path) -> None:
    from devos.evaluation.submission.check import check_submission

    check_submission(path)


def read_checkpoint(path: Path) -> None:
    from devos.training.checkpoints import load_checkpoint

    load_checkpoint(path)


def read_run(path: Path) -> None:
    from devos.evaluation.job import read_job

    read_job(path)


def read_film(path: Path) -> None:
    from devos.io import open_video

    with open_video(path) as reader:
        for _ in reader:
            pass


def read_annotations(path: Path) -> None:
    """What `devos convert FILE --to png` does, the labels written too."""
    from devos.pipeline.convert import import_masks

    import_masks(path.parent if path.parent.name == "labelme" else path, path.parent / "masks")


def read_state(path: Path) -> None:
    from devos.engine.states import State

    State.load(path)


def read_manifest(path: Path) -> None:
    from devos.pipeline.manifest import check_apart, read_batch

    for name in ("a.mp4", "a.png"):
        (path.parent / name).touch()
    check_apart(read_batch(path)[0], path.parent / "out")


def read_message(path: Path) -> None:
    """What the page of the app may send, and what a stroke of it makes of a mask."""
    from pydantic import TypeAdapter, ValidationError

    from devos.app import messages
    from devos.app.strokes import drawn

    try:
        edit = TypeAdapter(messages.Edit).validate_json(path.read_bytes())
    except ValidationError:
        return
    if isinstance(edit, messages.Brush | messages.Polygon | messages.Fill):
        drawn(np.zeros((48, 64), bool), edit)


def read_report(path: Path) -> None:
    """What `devos figure table --scores FILE` does."""
    from devos.evaluation.figures.published import Benchmark, read_scores, score_table

    score_table(Benchmark.DAVIS2017, [read_scores(path)])


def read_curve(path: Path) -> None:
    from devos.experiments.curve import Record

    record = Record(path, {}, {})
    record.use({})


def read_trained(path: Path) -> None:
    """A run that an ablation finds finished, and its table."""
    from devos.experiments.ablations import DIFFERENCE, ROWS
    from devos.experiments.results import read_results, table

    home = path.parent / "full" / "seed0"
    home.mkdir(parents=True)
    path.replace(home / path.name)
    table(read_results(path.parent), ROWS, DIFFERENCE)


def read_meta(path: Path) -> None:
    """All three that read a meta.json: scores, submissions and training."""
    from devos.data.sources import Place, open_source
    from devos.evaluation.rules.meta import categories
    from devos.evaluation.rules.meta import read_meta as read
    from devos.evaluation.submission.rules import Dataset, read_benchmark

    root = path.parent
    for number in range(4):
        for home, mode in (("JPEGImages", "RGB"), ("Annotations", "L")):
            picture = root / home / "a" / f"{number:05d}.png"
            picture.parent.mkdir(parents=True, exist_ok=True)
            picture.write_bytes(png(64, 48, mode))
    doings: list[Callable[[], Any]] = [
        lambda: categories(read(path)), lambda: read_benchmark(Dataset.YOUTUBE, root),
        lambda: open_source("videos", [Place("youtube-vos", root)]),
    ]  # fmt: skip
    _all(doings)


def read_clicks(path: Path) -> None:
    from devos.engine.click_models import load_marker

    load_marker(path, device="cpu")


def read_archives(path: Path) -> None:
    from devos.data.packing.shards import unpacked as unpacked_archives

    for name, content in unpacked(path.read_bytes()).items():
        file = path.parent / "data" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    unpacked_archives(path.parent / "data")


def _all(doings: Sequence[Callable[[], Any]]) -> None:
    """One after the other, whatever the one before refused; the last refusal."""
    refused: DevosError | None = None
    for do in doings:
        try:
            do()
        except DevosError as error:
            refused = error
    if refused:
        raise refused


@cache
def _segmenter() -> Any:
    import devos

    return devos.load(size=64, runtime="torch")


def read_project(path: Path) -> None:
    """Everything that may be done with a project that somebody sent."""
    import devos
    from devos.pipeline.segment import drained
    from devos.pipeline.status import describe, status_of

    for name, content in unpacked(path.read_bytes()).items():
        file = path.parent / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    out, clip = path.parent / "out", path.parent / "clip.mp4"
    mask = np.zeros((48, 64), np.uint8)
    mask[8:30, 20:44] = 1

    def opened() -> Any:
        return devos.Project.open(out, video=clip, model=_segmenter())

    doings: list[Callable[[], Any]] = [
        lambda: describe(status_of(opened())), lambda: [labels.sum() for labels in opened().masks.values()],
        lambda: opened().undo(), lambda: opened().redo(), lambda: drained(opened().run()),
        lambda: drained(opened().correct({6: mask}, objects=[1])), lambda: opened().remove([1], 7),
        lambda: opened().undo(),
    ]  # fmt: skip
    _all(doings)


class Door(NamedTuple):
    """A way in."""

    file: str
    """What the file is called."""
    open: Callable[[Path], None]
    good: Callable[[], bytes]
    bombs: Sequence[Callable[[], bytes]] = ()
    """What somebody thought of; the first cases."""
    kind: str = "bytes"
    """json: its values are spoilt as well as its bytes; folder: one file of an archive is spoilt."""


DOORS: dict[str, Door] = {
    "video": Door("clip.mp4", read_video, video, [
        lambda: b"", lambda: lying_video(10**9), lambda: lying_png(60_000, 60_000),
    ]),
    "mask": Door("mask.png", read_mask, lambda: png(64, 48), [
        lambda: b"", lambda: lying_png(60_000, 60_000), lambda: lying_png(2**31 - 1, 2**31 - 1),
        lambda: lying_png(0, 5), lambda: lying_png(16_000, 16_000, 3), lambda: png(64, 48)[:30],
    ]),
    "picture": Door("picture.png", read_picture, lambda: png(64, 48, "RGB"), [
        lambda: b"", lambda: lying_png(60_000, 60_000, 2), lambda: lying_png(2**31 - 1, 1, 2),
    ]),
    "weights": Door("w.safetensors", read_weights, weights, [
        lambda: b"", lambda: struct.pack("<Q", 2**63), lambda: struct.pack("<Q", 2**40) + b"{}",
        lambda: safetensors({"a": {"dtype": "F32", "shape": [2**40, 2**40], "data_offsets": [0, 64]}}),
        lambda: safetensors({"a": {"dtype": "F32", "shape": [4, 4], "data_offsets": [0, 2**62]}}),
        lambda: safetensors({"__metadata__": {"devos": "[" * 90_000}}), lambda: safetensors(DEEP),
        lambda: safetensors({"__metadata__": {"devos": json.dumps({"format": 1, "config": [], "info": {}})}}),
        lambda: safetensors({"__metadata__": {"devos": "5"}}),
    ]),
    "coco": Door("instances.json", read_coco, coco, [
        lambda: b"", lambda: DEEP, lambda: b"[" * 10**6, lambda: b"\xff\xfe{}",
    ], "json"),
    "zip": Door("masks.zip", read_zip, zipped, [lambda: b"", lambda: bomb_zip(), lambda: b"PK\x05\x06" + bytes(18)]),
    "checkpoint": Door("checkpoint.pt", read_checkpoint, checkpoint, [lambda: b"", lambda: b"\x80\x05cos\nsystem\n."]),
    "run": Door("run.json", read_run, lambda: b'{"format": 1, "job": {"method": "model", "protocol": null}}', [
        lambda: b"", lambda: DEEP, lambda: b"[]", lambda: b'{"job": 5, "format": 1}', lambda: b"\xff",
    ], "json"),
    "film": Door("film.tif", read_film, film, [
        lambda: b"", lambda: b"II*\0" + struct.pack("<I", 2**31), lambda: b"II*\0\x08\0\0\0" + bytes(20),
    ]),
    "annotations": Door("annotations.json", read_annotations, exported, [
        lambda: DEEP, lambda: b"[]", lambda: exported(60_000), lambda: exported(2**31), lambda: exported(-5),
    ], "json"),
    "cvat": Door("annotations.xml", read_annotations, cvat, [
        xml_bomb, lambda: cvat().replace(b'"64"', b'"60000"').replace(b'"48"', b'"60000"'),
        lambda: cvat().replace(b'"4"', b'"4000000000"'), lambda: cvat().replace(b"00001", b"../../../stray"),
        lambda: b"<a>" * 100_000,
    ]),
    "labelme": Door("labelme/00000.json", read_annotations, labelme, [
        lambda: DEEP, lambda: labelme().replace(b"48", b"60000").replace(b"64", b"60000"),
        lambda: json.dumps({"imageHeight": 48, "imageWidth": 64, "shapes": [{"points": [[0, 0]], "shape_type": "mask",
                            "mask": base64.b64encode(lying_png(60_000, 60_000)).decode()}]}).encode(),
    ], "json"),
    "state": Door("state.safetensors", read_state, state, [
        lambda: b"", lambda: struct.pack("<Q", 2**63), lambda: safetensors({"__metadata__": {"devos": "[" * 90_000}}),
        lambda: safetensors({"__metadata__": {"devos": '{"format": "devos state 1", "shape": 5, "turned": 7}'}}),
    ]),
    "manifest": Door("list.csv", read_manifest, lambda: b"video,masks,size\na.mp4,a.png,64\na.mp4,a.png,96\n", [
        lambda: b"", lambda: b"video,masks\n" + b'"' * 10**6, lambda: b"\xff\xfe\0",
        lambda: b"video,masks,name\na.mp4,a.png,../../stray\n", lambda: b"video," * 10**5,
    ]),
    "message": Door("message.json", read_message, brush, [lambda: DEEP, lambda: b"null"], "json"),
    "report": Door("scores.json", read_report, scores, [
        lambda: b"", lambda: DEEP, lambda: b"[]", lambda: b'{"protocol": "davis2017", "sequences": {}}',
    ], "json"),
    "curve": Door("curve.json", read_curve, curve, [lambda: b"", lambda: DEEP, lambda: b"[]"], "json"),
    "trained": Door("result.json", read_trained, trained, [lambda: b"", lambda: DEEP, lambda: b"[]"], "json"),
    "meta": Door("meta.json", read_meta, meta, [
        lambda: b"", lambda: DEEP, lambda: b"[]", lambda: b'{"videos": 5}', lambda: b'{"videos": {"../../stray": {}}}',
    ], "json"),
    "clicks": Door("clicks.safetensors", read_clicks, click_head, [
        lambda: b"", lambda: struct.pack("<Q", 2**63), lambda: safetensors({"__metadata__": {"devos": "[" * 90_000}}),
        lambda: safetensors({"__metadata__": {"devos": "5"}}), lambda: safetensors(DEEP),
    ]),
    "archives": Door("data.zip", read_archives, archives, [
        lambda: packed({**unpacked(archives()), "manifest.json": DEEP}),
        lambda: packed({**unpacked(archives()), "manifest.json": b"[]"}),
    ], "folder"),
    "project": Door("project.zip", read_project, project, [
        lambda: packed({**unpacked(project()), "out/project/project.json": DEEP}),
        lambda: packed({**unpacked(project()), "out/project/history/head.json": b'{"steps": 1000000000}'}),
        lambda: packed({**unpacked(project()), "out/project/history/head.json": b'{"steps": -3, "came_from": 5}'}),
        lambda: packed({**unpacked(project()), "out/masks/00003.png": lying_png(60_000, 60_000)}),
        lambda: renamed(b"../../../../stray"), lambda: renamed(b"/tmp/devos-stray"),
    ], "folder"),
}  # fmt: skip
"""For each door the name of its file, what opens it, a good file, and bombs."""
