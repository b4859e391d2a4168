"""The horizon under any walk of a clock, and who may move it; tests/bad_day/test_1_retention.py has whole rounds."""

import random
from datetime import UTC, date, datetime, timedelta

import asyncpg
import pytest

from ingest.store import connections, maintenance, retention
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


async def test_the_writer_cannot_move_the_horizon(database: str) -> None:
    async with connections.connected(database, "nocontent_writer") as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("UPDATE retention SET horizon = horizon + 1")
        assert await maintenance.days(database) == DAYS


async def test_the_maintainer_moves_the_horizon_by_one_day_however_often_it_asks(database: str) -> None:
    """Whatever it claims: the function has the guard and PostgreSQL's clock, and the table is closed."""
    before = "UPDATE retention SET horizon = horizon - 10, advanced_at = now() - interval '10 days' RETURNING horizon"
    async with operator(database) as connection:
        first = await connection.fetchval(before)
    async with connections.connected(database, "nocontent_maintainer") as connection:
        for _ in range(5):
            await connection.fetchrow("SELECT nocontent.advance_horizon(1, false)")
        known = await retention.read(connection)
        assert known is not None
        assert (known.days, known.horizon) == (DAYS, first + timedelta(1))
        for change in ("retention_days = 1", "horizon = horizon + 1", "advanced_at = now()"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(f"UPDATE retention SET {change}")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("SELECT nocontent.step_horizon(1, now()::date, now(), now(), false)")
