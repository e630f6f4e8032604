from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from devos.errors import InputError, OptionError
from devos.evaluation.figures.published import Benchmark, Group, Row, ScoreTable, read_scores, score_table
from devos.evaluation.figures.published_formats import table_text


def write(path: Path, sequences: dict[str, list[tuple[float, float]]], protocol: str = "davis2016") -> Path:
    """Scores as `devos evaluate davis --json` prints them, each object's J and F."""
    report = {
        "protocol": protocol,
        "sequences": {
            name: {
                "jf": 0, "j": 0, "f": 0,
                "objects": {str(i): {"J": {"mean": j}, "F": {"mean": f}} for i, (j, f) in enumerate(objects, 1)},
            }
            for name, objects in sequences.items()
        },
    }  # fmt: skip
    path.write_text(json.dumps(report))
    return path


def find(table: ScoreTable, method: str) -> list[Row]:
    return [row for group in table.groups for row in group.rows if row.method == method]


def test_methods_are_compared_over_the_sequences_that_all_have(tmp_path):
    ours = read_scores(write(tmp_path / "ours.json", {"libby": [(0.5, 0.7)], "cows": [(0.9, 0.8)], "mine": [(1, 1)]}))
    table = score_table(Benchmark.DAVIS2016, [ours])
    (own,), (osvos,) = find(table, "ours"), find(table, "OSVOS")
    assert own.values == pytest.approx({"J": 70, "F": 75, "J&F": 72.5})
    # davis-matlab, eval_results: OSVOS has J 0.808 and F 0.903 on libby, 0.946 and 0.962 on cows.
    j, f = 50 * (0.808 + 0.946), 50 * (0.903 + 0.962)
    assert osvos.values == pytest.approx({"J": j, "F": f, "J&F": (j + f) / 2}, abs=0.06)
    assert table.groups[0].heading.startswith("Means over the same 2 of 20 sequences")
    assert any("2 sequences" in note and "cows, libby" in note for note in table.notes)
    assert any("not compared: mine" in note for note in table.notes)


def test_several_scores_are_compared_over_what_they_share(tmp_path):
    a = read_scores(write(tmp_path / "a.json", {"libby": [(0.5, 0.7)], "cows": [(0.9, 0.8)]}))
    b = read_scores(write(tmp_path / "b.json", {"cows": [(0.6, 0.4)]}))
    table = score_table(Benchmark.DAVIS2016, [a, b])
    assert find(table, "a")[0].values["J"] == pytest.approx(90)
    assert find(table, "b")[0].values["J&F"] == pytest.approx(50)
    assert table.groups[0].heading.startswith("Means over the same 1 of 20")


def test_without_scores_the_means_over_the_whole_set_are_the_published_ones():
    table = score_table(Benchmark.DAVIS2016)
    # The figures of the DAVIS 2016 benchmark's page: OSVOS 79.8 and 80.6, MSK 79.7 and 75.4.
    assert {k: round(v, 1) for k, v in find(table, "OSVOS")[0].values.items()} == {"J": 79.8, "F": 80.6, "J&F": 80.2}
    assert {k: round(v, 1) for k, v in find(table, "MSK")[0].values.items()} == {"J": 79.7, "F": 75.4, "J&F": 77.5}
    assert len(table.groups[0].rows) == 21


def test_table_2_of_the_supplement_is_as_printed():
    group = score_table(Benchmark.MOSE).groups[0]
    assert [row.method for row in group.rows] == ["DeVOS-L", "DeAOT", "DeVOS-B", "XMem", "AOT", "SWEM", "STCN", "RDE"]
    assert group.rows[0].values == {"J": 58.3, "F": 67.1, "J&F": 62.7}


@pytest.mark.parametrize(
    ("benchmark", "figures"), [("davis2017", [86.1, 86.0, 86.4]), ("youtube-vos19", [85.2, 85.2, 85.4])]
)
def test_table_1_of_the_supplement_is_as_printed(benchmark, figures):
    (column,) = {"davis2017": ["J&F"], "youtube-vos19": ["G"]}[benchmark]
    table = score_table(Benchmark(benchmark))
    rows = [row for group in table.groups for row in group.rows if row.source == "supplement, Table 1"]
    by_name = {row.method: row.values[column] for row in rows}
    assert [by_name[f"DeVOS (Table 1, {nth} row)"] for nth in ("first", "second", "third")] == figures


