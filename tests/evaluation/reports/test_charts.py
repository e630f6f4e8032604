from __future__ import annotations

from devos.evaluation.measures.metrics import Statistics
from devos.evaluation.reports.charts import MOST_COLUMNS, draw_chart
from devos.evaluation.rules.quality import ObjectQuality

MEASURES = ("J", "F")


def quality(frames: tuple[int, ...], values: list[float]) -> ObjectQuality:
    return ObjectQuality(frames, Statistics.of(values), Statistics.of([0.5] * len(values)))


def names(count: int) -> list[str]:
    return [f"{index:05d}" for index in range(count)]


def test_a_line_goes_through_every_value_with_1_at_the_top():
    chart = draw_chart(quality((1, 2, 3), [1.0, 0.25, 0.0]), names(5), MEASURES)
    assert chart.region == "M1 0h0L2 75L3 100"
    assert chart.last == 4
    assert chart.ticks == ("00000", "00002", "00004")


def test_a_line_is_broken_where_frames_were_not_evaluated():
    chart = draw_chart(quality((1, 2, 6, 7), [1.0, 1.0, 0.5, 0.5]), names(9), MEASURES)
    assert chart.region == "M1 0h0L2 0M6 50h0L7 50"


def test_frames_that_are_evaluated_now_and_then_are_joined_all_the_same():
    chart = draw_chart(quality((5, 10, 20), [1.0, 1.0, 0.0]), names(21), MEASURES)
    assert chart.region == "M5 0h0L10 0M20 100h0"


def test_each_frame_can_be_pointed_at_and_says_its_figures():
    chart = draw_chart(quality((1, 2), [1.0, 0.254]), names(4), ("J", "F_dot"))
    assert [column.text for column in chart.columns] == ["00001: J 100.0, F_dot 50.0", "00002: J 25.4, F_dot 50.0"]
    assert [(column.x, column.width) for column in chart.columns] == [(0.5, 1), (1.5, 1)]


def test_many_frames_share_columns_that_say_their_mean():
    count = 3 * MOST_COLUMNS - 1
    values = [0.0, 0.25, 1.0] * MOST_COLUMNS
    chart = draw_chart(quality(tuple(range(count)), values[:count]), names(count), MEASURES)
    assert len(chart.columns) == MOST_COLUMNS
    assert chart.columns[0].text == "00000 to 00002, mean: J 41.7, F 50.0"
    assert chart.columns[0].width == 3
    assert chart.columns[-1].width == 2


def test_a_video_of_one_frame_has_a_chart():
    chart = draw_chart(quality((0,), [0.5]), names(1), MEASURES)
    assert (chart.region, chart.last) == ("M0 50h0", 1)
