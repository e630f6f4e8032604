from __future__ import annotations

from devos.experiments.results import (
    Budget,
    Difference,
    Result,
    Row,
    find_result,
    keep_result,
    read_results,
    table,
)

LESS = Difference(heading="less than full", is_gain=False)
MORE = Difference(heading="more than above", is_gain=True)


def result(variant: str, seed: int, jf: float) -> Result:
    return Result(variant, seed, Budget(), {"dev": {"jf": jf, "j": jf, "f": jf}}, 2.0, 0.5)


def cells(text: str) -> dict[str, list[str]]:
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]
    return {line[0]: line[1:] for line in lines}


def test_the_table_gives_mean_spread_and_the_difference_between_runs_of_one_seed():
    results = [result("full", 0, 0.60), result("full", 1, 0.70), result("none", 0, 0.58), result("none", 1, 0.64)]
    rows = (Row("full", "DeVOS as it is"), Row("none", "no optical flow", "full"), Row("never", "not run", "full"))
    found = cells(table(results, rows, LESS))
    assert found["variant"] == ["seeds", "dev J&F", "dev less than full", "minutes"]
    assert found["DeVOS as it is"][:3] == ["2", "65.0 ± 7.1", ""]
    # 60 - 58 = 2 and 70 - 64 = 6: their mean, and their standard deviation.
    assert found["no optical flow"][:3] == ["2", "61.0 ± 4.2", "+4.0 ± 2.8"]
    assert "not run" not in found


def test_a_row_may_be_compared_with_the_one_above_and_only_where_both_have_the_seed():
    results = [result("a", 0, 0.50), result("b", 0, 0.53), result("b", 1, 0.80), result("c", 0, 0.52)]
    rows = (Row("a", "A"), Row("b", "B", "a"), Row("c", "C", "b"))
    found = cells(table(results, rows, MORE))
    assert [found[name][2] for name in "ABC"] == ["", "+3.0", "-1.0"]


def test_a_result_is_found_again_by_its_budget_only(tmp_path):
    done = keep_result(result("no-flow", 1, 0.5), tmp_path)
    assert find_result(tmp_path, "no-flow", 1, Budget()) == done
    assert find_result(tmp_path, "no-flow", 1, Budget(num_steps=7)) is None
    assert find_result(tmp_path, "no-flow", 2, Budget()) is None
    assert read_results(tmp_path) == [done]
