"""Good files of every kind that devos reads, made here, and ones that lie: for `fuzz.py`."""

from __future__ import annotations

import base64
import dataclasses
import io
import json
import struct
import zipfile
import zlib
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

DEEP = b'{"a":' * 60_000 + b"1" + b"}" * 60_000


def png(width: int, height: int, mode: str = "L") -> bytes:
    rng = np.random.default_rng(width)
    file = io.BytesIO()
    pixels = (rng.random((height, width)) > 0.5).astype(np.uint8) if mode == "L" else \
        rng.integers(0, 255, (height, width, 3), np.uint8)  # fmt: skip
    Image.fromarray(pixels).save(file, format="PNG")
    return file.getvalue()


def lying_png(width: int, height: int, colour: int = 0) -> bytes:
    """A header that declares what is not there, with a right checksum."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    data = zlib.compress(bytes(1 << 20))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def video() -> bytes:
    import av

    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(12):
            pixels = np.full((48, 64, 3), 20 * number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    return file.getvalue()


def safetensors(header: object, rest: bytes = bytes(64)) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + rest


def weights() -> bytes:
    from devos.engine.segmenter import find_weights

    return find_weights("devos-t")[0].read_bytes()


def coco() -> bytes:
    images = [{"id": i, "file_name": f"{i}.png", "height": 48, "width": 64} for i in range(3)]
    annotations = [{"id": i, "image_id": i % 3, "iscrowd": 0,
                    "segmentation": [[4, 6, 20, 6, 20, 26]] if i % 2 else {"counts": [5, 3067], "size": [48, 64]}}
                   for i in range(6)]  # fmt: skip
    return json.dumps({"images": images, "annotations": annotations}).encode()


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(4):
            archive.writestr(f"{'ab'[number % 2] * 8}/{number:05d}.png", png(64, 48))
    return file.getvalue()


def checkpoint() -> bytes:
    import torch

    file = io.BytesIO()
    torch.save({"config": {}, "step": 3, "model": {"a": torch.zeros(9, 9)}}, file)
    return file.getvalue()


def film() -> bytes:
    pictures = [Image.fromarray(np.full((48, 64, 3), 60 * number, np.uint8)) for number in range(4)]
    file = io.BytesIO()
    pictures[0].save(file, format="TIFF", save_all=True, append_images=pictures[1:])
    return file.getvalue()


def cvat() -> bytes:
    images = "".join(
        f'<image id="{i}" name="{i:05d}.png" width="64" height="48"><mask label="a" rle="3, 4, 5" left="2" top="3" '
        f'width="4" height="3" z_order="0"><attribute name="id">{i + 1}</attribute></mask></image>'
        for i in range(3)
    )
    return f"<annotations><version>1.1</version>{images}</annotations>".encode()


def labelme() -> bytes:
    shapes = [{"label": "a", "points": [[4, 4], [20, 4], [20, 30]], "group_id": 2, "shape_type": "polygon"},
              {"label": "b", "points": [[8, 8]], "shape_type": "mask",
               "mask": base64.b64encode(png(8, 6)).decode()}]  # fmt: skip
    return json.dumps({"imageHeight": 48, "imageWidth": 64, "shapes": shapes}).encode()


@cache
def state() -> bytes:
    import devos

    session = devos.load(size=64, runtime="torch").session()
    frame, mask = np.zeros((48, 64, 3), np.uint8), np.zeros((48, 64), np.uint8)
    mask[8:30, 8:30] = 1
    session.step(frame, mask)
    session.step(frame)
    return session.state.to_bytes()


@cache
def project() -> bytes:
    """A whole project, of eight frames and two steps, as an archive."""
    import devos
    from devos.pipeline.segment import drained

    with TemporaryDirectory() as home:
        (Path(home) / "clip.mp4").write_bytes(video())
        mask = np.zeros((48, 64), np.uint8)
        mask[8:30, 8:30] = 1
        made = devos.Project.create(Path(home) / "out", Path(home) / "clip.mp4", size=64, runtime="torch")
        made.annotate(0, mask)
        drained(made.run())
        drained(made.correct({4: np.roll(mask, 6, 1)}, objects=[1]))
        return packed({path.relative_to(home).as_posix(): path.read_bytes()
                       for path in sorted(Path(home).rglob("*")) if path.is_file()})  # fmt: skip


def packed(files: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file.getvalue()


def unpacked(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def xml_bomb() -> bytes:
    entities = "".join(f'<!ENTITY e{i} "{f"&e{i - 1};" * 10 if i else "ha" * 50}">' for i in range(12))
    return f"<!DOCTYPE a [{entities}]><annotations>&e11;</annotations>".encode()


def exported(side: int = 64) -> bytes:
    images = [{"id": i, "file_name": f"{i:05d}.png", "height": 48, "width": side} for i in range(3)]
    annotations = [{"id": i, "image_id": i % 3, "track_id": 1 + i, "category_id": 1,
                    "segmentation": [[4, 6, 20, 6, 20, 26]] if i % 2 else {"counts": [5, 3067], "size": [48, 64]}}
                   for i in range(6)]  # fmt: skip
    return json.dumps({"images": images, "annotations": annotations, "categories": []}).encode()


def scores() -> bytes:
    """As `devos evaluate --json` prints them."""
    quality = {"J": {"mean": 0.8, "recall": 1.0}, "F": {"mean": 0.7}}
    sequences = {name: {"objects": {"1": quality, "2": quality}} for name in ("blackswan", "camel")}
    return json.dumps({"protocol": "davis2017", "sequences": sequences}).encode()


def curve() -> bytes:
    """What `devos figure curve` has scored so far."""
    jf = {"j": 0.8, "f": 0.7, "jf": 0.75}
    return json.dumps({"format": 1, "settings": {}, "roots": {}, "scores": {
        "0" * 64: {"dev": {**jf, "sequences": {"camel": 0.7}}}}}).encode()  # fmt: skip


def trained() -> bytes:
    """A finished run of an ablation."""
    from devos.experiments.results import Budget, Result

    budget = Budget(**{field.name: 1 for field in dataclasses.fields(Budget)})
    scores = {"dev": {"j": 0.5, "f": 0.5, "jf": 0.5}}
    known = {"variant": "full", "seed": 0, "budget": budget, "scores": scores, "minutes": 1.0}
    rest = {field.name: 0.5 for field in dataclasses.fields(Result) if field.name not in known}
    return json.dumps(dataclasses.asdict(Result(**known, **rest))).encode()


def meta() -> bytes:
    """The meta.json of a benchmark, of YouTube-VOS's kind."""
    objects = {
        "1": {"category": "dog", "frames": ["00000", "00001"]},
        "2": {"category": "cat", "frames": ["00001"], "frame_range": {"start": 0, "end": 3, "frame_nums": 4}},
    }
    return json.dumps({"videos": {"a": {"objects": objects, "length": 4}}}).encode()


