"""Retention: no clock, restart, crash or node's setting drops more than one day of events at a time."""

import asyncio
from datetime import UTC, date, datetime, timedelta

import pytest

from ingest import embedded
from ingest.embedded import process
from ingest.errors import Unavailable
from ingest.store import connections, migrate, partitions, retention
from ingest.store.connections import Connection
from ingest.store.partitions import Kept
from ingest.store.retention import Horizon, Time
from tests.support import cluster, faketime, service, terminal
from tests.support.cluster import Cluster, noon, operator
from tests.support.terminal import Run

DAYS = cluster.RETENTION_DAYS
TODAY = datetime.now(UTC).date()
OLDEST = TODAY - timedelta(DAYS + 1)
FAR = TODAY + timedelta(45)
RUNS = 50
_ROW = "INSERT INTO events SELECT $1::date + time '12:00', gen_random_uuid(), " + ", ".join(["0"] * 21)
_BATCH = "INSERT INTO batches SELECT $1::date + time '12:00', gen_random_uuid(), 0, gen_random_uuid(), " + ", ".join(
    ["1"] * 8
)
_TABLES = "SELECT relname FROM pg_class WHERE relname ~ '^events_[0-9]{8}$' AND relkind = 'r' ORDER BY relname"
_STORED = "SELECT occurred_at::date AS day FROM events ORDER BY 1"
_LEDGER = "SELECT received_at::date AS day FROM batches ORDER BY 1"
_AUDIT = "SELECT act, days FROM audit WHERE act LIKE 'retention%' ORDER BY audit_id"
needs_faketime = pytest.mark.skipif(faketime.LIBRARY is None, reason=faketime.MISSING)
STORED = [TODAY - timedelta(ago) for ago in range(DAYS, -1, -1)]


def clock_at(day: date, hour: int = 12) -> Time:
    return Time(noon(day).now + timedelta(hours=hour - 12))


@pytest.fixture
def full(database: str) -> str:
    """Return a database with an event and a batch of each day."""

    async def fill() -> None:
        async with operator(database) as connection:
            for day in STORED:
                await connection.execute(_ROW, day)
                await connection.execute(_BATCH, day)

    asyncio.run(fill())
    cluster.let_the_clock_be_set(database)
    return database


async def keep(dsn: str, at: Time | None = None, first_days: int = DAYS) -> Kept:
    async with connections.connected(dsn, "nocontent_maintainer") as connection:
        return await (cluster.keep_at(connection, first_days, at) if at else partitions.keep(connection, first_days))


async def advance(connection: Connection, at: Time) -> Horizon:
    await connection.execute("SELECT set_config('test.moment', $1, false)", at.now.isoformat())
    return await retention.advance(connection, DAYS, at)


def stored(dsn: str) -> tuple[list[date], list[date]]:
    """Return the days that have an event, and those that have a batch."""
    events, batches = cluster.fetch(dsn, _STORED), cluster.fetch(dsn, _LEDGER)
    return [row["day"] for row in events], [row["day"] for row in batches]


def tables(dsn: str) -> list[str]:
    return [row["relname"] for row in cluster.fetch(dsn, _TABLES)]


@pytest.fixture
def run(full: str, capfd: pytest.CaptureFixture[str]) -> Run:
    return terminal.at(full, capfd)


def test_a_jump_of_both_clocks_drops_one_day_however_often_it_is_maintained(full: str) -> None:
    kept = [asyncio.run(keep(full, noon(FAR))) for _ in range(RUNS)]
    assert [each.dropped for each in kept] == [1] + [0] * (RUNS - 1)
    assert {each.behind_days for each in kept} == {44}
    assert kept[0].is_held_back
    assert stored(full) == (STORED, STORED)  # The day that was dropped is the one before the window.
    # No gap and no flood of tables; once the clock is right again, all is as before.
    names = tables(full)
    first = TODAY - timedelta(DAYS)
    assert names == [partitions.partition_name(first + timedelta(n)) for n in range((FAR - first).days + 8)]
    back = asyncio.run(keep(full, noon(TODAY)))
    assert (back.dropped, back.failed, back.ahead_days) == (0, 0, 52)
    assert stored(full) == (STORED, STORED)


def test_clocks_that_jump_to_and_fro_drop_one_day(full: str) -> None:
    dropped = 0
    for _ in range(10):
        for day in (FAR, TODAY, TODAY - timedelta(45), FAR):
            dropped += asyncio.run(keep(full, noon(day))).dropped
    events, batches = stored(full)
    assert events == batches == STORED
    assert dropped == 1


@pytest.mark.parametrize("day", [date(2036, 1, 1), date(2199, 12, 31)])
def test_a_clock_that_is_years_off_makes_no_thousands_of_tables(full: str, day: date) -> None:
    before = len(tables(full))
    for _ in range(3):
        assert asyncio.run(keep(full, noon(day))).failed == 0
    assert len(tables(full)) <= before + DAYS + 1 + 1 + 7
    assert asyncio.run(keep(full, noon(TODAY))).ahead_days == 7
    assert stored(full) == (STORED, STORED)


