from __future__ import annotations

import csv
import json

import pytest
import torch

from devos.data.catalog import find_videos
from devos.engine.segmenter import load
from devos.errors import InputError, OptionError
from devos.evaluation.benchmark import evaluate
from devos.evaluation.predictors import ModelPredictor
from devos.evaluation.scoring import choose_protocol
from devos.experiments import curve
from devos.experiments.curve import Record, Run, parse_run, points, score_all, snapshots, write_csv
from devos.model.checkpoint import save_weights
from devos.model.devos import DeVOS

SETTINGS = {"size": 64, "flow": "none", "runtime": "torch", "device": "cpu"}


@pytest.fixture
def run(tiny, tmp_path):
    """Write a run's folder: a report every ten steps, each at its own pace in seconds, and snapshots at these steps."""

    def write(name, paces, steps):
        home = tmp_path / name
        home.mkdir(parents=True)
        rows = "".join(f"{10 * number},{pace}\n" for number, pace in enumerate(paces, start=1))
        (home / "log.csv").write_text(f"step,seconds_per_step\n{rows}")
        for step in steps:
            torch.manual_seed(step)
            file = f"devos-tiny-{step:06d}" if step < 10 * len(paces) else "devos-tiny"
            save_weights(DeVOS(tiny), home / f"{file}.safetensors", {"step": step})
        return home

    return write


@pytest.fixture
def roots(video_root):
    return {"insects": find_videos(video_root)}


def places(found):
    return [(one.run, one.step, one.steps, round(one.minutes, 3)) for one in found]


def test_time_is_that_of_the_log_and_adds_up_over_runs(run):
    a, b = run("a", [6.0, 12.0, 6.0], [10, 20, 30]), run("b", [3.0, 3.0], [10, 15, 20])
    assert places(snapshots([Run(a), Run(b)])) == [
        ("a", 10, 10, 1.0), ("a", 20, 20, 3.0), ("a", 30, 30, 4.0), ("b", 10, 40, 4.5), ("b", 15, 45, 4.75),
        ("b", 20, 50, 5.0),
    ]  # fmt: skip


def test_a_run_may_go_on_from_an_earlier_snapshot_than_the_last(run):
    a, b = run("a", [6.0, 12.0, 6.0], [10, 20, 30]), run("b", [3.0], [10])
    assert places(snapshots([parse_run(f"{a}@20"), parse_run(str(b))])) == [
        ("a", 10, 10, 1.0), ("a", 20, 20, 3.0), ("b", 10, 30, 3.5),
    ]  # fmt: skip
    with pytest.raises(InputError, match="holds no weights of step 5 or earlier"):
        snapshots([parse_run(f"{a}@5")])


def test_only_every_so_many_steps_and_the_last(run):
    assert [one.step for one in snapshots([Run(run("a", [1.0] * 5, [10, 20, 30, 45]))], every=20)] == [20, 45]


def test_weights_that_are_no_snapshot_are_passed_over(run, tiny):
    a = run("a", [6.0], [10])
    save_weights(DeVOS(tiny), a / "mean.safetensors", {"step": 7})
    save_weights(DeVOS(tiny), a / "devos-tiny-000005.safetensors", {})
    assert [one.weights.name for one in snapshots([Run(a)])] == ["devos-tiny.safetensors"]


def test_a_folder_of_phases_is_refused_with_what_to_give(run, tmp_path):
    run("laptop/one", [1.0], [10])
    with pytest.raises(InputError, match=r"no log\.csv; give its phases, in their order: .*laptop/one"):
        snapshots([Run(tmp_path / "laptop")])
    with pytest.raises(InputError, match="give what `devos train --out` wrote"):
        snapshots([Run(tmp_path / "nowhere")])


