"""The step of the horizon by itself, for any walk of a clock; whole rounds: tests/bad_day/test_1_retention.py."""

import random
from datetime import UTC, date, datetime, timedelta

import pytest

from tests.support.cluster import operator

DAYS = 30
FIRST = datetime(2026, 3, 1, 12, tzinfo=UTC)
OLDEST = date(2026, 1, 29)
STEP = timedelta(hours=23)
_STEP = "SELECT moved_to, moved_at FROM nocontent.step_horizon($1, $2, $3, $4, $5)"


@pytest.mark.parametrize("seed", range(20))
async def test_no_walk_of_a_clock_lets_more_go_than_the_days_that_it_claims(shared_database: str, seed: int) -> None:
    chance = random.Random(seed)
    horizon, advanced_at = OLDEST, FIRST
    let_go, latest, now = 0, FIRST, FIRST
    async with operator(shared_database) as connection:
        for _ in range(400):
            now += timedelta(hours=chance.choice([0.2, 1, 24, 24 * 45, -24 * 45, -24, 24 * 3650, -24 * 3650]))
            is_adrift = chance.random() < 0.2
            (row,) = await connection.fetch(_STEP, DAYS, horizon, advanced_at, now, is_adrift)
            if row["moved_to"] > horizon:
                assert not is_adrift
                assert row["moved_to"] - horizon == timedelta(1)
                assert now - advanced_at >= STEP
                assert now > latest
                let_go, latest = let_go + 1, now
            horizon, advanced_at = row["moved_to"], row["moved_at"]
    assert let_go <= (latest - FIRST) / STEP