def test_where_the_clocks_disagree_nothing_is_dropped_and_days_ahead_are_made(full: str) -> None:
    for later in (1, 2, 45):
        at = noon(TODAY + timedelta(later))._replace(is_adrift=True)
        kept = asyncio.run(keep(full, at))
        assert (kept.dropped, kept.withheld, kept.is_held_back, kept.ahead_days) == (0, "clock-adrift", True, 7)
    assert stored(full) == (STORED, STORED)


def test_a_day_that_was_let_go_stays_while_the_clocks_disagree(full: str) -> None:
    """One of the clocks that now disagree released it."""

    async def let_go() -> None:
        async with operator(full) as connection:
            await connection.execute(_ROW, OLDEST)
            assert (await advance(connection, noon(TODAY + timedelta(1)))).behind_days == 0

    asyncio.run(let_go())
    adrift = noon(TODAY + timedelta(1))._replace(is_adrift=True)
    assert asyncio.run(keep(full, adrift)).dropped == 0
    assert asyncio.run(keep(full, noon(TODAY + timedelta(1)))).dropped == 1


def test_day_by_day_one_goes_and_nothing_is_withheld(full: str) -> None:
    for later in range(1, 15):
        for hour in (0, 6, 23):
            kept = asyncio.run(keep(full, clock_at(TODAY + timedelta(later), hour)))
            assert (kept.dropped, kept.behind_days, kept.is_held_back) == (int(hour == 0), 0, False)
    assert stored(full)[0] == STORED[13:]


@pytest.mark.parametrize("deaths", [1, 5])
async def test_a_crash_between_the_guard_and_the_drop_opens_nothing(full: str, deaths: int) -> None:
    at = noon(FAR)
    for _ in range(deaths):
        async with connections.connected(full, "nocontent_maintainer") as connection:
            await advance(connection, at)  # Committed; then the process is killed.
            connection.terminate()
    dropped = [(await keep(full, at)).dropped for _ in range(5)]
    assert dropped == [1, 0, 0, 0, 0]
    assert (await asyncio.to_thread(stored, full))[0] == STORED


