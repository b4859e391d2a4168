"""A tenant's own retention: no clock expires more than a day a day, nothing else is harmed, and the sums stay."""

import asyncio
from datetime import UTC, date, datetime, timedelta

import asyncpg
import pytest

from ingest.jobs import runner
from ingest.knowledge.snapshot import Snapshot
from ingest.store import connections, expiry, partitions, snapshot, tenant_retention, tenants
from ingest.store.connections import Connection
from ingest.store.partitions import Kept
from ingest.store.retention import Time
from ingest.store.usage import comparison, rollups
from ingest.store.usage.comparison import Place
from ingest.usage import rounds
from tests.support import cluster, terminal
from tests.support.cluster import noon, operator
from tests.support.terminal import Run

DAYS, OWN = cluster.RETENTION_DAYS, 7
TODAY = datetime.now(UTC).date()
FIRST_KEPT = TODAY - timedelta(OWN + 1)
FAR = TODAY + timedelta(45)
STORED = [TODAY - timedelta(ago) for ago in (30, 29, 20, 16, 15, 12, 9, 8, 7, 4, 3, 0)]
PER_DAY = 3
_EVENTS = f"""
INSERT INTO events SELECT day::timestamptz, gen_random_uuid(), 5, 7, tenant, {", ".join(["1"] * 18)}
FROM unnest($1::date[]) AS day, generate_series(1, 2) AS tenant, generate_series(1, $2)
"""
_BATCHES = f"""
INSERT INTO batches SELECT day::timestamptz, gen_random_uuid(), 0, gen_random_uuid(), tenant,
    $2::integer, {", ".join(["0"] * 6)}
FROM unnest($1::date[]) AS day, generate_series(1, 2) AS tenant
"""
_RECOUNT = """
INSERT INTO usage_marks (tenant_id, first, last, events, xid)
SELECT tenant, day, day + interval '1 hour', 0, NULL
FROM unnest($1::timestamptz[]) AS day, generate_series(1, 2) AS tenant
"""
_DAYS = "SELECT occurred_at::date AS day, count(*) AS events FROM events WHERE tenant_id = $1 GROUP BY 1 ORDER BY 1"
_LEDGER = "SELECT received_at::date AS day FROM batches WHERE tenant_id = $1 ORDER BY 1"
_SUMS = "SELECT usage::text FROM usage ORDER BY 1"
_DIFFERENCES = "SELECT tenant_id, hour::date AS day, difference FROM usage_reconciliation"
_MARK = """
INSERT INTO usage_marks (tenant_id, first, last, events, marked_at)
VALUES ($1, $2::date + time '12:00', $2::date + time '12:00', 1, now() - $3::interval)
"""
_AUDIT = "SELECT tenant_id, act, days FROM audit WHERE act LIKE 'retention%' ORDER BY audit_id"
MINUTE, DAY = timedelta(minutes=1), timedelta(1)


@pytest.fixture
def full(database: str) -> str:
    """Return a database in which two tenants have three events and a batch of each day, all in the sums."""

    async def fill() -> None:
        async with operator(database) as connection:
            for name in ("acme", "globex"):
                await tenants.add(connection, name)
            await connection.execute(_EVENTS, STORED, PER_DAY)
            await connection.execute(_BATCHES, STORED, PER_DAY)
        await recount(database)

    asyncio.run(fill())
    cluster.let_the_clock_be_set(database)
    return database


@pytest.fixture
def run(full: str, capfd: pytest.CaptureFixture[str]) -> Run:
    return terminal.at(full, capfd)


async def recount(dsn: str) -> None:
    """Ask for all sums to be made again from the rows, and make them."""
    async with operator(dsn) as connection:
        await connection.execute(_RECOUNT, [datetime.combine(day, datetime.min.time(), UTC) for day in STORED])
    async with connections.connected(dsn, rounds.ROLE) as connection:
        assert await runner.run_once(connection, rounds.ROLLUP) is not None


def set_own(dsn: str, days: int | None, tenant_id: int = 1) -> None:
    async def act() -> None:
        async with connections.connected(dsn, "nocontent_control") as connection:
            await tenant_retention.set_days(connection, tenant_id, days)

    asyncio.run(act())


def keep(dsn: str, at: Time | None = None) -> Kept:
    async def round_() -> Kept:
        async with connections.connected(dsn, "nocontent_maintainer") as connection:
            return await (cluster.keep_at(connection, DAYS, at) if at else partitions.keep(connection, DAYS))

    return asyncio.run(round_())


