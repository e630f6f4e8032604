from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from devos.cli.evaluate import app
from devos.errors import OptionError

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.fixture
def golden_masks(tmp_path: Path) -> Path:
    """Folder of CASE/gt/SEQUENCE/00000.png and CASE/pred/SEQUENCE/00000.png."""
    with zipfile.ZipFile(GOLDEN / "masks.zip") as archive:
        archive.extractall(tmp_path)
    return tmp_path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two sequences in DAVIS's layout whose masks are 0 and 255."""
    for name in ("bear", "goat"):
        for index in range(4):
            labels = np.zeros((20, 30), np.uint8)
            labels[5:15, 3 + index : 13 + index] = 255
            for kind, suffix in (("JPEGImages", "jpg"), ("Annotations", "png")):
                path = tmp_path / "data" / kind / "480p" / name / f"{index:05d}.{suffix}"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(labels).save(path)
    return tmp_path / "data"


def run(*arguments: object):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)


def test_json_on_stdout_is_one_object_with_every_figure(root):
    result = run("davis", "--root", root, "--baseline", "copy-first", "--json")
    report = json.loads(result.stdout)
    assert result.stderr == ""
    assert report["protocol"] == "davis2016"
    assert report["jf"] == pytest.approx((report["j"] + report["f"]) / 2)
    assert list(report["sequences"]) == ["bear", "goat"]
    bear = report["sequences"]["bear"]
    assert bear["jf"] == pytest.approx((bear["j"] + bear["f"]) / 2)
    assert bear["objects"]["1"]["J"].keys() == {"mean", "recall", "decay"}
    assert bear["objects"]["1"]["J"]["mean"] == pytest.approx((90 / 110 + 80 / 120) / 2)


def test_the_table_names_the_protocol_and_every_sequence(root):
    result = run("davis", "--root", root, "--baseline", "flow-warp")
    assert "protocol davis2016" in result.stdout
    assert "bear" in result.stdout
    assert "goat" in result.stdout


def test_saved_masks_score_again_what_the_baseline_scored(root, tmp_path):
    first = run("davis", "--root", root, "--baseline", "copy-first", "--save", tmp_path / "out", "--json")
    again = run("davis", "--root", root, "--results", tmp_path / "out", "--json")
    assert json.loads(first.stdout) == json.loads(again.stdout)


def test_two_sources_exclude_each_other(root, tmp_path):
    with pytest.raises(OptionError, match="--results and --baseline exclude each other"):
        run("davis", "--root", root, "--results", tmp_path, "--baseline", "copy-first")


def test_a_model_s_option_without_a_model_is_refused(root):
    with pytest.raises(OptionError, match="--memory-every is for a model, but --baseline runs none"):
        run("davis", "--root", root, "--baseline", "copy-first", "--memory-every", 5)


def test_the_model_gets_its_name_and_the_options_that_were_given_and_no_others(root, monkeypatch):
    asked = []

    class Session:
        def step(self, picture, masks):
            return SimpleNamespace(labels=np.ones(picture.shape[:2], np.uint16))

    def load(name, **settings):
        asked.append((name, settings))
        return SimpleNamespace(session=Session)

    monkeypatch.setitem(sys.modules, "devos.engine.segmenter", SimpleNamespace(load=load))
    report = json.loads(run("davis", "--root", root, "--size", 240, "--json").stdout)
    assert asked == [("devos-t", {"size": 240})]
    assert report["j"] == pytest.approx(100 / 600)


@pytest.mark.parametrize("protocol", ["davis2016", "davis2017"])
def test_folders_of_masks_score_as_the_official_program(golden_masks, protocol):
    folder = golden_masks / "c14_single2016"
    report = json.loads(run("masks", folder / "gt", folder / "pred", "--protocol", protocol, "--json").stdout)
    expected = json.loads((GOLDEN / "davis.json").read_text())["cases"]["c14_single2016"][protocol]["sequences"]
    for sequence, objects in expected.items():
        for measure in "JF":
            ours = report["sequences"][sequence]["1"][measure]
            assert ours == pytest.approx(objects["1"][measure], abs=1e-6)


def test_one_folder_of_masks_is_scored_against_one_folder(golden_masks):
    folder = golden_masks / "c13_perfect"
    name = next(path.name for path in sorted((folder / "gt").iterdir()))
    report = json.loads(run("masks", folder / "gt" / name, folder / "pred" / name, "--json").stdout)
    assert report["jf"] == 1.0
    assert list(report["sequences"]) == [name]


def test_what_was_ignored_is_warned_of_on_stderr(golden_masks):
    folder = golden_masks / "c11_extra_id"
    result = run("masks", folder / "gt", folder / "pred", "--json")
    assert "warning: extra: predicted ids 4" in result.stderr
    assert json.loads(result.stdout)["warnings"]


def test_importing_the_command_loads_nothing_heavy():
    code = "import sys, devos.cli.evaluate; print([m for m in ('torch', 'cv2', 'numpy', 'PIL') if m in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"
