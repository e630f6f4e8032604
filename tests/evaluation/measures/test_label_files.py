from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from devos.data import catalog
from devos.data.catalog import read_labels
from devos.errors import MaskError
from devos.evaluation.measures import label_files
from devos.evaluation.measures.label_files import read_label_file


def labels_of(seed: int, highest: int, size: tuple[int, int] = (37, 53)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, highest + 1, size)


def save(path: Path, labels: np.ndarray, mode: str) -> Path:
    if mode == "palette":
        picture = Image.fromarray(labels.astype(np.uint8))
        picture.putpalette(
            [value for entry in range(256) for value in (entry, (255 - entry) * (entry > 0), 7 * (entry > 0))]
        )
    elif mode == "16 bits":
        picture = Image.fromarray(labels.astype(np.uint16))
    else:
        picture = Image.fromarray(labels.astype(np.uint8))
    picture.save(path, **({"bits": 2} if mode == "2 bits" else {}))
    return path


@pytest.fixture
def any_values(monkeypatch: pytest.MonkeyPatch) -> None:
    """Noise is read too: what is looked at is how it is decoded."""
    for module in (label_files, catalog):
        monkeypatch.setattr(module, "refuse_unclear", lambda path, labels, is_palette: None)


@pytest.fixture
def no_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    """The quick way or none."""

    def refuse(path: Path, data: bytes) -> None:
        raise AssertionError(f"{path} went to Pillow")

    monkeypatch.setattr(label_files, "decode_labels", refuse)


@pytest.mark.parametrize(("mode", "highest"), [("palette", 255), ("grey", 255), ("16 bits", 40000)])
def test_values_are_read_exactly_whatever_was_read_before(tmp_path, mode, highest, any_values):
    # A second picture of the same size matters: a decoder that took it for a difference from the first gave their sum.
    maps = [labels_of(seed, highest) for seed in range(3)]
    paths = [save(tmp_path / f"{index}.png", labels, mode) for index, labels in enumerate(maps)]
    held = [read_label_file(path) for path in paths]
    for labels, path, read in zip(maps, paths, held, strict=True):
        np.testing.assert_array_equal(read, labels)
        np.testing.assert_array_equal(read, read_labels(path))


@pytest.mark.parametrize("mode", ["palette", "grey"])
def test_common_masks_take_the_quick_way(tmp_path, mode, no_pillow):
    labels = labels_of(0, 9)
    np.testing.assert_array_equal(read_label_file(save(tmp_path / "mask.png", labels, mode)), labels)


def test_a_file_of_one_bit_a_pixel_is_read_as_pillow_reads_it(tmp_path):
    path = tmp_path / "mask.png"
    Image.fromarray(labels_of(0, 1).astype(bool)).save(path)
    np.testing.assert_array_equal(read_label_file(path), read_labels(path))


def test_rows_with_every_filter_are_undone(any_values, tmp_path, no_pillow):
    labels = np.cumsum(labels_of(1, 3, (40, 64)), axis=1).astype(np.uint8)
    rows, previous = [], np.zeros(64, int)
    for index, row in enumerate(labels.astype(int)):
        left, corner = np.r_[0, row[:-1]], np.r_[0, previous[:-1]]
        guess = left + previous - corner
        nearest = np.argmin([abs(guess - left), abs(guess - previous), abs(guess - corner)], axis=0)
        predicted = [np.zeros(64, int), left, previous, (left + previous) // 2]
        predicted.append(np.choose(nearest, [left, previous, corner]))
        rows.append(bytes([index % 5]) + ((row - predicted[index % 5]) % 256).astype(np.uint8).tobytes())
        previous = row
    path = tmp_path / "mask.png"
    header = struct.pack(">IIBBBBB", 64, 40, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"".join(rows))), (b"IEND", b"")]
    body = (struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(body))
    np.testing.assert_array_equal(read_label_file(path), labels)


@pytest.mark.parametrize("damage", ["cut", "empty", "missing"])
def test_a_damaged_file_is_an_error_that_names_it(tmp_path, damage):
    path = save(tmp_path / "mask.png", labels_of(2, 9), "palette")
    data = path.read_bytes()
    path.write_bytes({"cut": data[:-60], "empty": b""}.get(damage, data))
    if damage == "missing":
        path.unlink()
    with pytest.raises(MaskError, match=r"mask\.png cannot be read as a mask"):
        read_label_file(path)


def test_a_colour_picture_is_refused(tmp_path):
    path = tmp_path / "mask.png"
    Image.fromarray(np.zeros((4, 5, 3), np.uint8)).save(path)
    with pytest.raises(MaskError, match="is a colour picture"):
        read_label_file(path)
