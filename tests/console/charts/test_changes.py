"""A figure against the one before."""

import pytest

from ingest.console.charts import changes
from ingest.console.charts.changes import Change


@pytest.mark.parametrize(
    ("now", "before", "expected"),
    [
        (150, 100, Change("up", 0.5, 100)),
        (50, 100, Change("down", -0.5, 100)),
        (100, 100, Change("same", 0.0, 100)),
        (100, 0, Change("new", None, 0)),
        (0, 0, Change("none", None, 0)),
        (0, 100, Change("down", -1.0, 100)),
        (-50, -100, Change("up", 0.5, -100)),  # Savings may be losses: this one is smaller.
    ],
)
def test_a_change_has_a_direction_and_a_part_of_what_was(now: int, before: int, expected: Change) -> None:
    assert changes.change(now, before) == expected


def test_a_part_of_nothing_is_unknown() -> None:
    assert changes.part(0, 0) is None
    assert changes.part(1, 4) == 0.25
