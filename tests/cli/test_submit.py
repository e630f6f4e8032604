from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from devos.cli.main import app
from devos.cli.submit import DatasetChoice
from devos.evaluation.submission.rules import Dataset

NAMES = ("002b4dce", "0a1b2c3d")


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """MOSE v1 with two sequences of three frames, and masks for it."""
    for name in NAMES:
        for index in range(3):
            rgb = np.random.default_rng(index).integers(0, 255, (64, 96, 3), np.uint8)
            labels = np.zeros((64, 96), np.uint8)
            labels[10:40, 10 + 4 * index : 40 + 4 * index] = 1
            for path, pixels in [
                (tmp_path / "root" / "JPEGImages" / name / f"{index:05d}.jpg", rgb),
                (tmp_path / "masks" / name / f"{index:05d}.png", labels),
                (tmp_path / "root" / "Annotations" / name / "00000.png", labels),
            ][: 3 if index == 0 else 2]:
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(path)
    return tmp_path / "root", tmp_path / "masks"


def submit(*arguments: object):
    return CliRunner().invoke(app, ["submit", *map(str, arguments)])


def test_good_masks_are_packed_and_the_next_step_is_told(folders, tmp_path):
    root, masks = folders
    result = submit("mose", masks, "--root", root, "-o", tmp_path / "sent.zip")
    assert result.exit_code == 0, result.output
    assert "6 masks of 2 sequences" in result.stdout and "next: upload it to CodaLab 10703" in result.stdout
    assert "note: grey masks, written with the palette (6)" in result.stderr
    assert "note: not confirmed" in result.stderr
    assert len(zipfile.ZipFile(tmp_path / "sent.zip").namelist()) == 6
    checked = submit("check", tmp_path / "sent.zip", "--dataset", "mose", "--root", root)
    assert checked.exit_code == 0 and "right: layout, sequences, frames, PNG modes, sizes, ids" in checked.stdout
    assert "next: upload it" in checked.stdout


def test_every_problem_is_listed_the_exit_code_is_2_and_nothing_is_written(folders, tmp_path):
    root, masks = folders
    (masks / NAMES[0] / "00002.png").unlink()
    path = masks / NAMES[1] / "00001.png"
    Image.open(path).convert("RGB").save(path)
    result = submit("mose", masks, "--root", root, "-o", tmp_path / "sent.zip")
    assert result.exit_code == 2 and result.stdout == ""
    assert f"wrong: missing masks (1): {NAMES[0]}/00002.png" in result.stderr
    assert f"wrong: colour pictures instead of ids (1): {NAMES[1]}/00001.png (mode RGB)" in result.stderr
    assert "breaks the rules of MOSE v1 in 2 ways" in result.stderr
    assert not list(tmp_path.glob("sent*"))


def test_the_model_makes_the_masks_beside_the_zip_and_does_not_make_them_again(folders, tmp_path):
    root, _ = folders
    command = ("mose", "--root", root, "--model", "devos-t", "--size", 64, "--device", "cpu", "-o", tmp_path / "x.zip")
    first = submit(*command)
    assert first.exit_code == 0, first.output
    assert len(list((tmp_path / "x-masks" / NAMES[0]).glob("*.png"))) == 3
    again = submit(*command, "--overwrite")
    assert again.exit_code == 0 and "note: 2 sequences were complete" in again.stderr
    assert submit("check", tmp_path / "x.zip", "--dataset", "mose", "--root", root).exit_code == 0


def test_a_zip_with_something_wrong_has_exit_code_2_and_says_what_was_guessed(folders, tmp_path):
    _, masks = folders
    with zipfile.ZipFile(tmp_path / "sent.zip", "w") as archive:
        archive.write(masks / NAMES[0] / "00000.png", f"wrapper/{NAMES[0]}/00000.png")
    result = submit("check", tmp_path / "sent.zip")
    assert result.exit_code == 2
    assert "for MOSE v2 (guessed from its layout" in result.stdout
    assert "not checked without --root" in result.stdout
    assert "wrong: only one sequence (1)" in result.stdout and "next:" not in result.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "give the folder MASKS, or --model"),
        (("masks", "--model", "devos-t"), "give the folder MASKS, or --model"),
        (("masks", "--size", "64"), "--size is for a model, but MASKS are given"),
        (("masks", "--masks-out", "there"), "--masks-out is for a model"),
        (("masks", "--split", "val"), "--split is for davis-test-dev only"),
        (("masks", "--every", "5"), "--every is for youtube-vos only"),
        (("masks", "--out", "sent.tar"), "does not end in .zip"),
        (("nowhere",), "nowhere is no folder"),
    ],
)
def test_options_that_do_not_fit_are_refused_in_one_line(folders, tmp_path, monkeypatch, options, message):
    monkeypatch.chdir(tmp_path)
    result = submit("mose", "--root", folders[0], "--out", "x.zip", *options)
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ") and message in result.stderr and result.stderr.count("\n") == 1


def test_check_wants_to_know_whose_folder_the_root_is(folders, tmp_path):
    assert "--root needs --dataset" in submit("check", tmp_path / "x.zip", "--root", folders[0]).stderr
    assert "--split needs --root" in submit("check", tmp_path / "x.zip", "--split", "val").stderr


def test_the_commands_are_the_benchmarks():
    assert [choice.value for choice in DatasetChoice] == [dataset.value for dataset in Dataset]


def test_importing_the_command_loads_nothing_heavy():
    code = "import sys, devos.cli.submit; print([m for m in ('torch', 'cv2', 'numpy', 'PIL') if m in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"