def days_of(dsn: str, tenant_id: int) -> list[date]:
    return [row["day"] for row in cluster.fetch(dsn, _DAYS, tenant_id)]


def sums(dsn: str) -> list[str]:
    return [row["usage"] for row in cluster.fetch(dsn, _SUMS)]


def test_a_tenant_has_fewer_days_and_nobody_else_has(full: str) -> None:
    before = sums(full)
    set_own(full, OWN)
    assert keep(full).postponed == 0
    assert days_of(full, 1) == [day for day in STORED if day >= FIRST_KEPT]
    assert [row["day"] for row in cluster.fetch(full, _LEDGER, 1)] == days_of(full, 1)
    assert [tuple(row) for row in cluster.fetch(full, _DAYS, 2)] == [(day, PER_DAY) for day in STORED]
    assert [row["day"] for row in cluster.fetch(full, _LEDGER, 2)] == STORED
    assert sums(full) == before
    assert [row["difference"] for row in cluster.fetch(full, "SELECT difference FROM reconciliation")] == [0, 0]
    assert [tuple(row) for row in cluster.fetch(full, _AUDIT)] == [(1, "retention.set-tenant", OWN)]


def test_sums_of_deleted_rows_are_never_made_again(full: str) -> None:
    before = sums(full)
    set_own(full, OWN)
    keep(full)
    asyncio.run(recount(full))
    assert sums(full) == before

    async def again() -> None:
        async with connections.connected(full, rounds.ROLE) as connection:
            first, last = (datetime.combine(day, datetime.min.time(), UTC) for day in (STORED[0], TODAY))
            assert await rollups.recompute(connection, 1, first, last) == 24 * (OWN + 1) + 1

    asyncio.run(again())
    assert sums(full) == before


def test_a_comparison_leaves_out_what_only_sums_are_left_of(full: str) -> None:
    set_own(full, OWN)
    keep(full)
    found = cluster.fetch(full, _DIFFERENCES)
    assert {row["difference"] for row in found} == {0}
    assert min(row["day"] for row in found if row["tenant_id"] == 1) == FIRST_KEPT
    assert min(row["day"] for row in found if row["tenant_id"] == 2) == STORED[0]

    async def first(connection: Connection, tenant_id: int) -> date:
        place = await comparison.next_place(connection, Place(tenant_id, datetime(1970, 1, 1, tzinfo=UTC)))
        assert place is not None
        assert await comparison.agrees(connection, place)
        return place.hour.date()

    async def both() -> list[date]:
        async with connections.connected(full, rounds.ROLE) as connection:
            return [await first(connection, tenant_id) for tenant_id in (1, 2)]

    assert asyncio.run(both()) == [FIRST_KEPT, STORED[0]]


def test_clocks_that_jump_forward_expire_one_day(full: str) -> None:
    set_own(full, OWN)
    keep(full)
    for minutes in (0, 1, 90, 600):
        keep(full, Time(noon(FAR).now + minutes * MINUTE))
        assert days_of(full, 1) == [day for day in STORED if day > FIRST_KEPT]
    assert days_of(full, 2)[0] == STORED[0]  # The deployment's own horizon has gone as far, to a day without rows.


def test_clocks_that_disagree_or_go_back_expire_nothing(full: str) -> None:
    set_own(full, OWN)
    for at in (noon(FAR)._replace(is_adrift=True), noon(TODAY - timedelta(400)), noon(TODAY - timedelta(1))):
        keep(full, at)
        assert days_of(full, 1) == STORED


def test_a_retention_that_is_lengthened_brings_nothing_back_and_keeps_what_comes(full: str) -> None:
    before = sums(full)
    for days, left in ((20, 20), (None, 20), (OWN, OWN), (15, OWN), (3, 3), (None, 3)):
        set_own(full, days)
        assert keep(full).postponed == 0
        asyncio.run(recount(full))
        assert days_of(full, 1) == [day for day in STORED if day >= TODAY - timedelta(left + 1)]
        assert days_of(full, 2) == STORED
        assert sums(full) == before


def test_no_event_of_a_deleted_day_is_accepted_again(full: str) -> None:
    """Its row is gone, so it would be stored as new and counted twice."""
    set_own(full, OWN)
    keep(full)
    for days in (OWN, None):
        set_own(full, days)
        known = Snapshot()

        async def look(known: Snapshot = known) -> None:
            async with connections.connected(full, "nocontent_writer") as connection:
                await snapshot.refresh(connection, known)

        asyncio.run(look())
        oldest = {tenant_id: known.window(tenant).oldest_ms / 1000 for tenant_id, tenant in known.tenants.items()}
        now_s = known.clock.now_s
        own = now_s - OWN * 86_400 if days else datetime.combine(FIRST_KEPT, datetime.min.time(), UTC).timestamp()
        assert oldest == {1: pytest.approx(own, abs=60), 2: pytest.approx(now_s - DAYS * 86_400, abs=60)}
        assert known.days_of(known.tenants[1]) == (days or DAYS)


