from __future__ import annotations

import io

import pytest
from rich.console import Console

from devos.data.catalog import find_masks
from devos.evaluation.benchmark import Scores, evaluate
from devos.evaluation.predictors import SavedMasks
from devos.evaluation.reports.rows import by_object, by_sequence, table
from devos.evaluation.rules.protocols import Protocol


@pytest.fixture(scope="module")
def scores(golden_masks) -> Scores:
    folder = golden_masks / "c01_blobs"
    return evaluate(find_masks(folder / "gt"), SavedMasks(folder / "pred"), Protocol.DAVIS2017, workers=1)


@pytest.fixture(scope="module")
def mose_scores(golden_masks) -> Scores:
    folder = golden_masks / "c01_blobs"
    return evaluate(find_masks(folder / "gt"), SavedMasks(folder / "pred"), Protocol.MOSE2, workers=1)


def printed(scores: Scores) -> str:
    console = Console(file=io.StringIO(), width=140)
    console.print(table(scores))
    return console.file.getvalue()


def test_a_sequence_s_means_are_those_of_its_objects(scores):
    report = by_sequence(scores)
    for sequence in report["sequences"].values():
        means = [one["J"]["mean"] for one in sequence["objects"].values()]
        assert sequence["j"] == pytest.approx(sum(means) / len(means))
    assert report["jf"] == scores.means.jf


def test_objects_lie_right_under_their_sequence_where_that_is_asked_for(scores):
    assert by_object(scores)["sequences"]["alpha"] == by_sequence(scores)["sequences"]["alpha"]["objects"]


def test_further_figures_are_told_where_a_protocol_has_them(scores, mose_scores):
    assert "extras" not in by_sequence(scores)
    assert by_sequence(mose_scores)["extras"] == mose_scores.extras
    alpha = by_object(mose_scores)["sequences"]["alpha"]["1"]
    assert {"J", "F_dot", "F"} <= alpha.keys()


def test_the_table_ends_with_the_headline_in_percent(scores):
    last = next(line for line in reversed(printed(scores).splitlines()) if "all" in line)
    assert f"{100 * scores.means.jf:.1f}" in last
    assert f"{100 * scores.means.f:.1f}" in last


def test_the_table_names_the_measures_of_its_protocol_and_the_further_figures(mose_scores):
    text = printed(mose_scores)
    assert "J&F_dot" in text
    assert f"J&F {100 * mose_scores.extras['J&F']:.1f}" in text
