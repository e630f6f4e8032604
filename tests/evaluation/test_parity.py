"""Every figure of every official program on every made case."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from devos.data.catalog import find_masks
from devos.errors import MaskError
from devos.evaluation.benchmark import Scores, evaluate
from devos.evaluation.predictors import SavedMasks
from devos.evaluation.rules.meta import Meta, ObjectMeta
from devos.evaluation.rules.protocols import Protocol
from devos.evaluation.rules.quality import ObjectQuality, SequenceScore

CLOSE = 1e-12
CASES = (
    *("c01_blobs", "c02_empty_pred", "c03_empty_gt", "c04_vanish_reappear", "c05_onepixel", "c06_border"),
    *("c07_idgaps", "c08_late_low", "c09_late_high", "c10_void", "c11_extra_id", "c12_many20", "c13_perfect"),
    *("c14_single2016", "c15_single255", "c16_sizes", "c17_short"),
)
TOOLS = {
    "davis2017_semi": Protocol.DAVIS2017,
    "davis2017_unsup": Protocol.DAVIS2017_UNSUPERVISED,
    "davis2016": Protocol.DAVIS2016,
    "vos_benchmark": Protocol.VOS_BENCHMARK,
    "vos_benchmark_all": Protocol.VOS_BENCHMARK_ALL,
    "mosev2": Protocol.MOSE2,
    "lvos": Protocol.LVOS,
}
ABORTED = {
    *(("davis2017_semi", case) for case in ("c09_late_high", "c11_extra_id", "c15_single255")),
    ("davis2017_unsup", "c15_single255"),
}
"""Where the official program stops and gives no figure."""
NOTHING = {("lvos", "c15_single255")}
"""Where it finds no object at all."""


SCORED: dict[tuple[str, str], Scores] = {}
"""Each is looked at by several tests."""


def score_case(golden_masks: Path, case: str, tool: str, official: dict[str, Any]) -> Scores:
    folder = golden_masks / case
    listed = {}
    if tool == "mosev2":  # its meta file names the objects, 255 among them in one case
        listed = {
            name: dict.fromkeys(map(int, objects), ObjectMeta()) for name, objects in official["sequences"].items()
        }
    unseen = frozenset(official["unseen_sequences"]) if tool == "lvos" else None
    meta = Meta(listed, unseen)
    return evaluate(find_masks(folder / "gt"), SavedMasks(folder / "pred"), TOOLS[tool], meta=meta, workers=1)


@pytest.fixture(params=[(tool, case) for tool in TOOLS for case in CASES], ids=lambda pair: "-".join(pair))
def both(request, official, golden_masks):
    """Which tool, its result on a case, and our scores of it."""
    tool, case = request.param
    result = official["cases"][case][tool]
    if (tool, case) in ABORTED | NOTHING:
        assert result["status"] == "abort" or not any(result["sequences"].values())
        pytest.skip("no official figure")
    if (tool, case) not in SCORED:
        SCORED[tool, case] = score_case(golden_masks, case, tool, result)
    return tool, result, SCORED[tool, case]


def in_official_order(tool: str, score: SequenceScore) -> dict[str, ObjectQuality]:
    """Our objects by the program's keys."""
    if tool == "davis2016":
        return {"fg": score.objects[1]}
    if tool == "davis2017_unsup":
        # The k-th of the matched proposals, in the order of their ids, is what the program calls object k.
        ranked = sorted(score.matches, key=lambda object_id: score.matches[object_id])
        return {str(rank): score.objects[object_id] for rank, object_id in enumerate(ranked, start=1)}
    return {str(object_id): quality for object_id, quality in score.objects.items()}


def our_measures(tool: str, quality: ObjectQuality) -> dict[str, Any]:
    measures = {"J": quality.region, "F": quality.boundary}
    return {"J": quality.region, "F_dot": quality.boundary, "F": quality.others["F"]} if tool == "mosev2" else measures


def test_every_frame_of_every_object_is_as_officially(both):
    tool, official, scores = both
    assert {score.name for score in scores.sequences} == official["sequences"].keys()
    for score in scores.sequences:
        ours, theirs = in_official_order(tool, score), official["sequences"][score.name]
        theirs = {key: figures for key, figures in theirs.items() if not key.startswith("_")}
        assert ours.keys() == theirs.keys()
        for key, quality in ours.items():
            for name, statistics in our_measures(tool, quality).items():
                wanted = theirs[key][name]["frames"]
                assert list(statistics.values) == pytest.approx(wanted, abs=CLOSE), (score.name, key, name)
                assert len(quality.frames) == len(wanted)


