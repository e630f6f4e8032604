from __future__ import annotations

from devos.training.record import Table


def test_a_table_goes_on_behind_the_step_that_is_done_and_drops_half_rows(tmp_path):
    path = tmp_path / "log.csv"
    table = Table(path, ("step", "j"), done=0)
    for step in (1, 2, 3):
        table.add({"step": step, "j": step / 3, "other": "ignored"})
    assert path.read_text() == "step,j\n1,0.333333\n2,0.666667\n3,1\n"
    path.write_text(path.read_text() + "4,0.1")  # no end of the line: killed while it was written
    Table(path, ("step", "j"), done=9)
    assert path.read_text() == "step,j\n1,0.333333\n2,0.666667\n3,1\n"
    Table(path, ("step", "j"), done=2).add({"step": 3, "j": 0.5})
    assert path.read_text() == "step,j\n1,0.333333\n2,0.666667\n3,0.5\n"


def test_a_table_of_other_columns_is_begun_anew(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("step,loss\n1,0.5\n")
    Table(path, ("step", "j"), done=5)
    assert path.read_text() == "step,j\n"


def test_names_with_commas_stay_in_their_cell(tmp_path):
    path = tmp_path / "validation.csv"
    Table(path, ("step", "figure", "value"), 0).add({"step": 1, "figure": "J, seen", "value": 0.5})
    Table(path, ("step", "figure", "value"), 1).add({"step": 2, "figure": "F", "value": 0.25})
    assert path.read_text() == 'step,figure,value\n1,"J, seen",0.5\n2,F,0.25\n'
