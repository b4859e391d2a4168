"""The horizon as a pure function, for any walk of a clock; with a database: tests/bad_day/test_1_retention.py."""

import random
from datetime import UTC, date, datetime, timedelta

import pytest

from ingest.store import retention
from ingest.store.retention import Retention, Time

DAYS = 30
FIRST = datetime(2026, 3, 1, 12, tzinfo=UTC)
OLDEST = date(2026, 1, 29)


@pytest.mark.parametrize("seed", range(20))
def test_no_walk_of_a_clock_lets_more_go_than_the_days_that_it_claims(seed: int) -> None:
    chance = random.Random(seed)
    first = FIRST
    known = Retention(DAYS, OLDEST, first)
    let_go, latest, now = 0, first, first
    for _ in range(400):
        now += timedelta(hours=chance.choice([0.2, 1, 24, 24 * 45, -24 * 45, -24, 24 * 3650, -24 * 3650]))
        moved, _ = retention._step(known, Time(now, is_adrift=chance.random() < 0.2))  # noqa: SLF001 (the pure part)
        if moved.horizon > known.horizon:
            assert moved.horizon - known.horizon == timedelta(1)
            assert now - known.advanced_at >= retention.STEP
            assert now > latest
            let_go, latest = let_go + 1, now
        known = moved
    assert let_go <= (latest - first) / retention.STEP