def test_events_that_are_not_in_the_sums_wait_for_a_day(full: str) -> None:
    set_own(full, OWN)
    waiting = STORED[2]
    for ago in (2 * 60 * MINUTE, MINUTE):
        cluster.run(full, "DELETE FROM usage_marks")

        async def mark(ago: timedelta = ago) -> None:
            async with operator(full) as connection:
                await connection.execute(_MARK, 1, waiting, ago)

        asyncio.run(mark())
        assert keep(full).postponed == 1
        assert days_of(full, 1) == [waiting, *[day for day in STORED if day >= FIRST_KEPT]]
    # The next day by the horizon, but the mark is new: whoever sums may just be at it.
    assert keep(full, noon(TODAY + DAY)).postponed == 1
    cluster.run(full, "UPDATE usage_marks SET marked_at = now() - interval '2 hours'")
    assert keep(full, noon(TODAY + DAY)).postponed == 0
    assert waiting not in days_of(full, 1)


def test_a_round_that_is_killed_leaves_the_rest_to_the_next(full: str) -> None:
    before = sums(full)
    set_own(full, OWN)

    async def slices(count: int) -> None:
        async with connections.connected(full, "nocontent_maintainer") as connection:
            for _ in range(count):
                (row,) = await connection.fetch("SELECT * FROM nocontent.trim_events(1, '2000-01-01', 2)")
                assert row["deleted"] in {1, 2}
            killed = asyncio.create_task(expiry.trim(connection))
            await asyncio.sleep(0)
            connection.terminate()
            with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
                await killed

    for count in (1, 2, 5):
        asyncio.run(slices(count))
        asyncio.run(recount(full))
        assert sums(full) == before
    keep(full)
    assert days_of(full, 1) == [day for day in STORED if day >= FIRST_KEPT]
    assert sums(full) == before


def test_the_deployment_comes_first(full: str) -> None:
    """A tenant has no more days than it, and fewer if it is shortened below the tenant's."""
    with pytest.raises(Exception, match="at most as many days"):
        set_own(full, DAYS + 1)
    set_own(full, 20)
    asyncio.run(cluster.set_retention(full, 10))
    cluster.run(full, "DELETE FROM usage_marks")
    keep(full)
    assert days_of(full, 1) == days_of(full, 2) == [day for day in STORED if day >= TODAY - timedelta(11)]


async def test_the_maintainer_deletes_nothing_that_is_kept(full: str) -> None:
    async with connections.connected(full, "nocontent_maintainer") as connection:
        for tenant_id in (1, 2, 99):
            (row,) = await connection.fetch("SELECT * FROM nocontent.trim_events($1, '2000-01-01', 10000)", tenant_id)
            assert (row["expired"], row["deleted"]) == (None, 0)
        with pytest.raises(asyncpg.RaiseError):
            await connection.fetchval("SELECT nocontent.trim_ledger(1, current_date, 10)")
        for change in ("retention_days = 1", "usage_frozen_before = NULL"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(f"UPDATE tenants SET {change}")
    async with connections.connected(full, "nocontent_control") as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("UPDATE tenants SET usage_frozen_before = NULL")


def test_the_command_shows_what_it_would_delete_and_asks(full: str, run: Run) -> None:
    gone = PER_DAY * len([day for day in STORED if day < FIRST_KEPT])
    status, said = run("retention", "set", str(OWN), "--tenant", "acme")
    assert status == 1
    assert f"{gone} events of {STORED[0]} to {FIRST_KEPT - DAY} would be deleted" in said
    assert cluster.fetch(full, _AUDIT) == []
    assert run("retention", "set", str(OWN), "--tenant", "acme", "--yes")[0] == 0
    keep(full)
    assert days_of(full, 1)[0] == FIRST_KEPT
    status, said = run("retention", "show", "--tenant", "acme")
    assert f"events before {FIRST_KEPT} were deleted" in said
    assert run("retention", "set", "deployment", "--tenant", "acme")[0] == 0
    assert run("retention", "set", str(DAYS), "--tenant", "acme")[0] == 0  # Nothing is deleted, so nothing is asked.