def test_every_objects_figures_are_as_officially(both):
    tool, official, scores = both
    percent = 100 if tool.startswith("vos_benchmark") else 1
    for score in scores.sequences:
        for key, quality in in_official_order(tool, score).items():
            theirs = official["sequences"][score.name][key]
            for name, statistics in our_measures(tool, quality).items():
                wanted = dict(theirs[name])
                del wanted["frames"]
                if tool == "lvos":
                    assert wanted.pop("decay") == 0.0  # its own fault: it takes all frames for one
                ours = {figure: percent * getattr(statistics, figure) for figure in wanted}
                assert ours == pytest.approx(wanted, abs=percent * CLOSE), (score.name, key, name)
            extras = {"V": theirs["V"]} if tool == "lvos" else {}
            for event in ("disappear", "reappear") if tool == "mosev2" else ():
                extras |= {f"{event} {name}": value for name, value in theirs[event].items() if value is not None}
            assert quality.extras == pytest.approx(extras, abs=CLOSE)


def our_figures(tool: str, scores: Scores) -> dict[str, float]:
    """Our means by the names that the program gives them."""
    means, extras, objects = scores.means, scores.extras, scores.objects
    if tool == "davis2016":
        figures = {"J(M)": means.j, "F(M)": means.f}
        for letter, name in (("O", "recall"), ("D", "decay")):
            figures[f"J({letter})"] = sum(getattr(one.region, name) for one in objects) / len(objects)
            figures[f"F({letter})"] = sum(getattr(one.boundary, name) for one in objects) / len(objects)
        return figures
    if tool.startswith("davis2017"):
        figures = {"J&F-Mean": means.jf, "J-Mean": means.j, "F-Mean": means.f}
        for name in ("Recall", "Decay"):
            figures[f"J-{name}"] = sum(getattr(one.region, name.lower()) for one in objects) / len(objects)
            figures[f"F-{name}"] = sum(getattr(one.boundary, name.lower()) for one in objects) / len(objects)
        return figures
    if tool.startswith("vos_benchmark"):
        return {"J&F": 100 * means.jf, "J": 100 * means.j, "F": 100 * means.f}
    if tool == "mosev2":
        named = {name.replace("pear J", "pear_J"): value for name, value in extras.items()}
        return {"J": means.j, "F_dot": means.f, "J&F_dot": means.jf, **named}
    figures = {"J&F-Mean": means.jf, "J-Mean": means.j, "F-Mean": means.f, "V-Mean": extras["V"]}
    groups = [(f"{letter}-{group}-Mean", f"{letter} {group}") for letter in "JFV" for group in ("seen", "unseen")]
    return figures | {theirs: extras[ours] for theirs, ours in groups if ours in extras}


def test_every_mean_is_as_officially(both):
    tool, official, scores = both
    wanted = {name: float(value) for name, value in official["global"].items()}

    ours = our_figures(tool, scores)
    known = {name: value for name, value in wanted.items() if not math.isnan(value)}
    assert {name: ours[name] for name in known} == pytest.approx(known, abs=100 * CLOSE)
    if tool != "lvos":  # where a group of sequences is empty it has nan for every mean, and we the mean of the other
        assert ours.keys() == known.keys()


@pytest.mark.parametrize(("tool", "case"), sorted(NOTHING | {pair for pair in ABORTED if "c15" in pair[1]}))
def test_where_no_object_is_found_that_is_an_error(official, golden_masks, tool, case):
    with pytest.raises(MaskError, match="has no object"):
        score_case(golden_masks, case, tool, official["cases"][case][tool])


@pytest.mark.parametrize("case", ["c09_late_high", "c11_extra_id"])
def test_a_predicted_id_above_the_highest_does_not_stop_us_and_the_others_score_as_without_it(
    official, golden_masks, case
):
    ours = score_case(golden_masks, case, "davis2017_semi", {})
    other = official["cases"][case]["vos_benchmark"]["sequences"]
    for score in ours.sequences:
        assert any("ids" in note and ("ignored" in note or "not scored" in note) for note in score.notes)
        for object_id in score.objects.keys() & {1, 2} if case == "c11_extra_id" else ():
            wanted = other[score.name][str(object_id)]["J"]["frames"]
            assert list(score.objects[object_id].region.values) == pytest.approx(wanted, abs=CLOSE)


def test_lvos_means_are_the_four_way_mean_that_youtube_vos_calls_g(official, golden_masks):
    result = official["cases"]["c01_blobs"]["lvos"]
    scores = score_case(golden_masks, "c01_blobs", "lvos", result)
    assert scores.extras["G"] == pytest.approx(result["global"]["J&F-Mean"], abs=CLOSE)
    four = [scores.extras[name] for name in ("J seen", "F seen", "J unseen", "F unseen")]
    assert scores.means.jf == pytest.approx(sum(four) / 4)