def click_head() -> bytes:
    from devos.engine.click_models import shipped_head

    return shipped_head().read_bytes()


def archives() -> bytes:
    """A folder of training data as `devos data build` packs it."""
    from devos.data.packing.shards import MANIFEST, Member, manifest_of, write_shards

    with TemporaryDirectory() as home:
        mask = Path(home) / "mask.png"
        (Path(home) / "out").mkdir()
        mask.write_bytes(png(64, 48))
        shards = write_shards([Member("static/own/masks/0.png", mask)], Path(home) / "out", 1 << 20)
        files = {shard.file: (Path(home) / "out" / shard.file).read_bytes() for shard in shards}
        return packed({**files, MANIFEST: json.dumps(manifest_of(shards, {"videos": 0})).encode()})


def brush() -> bytes:
    return json.dumps({"kind": "brush", "frame": 3, "object": 1, "points": [[3, 4], [20.5, 30]], "radius": 5}).encode()


def renamed(name: bytes) -> bytes:
    """A project that says that its frames are called otherwise."""
    return packed({place: content.replace(b'"00004"', b'"' + name + b'"') for place, content in
                   unpacked(project()).items()})  # fmt: skip


def lying_video(frames: int) -> bytes:
    """A good one whose tables declare so many frames."""
    data = bytearray(video())
    for mark in (b"stsz", b"stts"):
        at = data.find(mark)
        data[at + 12 : at + 16] = struct.pack(">I", frames)
    return bytes(data)


def bomb_zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("aaaaaaaa/00000.png", bytes(1 << 28))
        archive.writestr("../../etc/passwd.png", b"x")
    return file.getvalue()
