"""Tables as CSV: exact, and no cell is run as a formula by a spreadsheet."""

import csv
import io
from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.console import figures, tables
from ingest.console.tables import Cell, Column, Kind, Link, Table

FORMULAS = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", '=HYPERLINK("http://x")', "＝1", "－1")


def read(kind: Kind, cell: Cell) -> str:
    made = tables.to_csv(Table("t", "T", [Column("first", "First"), Column("x", "X", kind)], [("a", cell)]))
    header, row = csv.reader(io.StringIO(made.decode("utf-8"), newline=""))
    assert header == ["first", "x"]
    return row[1]


@pytest.mark.parametrize("cell", FORMULAS)
def test_a_formula_is_text(cell: str) -> None:
    assert read("text", cell) == f"'{cell}"
    assert read("code", Link(cell, "/x")) == f"'{cell}"


@given(st.text())
def test_no_text_begins_as_a_formula(cell: str) -> None:
    found = read("text", cell)
    assert not found.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
    assert found.removeprefix("'") in {cell, cell.removeprefix("'")}


@pytest.mark.parametrize(
    ("kind", "cell", "written"),
    [
        ("money", 1_234_567_890_123, "1234.567890123"),
        ("money", -1, "-0.000000001"),
        ("money", 0, "0"),
        ("count", -5, "-5"),
        ("share", 0.25, "0.25"),
        ("ms", 12, "12"),
        ("text", None, ""),
        ("day", date(2026, 11, 28), "2026-11-28"),
        (
            "when",
            datetime(2026, 11, 28, 13, 45, tzinfo=timezone(timedelta(hours=5, minutes=45))),
            "2026-11-28T08:00:00Z",
        ),
    ],
)
def test_numbers_and_times_are_exact(kind: Kind, cell: Cell, written: str) -> None:
    assert read(kind, cell) == written


@pytest.mark.parametrize(
    ("nanousd", "shown"),
    [
        (0, "$0.00"), (1, "$0.000000001"), (1_000, "$0.000001"), (9_999_999, "$0.010000"), (10_000_000, "$0.01"),
        (1_005_000_000, "$1.01"), (1_234_567_890_000, "$1,234.57"), (-2_500_000_000, "−$2.50"),
    ],
)  # fmt: skip
def test_money_is_rounded_half_away_from_zero(nanousd: int, shown: str) -> None:
    assert figures.money(nanousd) == shown


def test_figures_are_grouped_and_unknown_ones_are_a_dash() -> None:
    assert figures.count(1_234_567) == "1,234,567"
    assert figures.share(0.1234) == "12.3 %"
    assert figures.size(1_536) == "1.5 KiB"
    assert figures.milliseconds(1_234.6) == "1,235 ms"
    assert figures.money(None) == figures.count(None) == figures.share(None) == figures.size(None)


def test_a_time_has_the_exact_one_beside_that_of_the_zone() -> None:
    at = datetime(2026, 11, 28, 8, 0, 5, tzinfo=UTC)
    assert figures.when(at, ZoneInfo("America/New_York")) == (
        '<time datetime="2026-11-28T08:00:05Z" title="2026-11-28 03:00:05 EST">2026-11-28 03:00</time>'
    )
