"""Drawings stay in their frame, and the JSON has the amounts of the SVG."""

import json
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from ingest.console.charts import drawing
from ingest.console.charts.drawing import HEIGHT, WIDTH, Chart, Line
from ingest.console.charts.measures import MEASURES
from ingest.console.charts.periods import UTC_ZONE, Period

SINCE = datetime(2026, 3, 1, tzinfo=UTC)
AMOUNTS = st.lists(st.integers(-(10**15), 10**15), min_size=1, max_size=40)


def _chart(now: list[int], *others: Line) -> Chart:
    period = Period(SINCE, SINCE + timedelta(days=len(now)), "day", UTC_ZONE)
    return Chart(MEASURES["spend"], period, period.starts(), [Line("This period", "now", now), *others])


@given(AMOUNTS, AMOUNTS)
def test_bars_and_marks_are_within_the_drawing(now: list[int], earlier: list[int]) -> None:
    found = drawing.drawing(_chart(now, Line("Before", "earlier", earlier[: len(now)])))
    assert len(found.bars) == len(now)
    for bar in found.bars:
        assert 0 <= bar.x <= bar.x + bar.width <= WIDTH
        assert -0.02 <= bar.y <= bar.y + bar.height <= HEIGHT + 0.02
        assert bar.mark is None or -0.02 <= bar.mark <= HEIGHT + 0.02
    assert [bar.amount for bar in found.bars] == now
    assert [bar.earlier for bar in found.bars if bar.earlier is not None] == earlier[: len(now)]


def test_a_loss_hangs_below_the_line_of_zero() -> None:
    gain, loss = drawing.drawing(_chart([300, -100])).bars
    zero = drawing.drawing(_chart([300, -100])).zero
    assert (gain.y, gain.y + gain.height) == (0, zero)
    assert (loss.y, loss.y + loss.height) == (zero, HEIGHT)


def test_nothing_at_all_is_a_flat_line() -> None:
    assert {bar.height for bar in drawing.drawing(_chart([0, 0, 0])).bars} == {0}
    assert drawing.drawing(_chart([0])).top == 0


def test_curves_have_a_point_for_each_unit_and_the_rest_no_colour() -> None:
    period = Period(SINCE, SINCE + timedelta(days=2), "day", UTC_ZONE)
    lines = [Line("large", "group", [10, 20]), Line("All others", "rest", [0, 5])]
    found = drawing.drawing(Chart(MEASURES["requests"], period, period.starts(), lines))
    assert found.bars == []
    assert [(curve.name, curve.number, curve.points.count(",")) for curve in found.curves] == [
        ("large", 1, 2), ("All others", 0, 2),
    ]  # fmt: skip


@given(AMOUNTS)
def test_the_document_has_dollars_and_dates(now: list[int]) -> None:
    found = json.loads(drawing.document(_chart(now)))
    assert [round(value * 1e9) for value in found["series"][0]["values"]] == now
    assert found["days"] == [(SINCE + timedelta(days=number)).date().isoformat() for number in range(len(now))]
    assert found["labels"] == found["days"]