@pytest.mark.parametrize(("text", "words"), [("a,b\n1,2\n", "no log of"), ("step,seconds_per_step\n", "has no row")])
def test_a_log_that_is_none_is_refused(run, text, words):
    a = run("a", [1.0], [10])
    (a / "log.csv").write_text(text)
    with pytest.raises(InputError, match=words):
        snapshots([Run(a)])


def test_what_is_scored_is_what_evaluate_gives_and_is_not_scored_again(run, roots, tmp_path, monkeypatch):
    found = snapshots([Run(run("a", [6.0, 6.0], [10, 20]))])
    seen = []
    score_all(found, roots, Record(tmp_path / "c.json", roots, SETTINGS), SETTINGS,
              lambda one, left: seen.append((one.step, left)))  # fmt: skip
    assert seen == [(10, 1), (20, 0)]
    monkeypatch.setattr(curve, "evaluate", None)
    record = Record(tmp_path / "c.json", roots, SETTINGS)
    score_all(found, roots, record, SETTINGS)
    write_csv(list(points(found, roots, record)), tmp_path / "c.csv")
    with (tmp_path / "c.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["minutes"] for row in rows] == ["1.00", "2.00"]
    protocol = choose_protocol(roots["insects"])
    predictor = ModelPredictor(load(found[1].weights, **SETTINGS), protocol)
    expected = evaluate(roots["insects"], predictor, protocol, workers=1)
    assert [rows[1][f"insects {what}"] for what in ("J&F", "J", "F")] == [
        f"{value:.5f}" for value in (expected.means.jf, expected.means.j, expected.means.f)
    ]
    assert list(rows[0])[-2:] == ["insects/ant", "insects/bee"]


def test_a_stopped_scoring_goes_on_and_shows_what_is_done(run, roots, tmp_path, monkeypatch):
    found = snapshots([Run(run("a", [6.0, 6.0], [10, 20]))])
    record = Record(tmp_path / "c.json", roots, SETTINGS)

    def stop(one, left):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        score_all(found, roots, record, SETTINGS, stop)
    record = Record(tmp_path / "c.json", roots, SETTINGS)
    assert [row.step for row in points(found, roots, record)] == [10]
    seen = []
    score_all(found, roots, record, SETTINGS, lambda one, left: seen.append(one.step))
    assert seen == [20]


def test_scores_of_other_settings_or_other_videos_are_not_mixed(run, roots, tmp_path):
    found = snapshots([Run(run("a", [6.0], [10]))])
    score_all(found, roots, Record(tmp_path / "c.json", roots, SETTINGS), SETTINGS)
    with pytest.raises(OptionError, match="scores of other settings"):
        Record(tmp_path / "c.json", roots, {**SETTINGS, "size": 96})
    other = {"insects": roots["insects"][:1]}
    with pytest.raises(OptionError, match="other videos called insects"):
        Record(tmp_path / "c.json", other, SETTINGS)
    more = Record(tmp_path / "c.json", {**roots, "ants": other["insects"]}, SETTINGS)
    assert more.find(found[0], "insects") is not None and more.find(found[0], "ants") is None
    (tmp_path / "c.json").write_text("{}")
    with pytest.raises(InputError, match="no record"):
        Record(tmp_path / "c.json", roots, SETTINGS)


def test_scores_by_another_runtime_or_of_other_defaults_are_not_mixed(run, roots, tmp_path):
    found = snapshots([Run(run("a", [6.0, 6.0], [10, 20]))])
    record = Record(tmp_path / "c.json", roots, SETTINGS)
    score_all(found[:1], roots, record, SETTINGS)
    content = json.loads((tmp_path / "c.json").read_text())
    assert content["used"]["runtime"] == "torch" and content["used"]["size"] == 64
    content["used"]["runtime"] = "onnx"
    (tmp_path / "c.json").write_text(json.dumps(content))
    with pytest.raises(OptionError, match="made with runtime 'onnx' then, 'torch' now; write to another place"):
        score_all(found, roots, Record(tmp_path / "c.json", roots, SETTINGS), SETTINGS)
