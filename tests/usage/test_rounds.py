"""Rounds of the jobs on real rows: what they add, and the differences that they find."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from ingest.jobs import runner
from ingest.jobs.job import Job
from ingest.store import batches, connections, tenants
from ingest.store import jobs as store
from ingest.store.connections import Connection
from ingest.usage import rollup, rounds
from tests.support import sample
from tests.support.cluster import operator
from tests.support.entries import entry

HOUR_MS = 3_600_000
TENANTS, HOURS = 2, 3


@pytest.fixture
async def biller(database: str) -> AsyncIterator[Connection]:
    """Yield a connection beside rows of two tenants in three closed hours and the current one, all summed."""
    async with operator(database) as connection:
        numbers = [await tenants.add(connection, f"tenant-{number}") for number in range(TENANTS)]
    async with connections.connected(database, "nocontent_writer") as writer:
        for number in numbers:
            times = [sample.now_ms() - hours * HOUR_MS for hours in (0, *range(3, 3 + HOURS))]
            await batches.store(
                writer, [entry(*(sample.event(event_id=sample.uuid7(at)) for at in times), tenant_id=number)]
            )
    async with connections.connected(database, rounds.ROLE) as connection:
        assert (await runner.run_once(connection, rounds.ROLLUP) or {})["rows_summed"] == TENANTS * (HOURS + 1)
        yield connection


async def _compare(connection: Connection, times: int = 1) -> dict[store.Figure, int]:
    """Compare a few times over all hours, with an hour in each round, and return the last figures."""
    figures: dict[store.Figure, int] = {}
    for _ in range(times):
        figures = dict(await runner.run_once(connection, Job("compare", rounds.compare)) or {})
    return figures


async def _progress(connection: Connection) -> dict[str, int]:
    return dict((await store.progress(connection)).figures)


async def test_every_closed_hour_has_its_turn(biller: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "HOURS_A_ROUND", 1)
    places = set()
    for _ in range(TENANTS * HOURS + 1):  # At the end the rotation starts again.
        figures = await _compare(biller)
        assert figures["hours_differing"] == 0
        places.add((figures["compared_tenant"], figures["compared_hour"]))
    assert len(places - {(0, 0)}) == TENANTS * HOURS
    assert (await _progress(biller))["hours_compared"] == TENANTS * HOURS


_OLD = "WHERE tenant_id = 1 AND at < $1"
CHANGES = {
    "a sum that is too large": f"UPDATE usage SET events = events + 1 {_OLD} AND grain = 4",
    "a cost that is too small": f"UPDATE usage SET reported_cost_nanousd = 0 {_OLD} AND grain = 1",
    "hours without sums": f"DELETE FROM usage {_OLD}",
    "rows that are gone": "DELETE FROM events WHERE tenant_id = 1 AND occurred_at < $1",
}


@pytest.mark.parametrize("changed", CHANGES)
async def test_a_difference_is_found_and_stays_until_it_is_mended(
    database: str, biller: Connection, changed: str
) -> None:
    async with operator(database) as connection:
        now = await connection.fetchval("SELECT now()")
        await connection.execute(CHANGES[changed], now - timedelta(hours=2))
        for _ in range(2):
            assert (await _compare(biller))["hours_differing"] == 1
        assert (await _progress(biller))["hours_differing"] == 1
        await connection.execute(
            "INSERT INTO usage_marks (tenant_id, first, last, events, xid) VALUES (1, $1, $2, 0, NULL)",
            now - timedelta(hours=24), now,
        )  # fmt: skip
    assert await runner.run_once(biller, rounds.ROLLUP)
    assert (await _compare(biller, times=2))["hours_differing"] == 0


async def test_an_hour_with_pending_rows_is_not_judged(database: str, biller: Connection) -> None:
    async with connections.connected(database, "nocontent_writer") as writer:
        at = sample.now_ms() - 3 * HOUR_MS
        await batches.store(writer, [entry(sample.event(event_id=sample.uuid7(at)), tenant_id=1)])
    assert (await _compare(biller))["hours_differing"] == 0
    assert (await runner.run_once(biller, rounds.ROLLUP) or {})["rows_summed"] == 1
    assert (await _compare(biller))["hours_differing"] == 0


async def test_a_round_of_rollups_rests_for_longer_after_many_rows(
    biller: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await rollup.roll_up(biller)).rest_s == rollup.REST_S
    monkeypatch.setattr(rollup, "BUSY_EVENTS", 0)
    assert (await rollup.roll_up(biller)).rest_s == rollup.BUSY_REST_S
