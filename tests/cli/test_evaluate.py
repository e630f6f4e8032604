from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from devos.cli.evaluate import app
from devos.errors import InputError, OptionError, OutputError

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


def test_a_model_runs_with_the_options_that_were_given_and_run_json_records_all_of_them(root, weights, tmp_path):
    out = tmp_path / "out"
    result = run("davis", "--root", root, "--model", weights, "--size", 64, "--bank", 3, "--flip", "-o", out, "--json")
    assert result.exit_code == 0
    recorded = json.loads((out / "run.json").read_text())
    settings = {
        "size": 64,
        "memory_every": 5,
        "bank": 3,
        "fine_bank": 1,
        "focus": True,
        "flow": "dis",
        "flip": True,
        "scales": [1.0],
        "runtime": "torch",
        "precision": "float32",
    }
    assert recorded["job"]["settings"] == settings | {"device": "cpu"}
    assert recorded["weights"] == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert recorded["means"]["jf"] == json.loads(result.stdout)["jf"]
    assert sorted(path.name for path in (out / "masks").iterdir()) == ["bear", "goat"]
    assert "goat" in (out / "report.html").read_text()


def test_run_json_alone_does_it_again_and_the_figures_are_the_same(root, weights, tmp_path):
    run("davis", "--root", root, "--model", weights, "--size", 64, "--scales", "1,1.5", "-o", tmp_path / "out")
    result = run("again", tmp_path / "out" / "run.json")
    assert result.exit_code == 0
    assert result.stdout.startswith("the same; J&F ")
    assert result.stderr == ""


def test_doing_it_again_on_other_data_says_what_differs_and_fails(root, tmp_path):
    run("davis", "--root", root, "--baseline", "copy-first", "-o", tmp_path / "out")
    mask = root / "Annotations" / "480p" / "goat" / "00001.png"
    Image.fromarray(np.roll(np.array(Image.open(mask)), 3, 1)).save(mask)
    result = run("again", tmp_path / "out")
    assert result.exit_code == 1
    assert result.stdout.startswith("not the same: means of objects differ by up to ")
    assert "warning: the data differ" in result.stderr


def test_saved_masks_of_youtube_vos_are_scored_by_its_rules_with_the_unseen_classes_apart(root, tmp_path):
    objects = {"1": {"category": "animal"}, "255": {"category": "animal"}}
    meta = {"videos": {"bear": {"objects": objects}, "goat": {"objects": {"1": {"category": "ghost"}}}}}
    for path in (root / "Annotations").rglob("*.png"):
        Image.fromarray(np.array(Image.open(path)) // 255).save(path)
    (root / "meta.json").write_text(json.dumps(meta))
    seen = tmp_path / "train-meta.json"
    seen.write_text(json.dumps({"videos": {"one": {"objects": {"1": {"category": "animal"}}}}}))
    run("youtube-vos", "--root", root, "--baseline", "copy-first", "-o", tmp_path / "out", "--unseen", seen)
    recorded = json.loads((tmp_path / "out" / "run.json").read_text())
    assert recorded["protocol"] == "youtube-vos"
    means = recorded["means"]
    assert means["G"] == pytest.approx((means["J seen"] + means["F seen"] + means["J unseen"] + means["F unseen"]) / 4)


def test_a_folder_that_holds_something_is_refused_before_any_work(root, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    with pytest.raises(OutputError, match="already holds 1 files"):
        run("davis", "--root", root, "--baseline", "copy-first", "-o", tmp_path / "out")


def test_stability_without_a_report_to_tell_it_in_is_refused(root):
    with pytest.raises(OptionError, match="--stability is told in the report; give a folder"):
        run("davis", "--root", root, "--baseline", "copy-first", "--stability")


def test_a_run_json_of_something_else_is_refused(tmp_path):
    (tmp_path / "run.json").write_text('{"command": "segment"}')
    with pytest.raises(InputError, match="is no description of an evaluation"):
        run("again", tmp_path)


@pytest.mark.parametrize(
    ("protocol", "program", "object_id"), [("davis2016", "davis2016", "fg"), ("davis2017", "davis2017_semi", "1")]
)
def test_folders_of_masks_score_as_the_official_program(golden_masks, protocol, program, object_id):
    folder = golden_masks / "c14_single2016"
    report = json.loads(run("masks", folder / "gt", folder / "pred", "--protocol", protocol, "--json").stdout)
    expected = json.loads((GOLDEN / "official.json").read_text())["cases"]["c14_single2016"][program]["sequences"]
    for sequence, objects in expected.items():
        for measure in "JF":
            ours = report["sequences"][sequence]["1"][measure]
            official = {name: objects[object_id][measure][name] for name in ("mean", "recall", "decay")}
            assert ours == pytest.approx(official, abs=1e-6)


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
