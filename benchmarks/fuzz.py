"""Spoilt files through every door: what is not read must be told in one line, soon, and without taking the memory.

    python benchmarks/fuzz.py                        # 1,000 cases, of all doors
    python benchmarks/fuzz.py --door weights -n 200 --seed 7
    python benchmarks/fuzz.py --case weights:7:31    # one of them again, with its traceback

A case is its door, a seed and a number, and is the same each time. The good file of each door is made here, spoilt in
a way that chance chooses (bytes flipped, cut, lengthened, moved, headers that lie), or is a bomb that somebody thought
of. Cases run in a process of their own, many in each; a case that ends it, or takes more than `SECONDS` or `MB`, is
found too.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import multiprocessing
import random
import resource
import struct
import sys
import tempfile
import time
import traceback
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from devos.errors import DevosError

LONGEST = 1500
"""Characters of an error."""
SECONDS, MB = 20.0, 1000.0
"""What a case may take, memory beyond what its process had before."""


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

    for read in (read_labels, read_label_file, read_mask_picture):
        with contextlib.suppress(DevosError):
            read(path)
    with contextlib.suppress(UnfitMaskError):
        read_png(path.read_bytes())


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


DEEP = b'{"a":' * 60_000 + b"1" + b"}" * 60_000
DOORS: dict[str, tuple[str, Callable[[Path], None], Callable[[], bytes], list[Callable[[], bytes]]]] = {
    "video": ("clip.mp4", read_video, video, [
        lambda: b"", lambda: lying_video(10**9), lambda: lying_png(60_000, 60_000),
    ]),
    "mask": ("mask.png", read_mask, lambda: png(64, 48), [
        lambda: b"", lambda: lying_png(60_000, 60_000), lambda: lying_png(2**31 - 1, 2**31 - 1),
        lambda: lying_png(0, 5), lambda: lying_png(16_000, 16_000, 3), lambda: png(64, 48)[:30],
    ]),
    "picture": ("picture.png", read_picture, lambda: png(64, 48, "RGB"), [
        lambda: b"", lambda: lying_png(60_000, 60_000, 2), lambda: lying_png(2**31 - 1, 1, 2),
    ]),
    "weights": ("w.safetensors", read_weights, weights, [
        lambda: b"", lambda: struct.pack("<Q", 2**63), lambda: struct.pack("<Q", 2**40) + b"{}",
        lambda: safetensors({"a": {"dtype": "F32", "shape": [2**40, 2**40], "data_offsets": [0, 64]}}),
        lambda: safetensors({"a": {"dtype": "F32", "shape": [4, 4], "data_offsets": [0, 2**62]}}),
        lambda: safetensors({"__metadata__": {"devos": "[" * 90_000}}), lambda: safetensors(DEEP),
        lambda: safetensors({"__metadata__": {"devos": json.dumps({"format": 1, "config": [], "info": {}})}}),
        lambda: safetensors({"__metadata__": {"devos": "5"}}),
    ]),
    "coco": ("instances.json", read_coco, coco, [
        lambda: b"", lambda: DEEP, lambda: b"[" * 10**6, lambda: b"\xff\xfe{}",
    ]),
    "zip": ("masks.zip", read_zip, zipped, [lambda: b"", lambda: bomb_zip(), lambda: b"PK\x05\x06" + bytes(18)]),
    "checkpoint": ("checkpoint.pt", read_checkpoint, checkpoint, [lambda: b"", lambda: b"\x80\x05cos\nsystem\n."]),
    "run": ("run.json", read_run, lambda: b'{"format": 1, "job": {"method": "model", "protocol": null}}', [
        lambda: b"", lambda: DEEP, lambda: b"[]", lambda: b'{"job": 5, "format": 1}', lambda: b"\xff",
    ]),
}  # fmt: skip
"""For each door the name of its file, what opens it, a good file, and bombs."""


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


def spoil(data: bytes, rng: random.Random) -> bytes:
    """Something that disks, networks and programs do to files."""
    spoilt = bytearray(data)
    near_start = rng.random() < 0.5  # where the headers are
    reach = min(len(spoilt), 400) if near_start else len(spoilt)
    for _ in range(rng.choice([1, 1, 2, 5, 40])):
        at, what = rng.randrange(max(1, reach)), rng.randrange(6)
        if what == 0:
            spoilt[at : at + 1] = bytes([rng.randrange(256)])
        elif what == 1:
            del spoilt[at : at + rng.choice([1, 4, 100, 10**9])]
        elif what == 2:
            spoilt[at:at] = rng.randbytes(rng.choice([1, 4, 1000]))
        elif what == 3:
            spoilt[at : at + 4] = struct.pack(rng.choice("<>") + "I", rng.choice([0, 1, 2**16, 2**31 - 1, 2**32 - 1]))
        elif what == 4:
            spoilt[at : at + 8] = bytes(8)
        else:
            piece = spoilt[at : at + 64]
            other = rng.randrange(max(1, len(spoilt)))
            spoilt[other : other + len(piece)] = piece
        reach = max(1, min(reach, len(spoilt)))
    return bytes(spoilt)


def make(door: str, seed: int, number: int) -> bytes:
    _, _, good, bombs = DOORS[door]
    if number < len(bombs):
        return bombs[number]()
    return spoil(good(), random.Random(f"{door}:{seed}:{number}"))


def try_one(door: str, data: bytes) -> str:
    """`read`, `refused`, or the traceback of what must not be."""
    name, opened, _, _ = DOORS[door]
    with tempfile.TemporaryDirectory(prefix="devos-fuzz-") as home:
        path = Path(home) / "in" / name
        path.parent.mkdir()
        path.write_bytes(data)
        found = "read"
        try:
            opened(path)
        except DevosError as error:
            long = "Traceback" in str(error) or len(str(error)) > LONGEST
            found = f"not a line for people: {str(error)[:300]!r}" if long else "refused"
        except Exception:
            found = traceback.format_exc()
        strays = [entry.name for entry in Path(home).iterdir() if entry.name != "in"]
    return f"wrote {strays}" if strays else found


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def work(door: str, seed: int, numbers: list[int], results: Any) -> None:
    """In a process of its own: a result for each case, with its seconds and the memory that it took."""
    try_one(door, DOORS[door][2]())  # what a good file takes is normal
    for number in numbers:
        data, before, begun = make(door, seed, number), peak_mb(), time.monotonic()
        results.put((number, "begun", 0.0, 0.0))
        results.put((number, try_one(door, data), time.monotonic() - begun, peak_mb() - before))
    results.put(None)


def run_door(door: str, seed: int, numbers: list[int]) -> tuple[dict[str, int], list[str]]:
    """How many were read and refused; and what must not be, a text for each case."""
    counts, bad, left = {"read": 0, "refused": 0}, [], list(numbers)
    context = multiprocessing.get_context("spawn")
    while left:
        results = context.Queue()
        process = context.Process(target=work, args=(door, seed, left, results), daemon=True)
        process.start()
        current, patience = None, 120.0
        while True:
            try:
                got = results.get(timeout=patience)
            except Exception:
                why = "hung" if process.is_alive() else f"ended the process ({process.exitcode})"
                bad.append(f"{door}:{seed}:{current}: {why}")
                left = left[left.index(current) + 1 :] if current in left else []
                process.kill()
                break
            if got is None:
                left = []
                break
            number, what, seconds, mb = got
            if what == "begun":
                current, patience = number, 3 * SECONDS
                continue
            counts[what] = counts.get(what, 0) + 1 if what in counts else counts.get(what, 0)
            if what not in ("read", "refused"):
                bad.append(f"{door}:{seed}:{number}: {what}")
            if seconds > SECONDS or mb > MB:
                bad.append(f"{door}:{seed}:{number}: {seconds:.0f} s, {mb:.0f} MB")
        process.join(10)
    return counts, bad


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--door", choices=list(DOORS), action="append", help="only this; may be repeated")
    parser.add_argument("-n", type=int, default=1000, help="cases in all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--case", help="DOOR:SEED:NUMBER, one of them again")
    given = parser.parse_args()
    if given.case:
        door, seed, number = given.case.split(":")
        print(try_one(door, make(door, int(seed), int(number))))
        return 0
    doors = given.door or list(DOORS)
    all_bad: list[str] = []
    print("| door | tried | read | refused in a line | wrong |\n| --- | --- | --- | --- | --- |")
    for door in doors:
        numbers = list(range(-(-given.n // len(doors))))
        counts, bad = run_door(door, given.seed, numbers)
        all_bad += bad
        print(f"| {door} | {len(numbers)} | {counts['read']} | {counts['refused']} | {len(bad)} |", flush=True)
    print("\n".join(all_bad), file=sys.stderr)
    return 1 if all_bad else 0


if __name__ == "__main__":
    sys.exit(main())
