from __future__ import annotations

import numpy as np

from devos.evaluation.figures.curve import CurvePoint, curve_page


def point(run: str, steps: int, num_sequences: int = 2, jf: float = 0.7, before: int = 0) -> CurvePoint:
    sequences = {f"sequence {number}": jf + 0.01 * number for number in range(num_sequences)}
    scores = {"dev": {"jf": jf, "j": jf, "f": jf, "sequences": sequences},
              "lone": {"jf": 0.5, "j": 0.5, "f": 0.5, "sequences": {"girls": 0.5}}}  # fmt: skip
    return CurvePoint(run, "x.safetensors", steps - before, steps, steps / 7, before / 7, scores)


def test_the_same_scores_give_the_same_picture_and_others_another():
    rows = [point("a", 100), point("a", 200, jf=0.75), point("b", 300, jf=0.8, before=200)]
    page = curve_page(rows)
    assert page.shape == (620, 1500, 3) and np.array_equal(page, curve_page(rows))
    assert not np.array_equal(page, curve_page([*rows[:2], point("b", 300, jf=0.6, before=200)]))
    assert not np.array_equal(page, curve_page([*rows[:2], point("a", 300, jf=0.8)]))  # no other run begins


def test_lines_that_end_together_have_names_that_stay_apart_and_on_the_page():
    page = curve_page([point("a", 100, 20), point("a", 200, 20)])
    written = (page[:, 1268:] < 200).any(axis=(1, 2))  # rows of the page with something beside the panels
    lines = np.flatnonzero(np.diff(written.astype(int)) == 1)
    assert len(lines) >= 22 - 2 and lines[-1] < 600  # letters below the line may touch the name beneath


def test_a_single_snapshot_and_many_sequences_are_drawn_too():
    assert curve_page([point("a", 100)]).shape == curve_page([point("a", 100, 60), point("a", 200, 60)]).shape


def test_a_dashed_line_stands_where_a_run_began():
    page = curve_page([point("a", 100), point("a", 200), point("b", 300, before=200)])
    left = 70 + round(560 * 200 / (1.03 * 300))
    dashes = (page[100:520, left - 2 : left + 3] < 150).any(axis=(1, 2))
    elsewhere = (page[100:520, left - 42 : left - 37] < 150).any(axis=(1, 2))
    assert dashes.mean() > 0.4 > elsewhere.mean()
