"""The same masks, through every door: what `segment` refuses, training leaves out, and scores and zips do not use."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from devos.data.catalog import find_masks, is_one_off, read_labels
from devos.data.findings import Kind
from devos.data.sources import Place, open_source
from devos.errors import DevosError, ListedError, MaskError, SoftEdgesError
from devos.evaluation.benchmark import evaluate
from devos.evaluation.measures.label_files import read_label_file
from devos.evaluation.predictors import SavedMasks
from devos.evaluation.rules.protocols import Protocol
from devos.evaluation.submission.masks import SOFT, Expected, Findings, check_mask, read_png
from devos.io import open_video, read_masks

SIZE = (36, 48)


def hard(value: int = 255, shift: int = 0) -> np.ndarray:
    labels = np.zeros(SIZE, np.uint8)
    labels[8:28, 8 + shift : 30 + shift] = value
    return labels


def soft(value: int = 255) -> np.ndarray:
    return np.round(cv2.GaussianBlur(hard().astype(np.float32) / 255, (5, 5), 0) * value).astype(np.uint8)


def blurred() -> np.ndarray:
    """So soft that no pixel is the object for certain."""
    wide = np.zeros((120, 160), np.float32)
    wide[40:80, 60:100] = 255
    return cv2.resize(np.round(cv2.GaussianBlur(wide, (0, 0), 12)).astype(np.uint8), SIZE[::-1])


def palette(labels: np.ndarray) -> Image.Image:
    image = Image.fromarray(labels)
    image.putpalette([channel for i in range(256) for channel in (i, i // 2, 255 * (i > 0) - i // 3)])
    return image


SOFT_MASKS = {
    "grey": lambda: Image.fromarray(soft()), "palette": lambda: palette(soft(200)),
    "16 bits": lambda: Image.fromarray(soft().astype(np.uint16) * 257), "dim": lambda: Image.fromarray(soft(80)),
    "blurred": lambda: Image.fromarray(blurred()),
}  # fmt: skip


@pytest.fixture
def write(tmp_path):
    """A video of five frames, below ROOT/JPEGImages/a and ROOT/Annotations/a; its masks as told."""

    def make(masks, names=None, suffix=".png") -> Path:
        for number in range(5):
            path = tmp_path / "JPEGImages" / "a" / f"{number:05d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.random.default_rng(number).integers(0, 255, (*SIZE, 3), np.uint8)).save(path)
        for mask, name in zip(masks, names or [f"{n:05d}" for n in range(5)], strict=True):
            path = tmp_path / "Annotations" / "a" / f"{name}{suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            image = mask if isinstance(mask, Image.Image) else Image.fromarray(mask)
            image.save(path, format="PNG" if suffix.lower() == ".png" else None)
        return tmp_path

    return make


@pytest.mark.parametrize("make", SOFT_MASKS.values(), ids=SOFT_MASKS)
def test_soft_edges_are_no_objects_through_any_door(write, make):
    root = write([make()] * 5)
    mask = root / "Annotations" / "a" / "00002.png"
    for read in (read_labels, read_label_file):
        with pytest.raises(SoftEdgesError, match=r"00002\.png: has soft \(anti-aliased\) edges: \d+ stray values"):
            read(mask)
    with open_video(root / "JPEGImages" / "a") as video, pytest.raises(SoftEdgesError, match="--snap-masks"):
        read_masks(root / "Annotations" / "a", video)
    with pytest.raises(ListedError, match=r"left out, a mask has soft \(anti-aliased\) edges \(1\): a \(00000\.png\)"):
        open_source("videos", [Place("davis-like", root)])
    problems = Findings()
    assert not check_mask(read_png(mask.read_bytes()), "a/00002.png", Expected(), problems, Findings())
    assert SOFT in problems


def test_a_score_is_not_made_of_soft_masks_predicted_or_true(write, tmp_path):
    hard_ones, soft_ones = write([hard()] * 5), tmp_path / "other"
    (soft_ones / "a").mkdir(parents=True)
    for number in range(5):
        Image.fromarray(soft()).save(soft_ones / "a" / f"{number:05d}.png")
    truth = find_masks(hard_ones / "Annotations")
    assert evaluate(truth, SavedMasks(hard_ones / "Annotations"), Protocol.DAVIS2016, workers=1).means.jf == 1
    for true, predicted in ((truth, soft_ones), (find_masks(soft_ones), hard_ones / "Annotations")):
        with pytest.raises(SoftEdgesError):
            evaluate(true, SavedMasks(predicted), Protocol.DAVIS2016, workers=1)


def test_photos_with_soft_masks_are_left_out_and_named(tmp_path):
    for name, mask in (("0", soft()), ("1", hard(1)), ("2", hard(255))):
        for kind, picture in (("images", np.zeros((*SIZE, 3), np.uint8)), ("masks", mask)):
            path = tmp_path / "set" / kind / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(path)
    source, (findings,) = open_source("photos", [Place("own", tmp_path)])
    assert [finding.kind for finding in findings.items] == [Kind.SOFT_EDGES] and findings.left_out == ("images/0",)
    assert [int(photo.labels().max()) for photo in source.items] == [1, 1], "255 alone is the object, as in videos"


@pytest.mark.parametrize("labels", [hard(1), hard(255), np.maximum(hard(3), hard(7, 15)), hard(0)])
def test_what_is_hard_stays_what_it_is(write, labels):
    mask = write([labels] * 5) / "Annotations" / "a" / "00000.png"
    assert np.array_equal(read_labels(mask), labels) and np.array_equal(read_label_file(mask), labels)


def test_a_palette_that_a_picture_program_reordered_is_refused(write):
    image = Image.fromarray(1 - hard(1))
    image.putpalette([255, 0, 0, 0, 0, 0])
    mask = write([image] * 5) / "Annotations" / "a" / "00000.png"
    for read in (read_labels, read_label_file):
        with pytest.raises(MaskError, match="its palette was reordered by a picture program"):
            read(mask)


@pytest.mark.parametrize("suffix", [".png", ".PNG", ".Png", ".bmp", ".TIF"])
def test_suffixes_in_capitals_and_other_exact_formats_are_masks(write, suffix):
    root = write([hard(1)] * 5, suffix=suffix)
    source, _ = open_source("videos", [Place("davis-like", root)])
    assert source.items[0].object_ids == (1,)
    truth = find_masks(root / "Annotations")
    assert evaluate(truth, SavedMasks(root / "Annotations"), Protocol.DAVIS2017, workers=1).means.jf == 1


def test_two_files_for_one_frame_are_told(write):
    root = write([hard(1)] * 5)
    Image.fromarray(hard(2)).save(root / "Annotations" / "a" / "00001.bmp")
    with pytest.raises(ListedError, match=r"two files are for one frame \(1\): a \(00001\.bmp and 00001\.png\)"):
        open_source("videos", [Place("davis-like", root)])
    with pytest.raises(MaskError, match=r"00001\.bmp and 00001\.png are for the same frame"):
        find_masks(root / "Annotations")


def test_masks_that_are_counted_from_another_number_are_told_in_training_and_in_scores(write, tmp_path):
    names = [f"{number:05d}" for number in range(1, 6)]
    root = write([hard(1)] * 5, names)
    with pytest.raises(ListedError, match=r"1 of 5, 00005\.png first; are they counted from 1\?"):
        open_source("videos", [Place("davis-like", root)])
    truth = write([hard(1)] * 5) / "Annotations"
    (tmp_path / "results" / "a").mkdir(parents=True)
    for name in names:
        Image.fromarray(hard(1)).save(tmp_path / "results" / "a" / f"{name}.png")
    (truth / "a" / "00005.png").unlink()
    with pytest.raises(
        DevosError, match=r"named 00001 to 00005, but the frames of sequence a 00000 to 00004: are they"
    ):
        evaluate(find_masks(truth), SavedMasks(tmp_path / "results"), Protocol.DAVIS2017, workers=1)


def test_surplus_and_missing_masks_are_told_beside_the_score(write, tmp_path):
    truth = write([hard(1)] * 5) / "Annotations"
    (tmp_path / "results" / "a").mkdir(parents=True)
    for name in ("00001", "00002", "00003", "00017", "preview"):
        Image.fromarray(hard(1)).save(tmp_path / "results" / "a" / f"{name}.png")
    scores = evaluate(find_masks(truth), SavedMasks(tmp_path / "results"), Protocol.DAVIS2017, workers=1)
    assert scores.sequences[0].notes == (
        "a: 2 masks belong to no frame and were ignored: 00017.png, preview.png",
        "a: 2 frames that are not scored have no mask: 00000, 00004",
    )


@pytest.mark.parametrize(("frames", "masks", "off"), [
    (range(8), range(1, 9), True), (range(1, 9), range(8), True), (range(8), range(8), False),
    (range(8), range(1, 7), False), (range(8), range(1, 8), False), (range(8), range(9), False), (range(8), (), False),
])  # fmt: skip
def test_counted_from_another_number_means_one_off_at_both_ends(frames, masks, off):
    assert is_one_off([f"{n:05d}" for n in frames], [f"{n:05d}" for n in masks]) is off
