from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw
from typer.testing import CliRunner

from devos.cli.main import app
from devos.io.mask_pictures import read_mask_picture


def run(*arguments):
    return CliRunner().invoke(app, ["masks", "check", *map(str, arguments)])


def test_objects_areas_and_specks_are_told(tmp_path):
    labels = np.zeros((48, 64), np.uint8)
    labels[4:34, 4:34], labels[40, 60], labels[2:4, 50:52] = 3, 3, 9
    Image.fromarray(labels).save(tmp_path / "m.png")
    result = run(tmp_path / "m.png")
    assert result.exit_code == 0
    assert "object 3: 901 px, x 4 to 60, y 4 to 40, 2 parts; 1 of them specks of 1 px" in result.stdout
    assert "object 9: 4 px" in result.stdout and "very small" in result.stdout


def test_soft_edges_are_told_and_mended_into_a_new_file(tmp_path):
    large = Image.new("L", (256, 192))
    ImageDraw.Draw(large).ellipse((40, 40, 150, 150), fill=200)
    large.resize((64, 48), Image.Resampling.BILINEAR).save(tmp_path / "m.png")
    refused = run(tmp_path / "m.png")
    assert refused.exit_code == 2 and "soft edges" in refused.stdout and "--snap-masks" in refused.output
    mended = run(tmp_path / "m.png", "--fix", tmp_path / "new.png")
    assert mended.exit_code == 0, mended.output
    assert set(read_mask_picture(tmp_path / "new.png").areas) == {0, 200}
    assert run(tmp_path / "new.png").exit_code == 0


def test_the_mask_itself_is_never_replaced(tmp_path):
    Image.fromarray(np.eye(9, dtype=np.uint8)).save(tmp_path / "m.png")
    result = run(tmp_path / "m.png", "--fix", tmp_path / "m.png")
    assert result.exit_code == 2 and "name a new file" in result.output


def test_an_empty_mask_is_told(tmp_path):
    Image.new("L", (9, 9)).save(tmp_path / "m.png")
    result = run(tmp_path / "m.png")
    assert result.exit_code == 2 and "all background" in result.output