@pytest.mark.parametrize("benchmark", list(Benchmark))
def test_every_row_states_its_source_and_training_data_and_its_parts_agree(benchmark):
    rows = [row for group in score_table(benchmark).groups for row in group.rows]
    assert rows
    for row in rows:
        assert row.source
        assert row.training
        assert row.mark in ("", "listed", "second-hand")
        assert all(10 < value < 100 for value in row.values.values())
        if row.values.keys() == {"J", "F", "J&F"}:
            assert row.values["J&F"] == pytest.approx((row.values["J"] + row.values["F"]) / 2, abs=0.11)


def test_scores_of_other_sequences_stand_apart_and_are_said_to(tmp_path):
    ours = read_scores(write(tmp_path / "o.json", {"girls": [(0.5, 0.7), (0.7, 0.9)]}, "davis2017"), "ours", "photos")
    table = score_table(Benchmark.DAVIS2017, [ours])
    assert [row.method for row in table.groups[-1].rows] == ["ours"]
    assert table.groups[-1].rows[0].values["J&F"] == pytest.approx(70)
    assert table.groups[-1].rows[0].training == "photos"
    assert any("girls" in note and "not the same sequences" in note for note in table.notes)


def test_scores_under_another_protocol_are_refused(tmp_path):
    ours = read_scores(write(tmp_path / "ours.json", {"libby": [(0.5, 0.7)]}, "davis2017"))
    with pytest.raises(OptionError, match="by the protocol davis2017, but davis2016 goes by davis2016"):
        score_table(Benchmark.DAVIS2016, [ours])
    with pytest.raises(OptionError, match="YouTube-VOS is scored by G"):
        score_table(Benchmark.YOUTUBE_VOS19, [ours])


def test_scores_without_a_common_sequence_are_refused(tmp_path):
    ours = read_scores(write(tmp_path / "ours.json", {"mine": [(0.5, 0.7)]}))
    with pytest.raises(OptionError, match="no sequence of DAVIS 2016 validation is in all the scores; they have mine"):
        score_table(Benchmark.DAVIS2016, [ours])


@pytest.mark.parametrize("content", ["", "[]", '{"sequences": {}}', '{"protocol": "davis2016", "sequences": {"a": 3}}'])
def test_what_is_no_file_of_scores_is_refused(tmp_path, content):
    (tmp_path / "bad.json").write_text(content)
    with pytest.raises(InputError, match=r"bad.json: is no file of scores"):
        read_scores(tmp_path / "bad.json")
    with pytest.raises(InputError, match=r"none.json: cannot be read"):
        read_scores(tmp_path / "none.json")


@pytest.fixture
def small() -> ScoreTable:
    rows = (
        Row("A_1", {"J": 80.04, "J&F": 81.25}, "a paper", "50 % of D & Y", mark="second-hand"),
        Row("mine", {"J": 70.0, "F": 72.0, "J&F": 71.0}, "measured here", "photos", measured=True),
    )
    return ScoreTable("Some set", ("J", "F", "J&F"), (Group("All", rows),), ("A note.",))


def test_markdown_has_marks_gaps_and_bold_rows(small):
    lines = table_text(small, ".md").splitlines()
    assert "| A_1 ‡ | 50 % of D & Y | 80.0 | – | 81.2 | a paper |" in lines  # noqa: RUF001
    assert "| **mine** | **photos** | **70.0** | **72.0** | **71.0** | **measured here** |" in lines
    assert lines[-1] == "- A note."


def test_csv_can_be_read_back(small):
    rows = list(csv.DictReader(io.StringIO(table_text(small, ".csv"))))
    assert [row["method"] for row in rows] == ["A_1", "mine"]
    assert [row["mark"] for row in rows] == ["second-hand", "measured"]
    assert (rows[0]["F"], rows[1]["F"], rows[1]["training data"]) == ("", "72.0", "photos")


def test_latex_escapes_what_has_a_meaning_in_it(small):
    text = table_text(small, ".tex")
    assert r"A\_1 $\ddagger$ & 50 \% of D \& Y & 80.0 & -- & 81.2 & a paper \\" in text
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == 1
    columns = text.split(r"\begin{tabular}{")[1].split("}")[0]
    assert columns == "llrrrl"


def test_an_unknown_format_is_refused(small):
    with pytest.raises(OptionError, match=r"a table is written as .md, .csv, .tex; got .docx"):
        table_text(small, ".docx")