async def test_a_guard_that_was_not_committed_lets_nothing_go(full: str) -> None:
    async with operator(full) as other, other.transaction():
        await other.execute("LOCK TABLE retention IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(Unavailable):
            await keep(full, noon(FAR))
    assert len(await asyncio.to_thread(tables, full)) == DAYS + 9


async def test_four_maintainers_at_once_let_one_day_go(full: str) -> None:
    for _ in range(3):
        await asyncio.gather(*(keep(full, noon(FAR)) for _ in range(4)))
    async with operator(full) as connection:
        known = await retention.read(connection)
    assert known is not None
    assert known.horizon == OLDEST + timedelta(1)


def test_a_database_from_before_the_guard_begins_with_what_it_has(full: str) -> None:
    """Maintenance was off for ten days, or a clock is wrong: the first round drops nothing."""
    cluster.run(full, "UPDATE retention SET retention_days = NULL, horizon = NULL, advanced_at = NULL")
    kept = asyncio.run(keep(full, noon(FAR)))
    assert (kept.dropped, kept.behind_days) == (0, 45)
    assert asyncio.run(keep(full, noon(FAR))).dropped == 0
    assert stored(full) == (STORED, STORED)


def test_a_fresh_database_that_began_by_a_wrong_clock_keeps_what_comes_later(postgres: Cluster) -> None:
    dsn = postgres.empty()

    async def begin() -> None:
        async with operator(dsn) as connection:
            await migrate.migrate(connection)
        await asyncio.to_thread(cluster.let_the_clock_be_set, dsn)
        await keep(dsn, noon(FAR))
        await keep(dsn, noon(TODAY))
        async with operator(dsn) as connection:
            for day in STORED:
                await connection.execute(_ROW, day)
        for _ in range(10):
            await keep(dsn, noon(FAR + timedelta(1)))

    asyncio.run(begin())
    assert stored(dsn)[0] == STORED
    postgres.drop(dsn)


# A node's setting, and an operator's acts.


def test_a_typo_in_the_setting_of_a_node_drops_nothing_and_is_told(full: str, run: Run) -> None:
    for _ in range(3):
        status, said = run("maintain", retention_days=3)
        assert status == 1
        assert "NOCONTENT_RETENTION_DAYS is 3, but the database's 30 days apply" in said
    assert stored(full) == (STORED, STORED)
    assert run("maintain", retention_days=30)[0] == 0
    assert run("maintain")[0] == 0


def test_retention_is_set_by_an_act_that_is_audited_and_drops_what_it_says(full: str, run: Run) -> None:
    status, said = run("retention", "set", "3")
    assert (status, said) == (
        0,
        f"3 days are kept; the next round drops what is older than {TODAY - timedelta(4)}\n",
    )
    assert run("maintain")[1].startswith("partitions: 0 created, 27 dropped")
    assert stored(full)[0] == STORED[-5:]
    assert run("retention", "set", "30")[0] == 0
    assert run("maintain")[1].startswith("partitions: 27 created, 0 dropped")
    assert [tuple(row.values()) for row in cluster.fetch(full, _AUDIT)] == [("retention.set", 3), ("retention.set", 30)]
    assert "30 days are kept" in run("retention", "show")[1]


@pytest.mark.parametrize("days", ["0", "401", "-1", "three", ""])
def test_no_other_retention_can_be_set(full: str, run: Run, days: str) -> None:
    assert run("retention", "set", days)[0] == 2
    assert cluster.fetch(full, _AUDIT) == []


def test_a_shorter_retention_is_relative_so_that_no_clock_has_a_part_in_it(full: str) -> None:
    asyncio.run(keep(full, noon(FAR)))  # Both clocks are 45 days ahead.
    asyncio.run(cluster.set_retention(full, DAYS - 1))
    assert asyncio.run(keep(full, noon(FAR))).dropped == 1
    assert stored(full)[0] == STORED[1:]


def test_a_backlog_is_let_go_by_an_act_that_names_the_day(full: str, run: Run) -> None:
    cluster.run(full, "UPDATE retention SET horizon = horizon - 10, advanced_at = now() - interval '10 days'")
    cluster.run(full, f"CREATE TABLE {partitions.partition_name(OLDEST - timedelta(5))} (LIKE events)")
    cluster.run(full, f"ALTER TABLE {partitions.partition_name(OLDEST - timedelta(5))} OWNER TO nocontent_maintainer")
    status, said = run("maintain")
    assert status == 1
    assert "not dropped: 9 days past retention, because maintenance releases one day per day" in said
    status, said = run("retention", "catch-up")
    assert (status, said.splitlines()[-1]) == (1, f"nocontent retention catch-up {OLDEST}")
    for day in (OLDEST + timedelta(1), OLDEST - timedelta(30)):
        assert "must be between" in run("retention", "catch-up", str(day))[1]
    assert run("retention", "catch-up", "tomorrow")[0] == 2
    assert run("retention", "catch-up", str(OLDEST)) == (0, f"the next round drops what is older than {OLDEST}\n")
    assert run("maintain") == (0, "partitions: 0 created, 1 dropped, 0 postponed, 7 days ahead\n")
    assert run("retention", "catch-up") == (0, "nothing waits to be dropped\n")
    assert [tuple(row.values()) for row in cluster.fetch(full, _AUDIT)] == [("retention.catch-up", 9)]


def test_a_clock_that_went_back_is_told_and_an_act_goes_on_from_there(full: str, run: Run) -> None:
    cluster.run(full, "UPDATE retention SET horizon = horizon - 1, advanced_at = now() + interval '45 days'")
    status, said = run("maintain")
    assert status == 1
    assert "PostgreSQL's clock shows a time before" in said
    assert run("retention", "catch-up", str(OLDEST))[0] == 0
    assert run("maintain")[0] == 0


@needs_faketime
def test_a_node_alone_in_the_future_drops_nothing_and_says_so(full: str) -> None:
    before = tables(full)
    env = service.environment(full) | faketime.environment(45 * 86_400)
    for _ in range(3):
        ended = service.command("maintain", env=env)
        assert ended.returncode == 1
        assert b"this machine's clock and PostgreSQL's disagree" in ended.stdout
    ended = service.command("retention", "catch-up", str(OLDEST), env=env)
    assert (ended.returncode, b"disagree" in ended.stderr) == (2, True)
    assert tables(full) == before
    assert stored(full) == (STORED, STORED)


@needs_faketime
def test_a_machine_whose_clock_jumps_loses_one_day_over_many_restarts(monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL and the node on one machine, both 45 days ahead from one start to the next."""
    wrong = faketime.environment(45 * 86_400)
    with cluster.open_folder() as opened:
        with embedded.start(opened / "pg", settings=cluster.SETTINGS) as server:
            asyncio.run(_migrate(server.dsn))
        for name, value in wrong.items():
            monkeypatch.setitem(process._ENVIRONMENT, name, value)  # noqa: SLF001 (of PostgreSQL's process)
        for restart in range(3):
            with embedded.start(opened / "pg", settings=cluster.SETTINGS) as server:
                (row,) = cluster.fetch(server.dsn, "SELECT clock_timestamp()::date AS day")
                assert row["day"] >= FAR
                ended = service.command("maintain", env=service.environment(server.dsn) | wrong)
                assert f" {int(restart == 0)} dropped" in ended.stdout.decode()
                assert (ended.returncode, b"not dropped: 44 days past retention" in ended.stdout) == (1, True)
                assert stored(server.dsn) == (STORED, STORED)


async def _migrate(dsn: str) -> None:
    async with operator(dsn) as connection:
        await migrate.migrate(connection)
        await keep(dsn)
        for day in STORED:
            await connection.execute(_ROW, day)
            await connection.execute(_BATCH, day)


async def test_a_worker_tells_how_far_retention_is_behind(full: str) -> None:
    async with operator(full) as connection:
        assert retention.behind_days(await retention.read(connection), datetime.now(UTC)) == 0
        await connection.execute("UPDATE retention SET horizon = horizon - 12")
        assert retention.behind_days(await retention.read(connection), datetime.now(UTC)) == 12
