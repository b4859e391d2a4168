"""A short run of the killer, a build that acknowledges too early and is caught, and planted faults for the checker."""

import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from pathlib import Path
from uuid import UUID

import pytest

from ingest.jobs import runner
from ingest.store import rows
from ingest.store.batches import NO_SEQUENCE
from ingest.store.connections import Connection
from ingest.usage import rounds
from tests.faults import __main__ as faults
from tests.faults import checker, sums
from tests.faults.batches import Batch, Nature, origin
from tests.faults.killer import KINDS
from tests.faults.notebook import Notebook
from tests.support import breakage, sample
from tests.support.breakage import Edit
from tests.support.cluster import operator

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="looks for its victims in /proc")
TENANT, REPORTING = 7, 8
STREAM = UUID(sample.uuid7())
LAST_LINE = re.compile(r"([\d,]+) kills, ([\d,]+) acknowledged, ([\d,]+) lost, ([\d,]+) doubled")
REPORTERS = re.compile(r"^reporters (.*)$", re.MULTILINE)
# Acknowledges every batch of a group before its transaction begins.
ANSWER_FIRST = Edit(
    "ingest/intake/writer.py",
    "            ending = await self._transact(batches.store, group)\n",
    "            _answer(group, [Receipt(waiting.entry.events, 0) for waiting in group])\n"
    "            ending = await self._transact(batches.store, group)\n",
)


def _last_line(printed: str) -> list[int]:
    found = LAST_LINE.fullmatch(printed.splitlines()[-1])
    assert found, printed
    return [int(number.replace(",", "")) for number in found.groups()]


# Slow because every kind of kill happens, and everything has to recover each time.
@LINUX
@pytest.mark.timeout(300)
def test_no_way_to_die_loses_or_doubles_an_acknowledged_event(capsys: pytest.CaptureFixture[str]) -> None:
    status = faults.main(["--kills", str(len(KINDS)), "--rate", "20000"])
    printed = capsys.readouterr().out
    kills, acknowledged, lost, doubled = _last_line(printed)
    assert (status, kills, lost, doubled) == (0, len(KINDS), 0, 0), printed
    reported, kept, stored, dropped = map(int, re.findall(r"\d+", REPORTERS.findall(printed)[0].replace(",", ""))[:4])
    assert stored + dropped >= kept > 0
    assert stored + dropped <= reported
    assert acknowledged > len(KINDS) * faults.ACKNOWLEDGED_PER_KILL_MIN


# Slow because PostgreSQL is killed three times.
@LINUX
@pytest.mark.timeout(300)
def test_a_build_that_answers_before_commit_is_caught(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    broken = breakage.copy_broken(tmp_path / "checkout", ANSWER_FIRST)
    kinds = ["postgres-killed", "postgres-quit", "writer-killed"]
    status = faults.main(["--kills", "3", "--kinds", *kinds, "--proxies", "0", "--checkout", str(broken)])
    printed = capsys.readouterr().out
    _, _, lost, _ = _last_line(printed)
    assert status == 1
    assert lost > 0, printed


_MARK = """
INSERT INTO usage_marks (tenant_id, first, last, events, xid) VALUES ($1, now() - interval '1 day', now(), 0, NULL)
"""


class Tables:
    """Return a notebook of a few batches, and tables that agree with it."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.notebook = Notebook()
        self.acknowledged = self._begin(5, (STREAM, 1))
        self.loose = self._begin(4, None)
        self.refused = self._begin(3, (STREAM, 2), Nature.BAD)
        self.unanswered = self._begin(4, (STREAM, 3))
        self.denied = self._begin(2, None)
        self.kept = self._begin(3, (STREAM, 0), Nature.REPORTED, REPORTING)
        self.kept.was_acknowledged = self.acknowledged.was_acknowledged = self.loose.was_acknowledged = True
        self.refused.was_refused = True
        self.unanswered.was_in_doubt = True
        self.notebook.acknowledged = self.acknowledged.own + self.loose.own

    def _begin(
        self, own: int, stream: tuple[UUID, int] | None, nature: Nature = Nature.GOOD, tenant: int = TENANT
    ) -> Batch:
        batch = Batch(len(self.notebook.batches), tenant, sample.now_ms(), 0xABC, own, 0, stream, nature)
        self.notebook.batches.append(batch)
        return batch

    async def store(self, batch: Batch) -> None:
        for place in range(batch.own):
            await self.insert(UUID(int=batch.event_id(place)), batch.at_ms, batch.tenant_id)
        await self.enter(batch)

    async def insert(self, event_id: UUID, at_ms: int, tenant: int = TENANT) -> None:
        given = {"occurred_at": "to_timestamp($1 / 1000.0)", "event_id": "$2", "tenant_id": str(tenant)}
        values = ", ".join(given.get(name, "0") for name in rows.COLUMNS)
        await self.connection.execute(
            f"INSERT INTO events ({', '.join(rows.COLUMNS)}) VALUES ({values})", at_ms, event_id
        )

    async def enter(self, batch: Batch) -> None:
        stream_id, sequence = batch.stream or (UUID(sample.uuid7()), NO_SEQUENCE)
        await self.connection.execute(
            "INSERT INTO batches (tenant_id, stream_id, sequence, digest, accepted, duplicates, coarsened,"
            " dropped_queue_full, dropped_retries_exhausted, dropped_refused, dropped_shutdown)"
            " VALUES ($1, $2, $3, $2, $4, 0, 0, 0, 0, 0, 0)",
            batch.tenant_id, stream_id, sequence, batch.own,
        )  # fmt: skip

    async def lose(self, batch: Batch, places: Iterable[int]) -> None:
        ids = [UUID(int=batch.event_id(place)) for place in places]
        await self.connection.execute("DELETE FROM events WHERE event_id = ANY($1::uuid[])", ids)

    async def sum(self) -> None:
        """Have the rows summed: they came without marks."""
        for tenant in (TENANT, REPORTING):
            await self.connection.execute(_MARK, tenant)
        await runner.run_once(self.connection, rounds.ROLLUP)

    async def set_of_reporter(self, column: str, value: int) -> None:
        await self.connection.execute(f"UPDATE batches SET {column} = {value} WHERE tenant_id = {REPORTING}")

    async def strike_out(self, batch: Batch) -> None:
        await self.connection.execute("DELETE FROM batches WHERE sequence = $1", (batch.stream or ("", NO_SEQUENCE))[1])


async def _lose_a_batch(tables: Tables) -> None:
    await tables.lose(tables.acknowledged, range(5))
    await tables.strike_out(tables.acknowledged)


async def _drop_a_kept_event(tables: Tables) -> None:
    await tables.lose(tables.kept, [1])
    await tables.set_of_reporter("accepted", 2)
    await tables.set_of_reporter("dropped_queue_full", 1)


async def _enter_under_another_sequence(tables: Tables) -> None:
    tables.acknowledged.stream = STREAM, 9
    await tables.enter(tables.acknowledged)
    tables.acknowledged.stream = STREAM, 1


_SUM = {"tenants whose ledger does not add up": 1}
Plant = Callable[[Tables], Awaitable[None]]
PLANTS: dict[str, tuple[Plant, dict[str, int]]] = {
    "a lost batch": (_lose_a_batch, {"lost": 5}),
    "a lost event": (
        lambda tables: tables.lose(tables.acknowledged, [2]),
        {"lost": 1, "doubled": 1, "batches stored in part": 1, **_SUM},
    ),
    "a batch entered twice": (lambda tables: tables.enter(tables.loose), {"doubled": 4, **_SUM}),
    "a batch entered under another sequence": (_enter_under_another_sequence, {"doubled": 5, **_SUM}),
    "a batch struck out": (lambda tables: tables.strike_out(tables.acknowledged), {"doubled": 5, **_SUM}),
    "an id at two times": (
        lambda tables: tables.insert(UUID(int=tables.loose.event_id(1)), tables.loose.at_ms + 1),
        {"doubled": 1, **_SUM},
    ),
    "a refused batch": (lambda tables: tables.store(tables.refused), {"refused but stored": 3}),
    "a denied batch": (
        lambda tables: tables.store(tables.denied), {"stored though the answer said that nothing was": 2},
    ),
    "half a batch": (
        lambda tables: tables.lose(tables.unanswered, [0, 1]), {"batches stored in part": 1, "doubled": 2, **_SUM},
    ),
    "an event of a spool that is nowhere": (lambda tables: tables.lose(tables.kept, [1]), {"lost": 1, **_SUM}),
    "an event of a spool that was dropped and counted": (_drop_a_kept_event, {}),
    "an event of a spool that was stored and counted as dropped": (
        lambda tables: tables.set_of_reporter("dropped_shutdown", 1), {"stored, and counted as dropped": 1},
    ),
    "a number that no batch of a reporter has": (
        lambda tables: tables.set_of_reporter("sequence", 2), {"gaps in the streams of reporters": 2},
    ),
    "an event that nobody sent": (
        lambda tables: tables.insert(UUID(sample.uuid7()), sample.now_ms()), {"stored and never sent": 1, **_SUM},
    ),
}  # fmt: skip


@pytest.fixture
async def tables(database: str) -> AsyncIterator[Tables]:
    async with operator(database) as connection:
        made = Tables(connection)
        for batch in (made.acknowledged, made.loose, made.unanswered, made.kept):
            await made.store(batch)
        yield made


async def test_the_checker_finds_nothing_where_all_is_well(tables: Tables) -> None:
    await tables.sum()
    verdict = await checker.check(tables.connection, tables.notebook)
    assert (verdict.faults(), verdict.acknowledged, verdict.stored.total()) == ({}, 9, 16)


@pytest.mark.parametrize("planted", PLANTS)
async def test_the_checker_sees(tables: Tables, planted: str) -> None:
    plant, faults = PLANTS[planted]
    await plant(tables)
    await tables.sum()
    assert (await checker.check(tables.connection, tables.notebook)).faults() == faults


@pytest.mark.parametrize("grain", [grain.number for grain in sums.GRAINS])
@pytest.mark.parametrize("changed", ["streamed = streamed + 1", "task_category = 9", "latency_counts = '{0}'"])
async def test_the_checker_sees_a_sum_that_is_not_that_of_the_rows(tables: Tables, grain: int, changed: str) -> None:
    await tables.sum()
    changing = f"UPDATE usage SET {changed} WHERE tenant_id = {TENANT} AND grain = {grain}"
    assert await tables.connection.execute(changing) == "UPDATE 1"
    found = (await checker.check(tables.connection, tables.notebook)).faults()
    assert found == {"sums of rollups that differ from the rows": 2}  # The sum that is there, and the one that is not.


async def test_the_checker_sees_a_mark_that_is_left(tables: Tables) -> None:
    await tables.sum()
    await tables.connection.execute(_MARK, TENANT)
    found = (await checker.check(tables.connection, tables.notebook)).faults()
    assert found == {"sums of rollups that differ from the rows": 1}


def test_an_id_tells_its_batch_and_place() -> None:
    batch = Batch(2**40 + 3, TENANT, sample.now_ms(), 0xFFF, 1_000, 0, None, Nature.GOOD)
    assert [UUID(text).int for text in batch.ids(1_000)] == [batch.event_id(place) for place in range(1_000)]
    assert origin(batch.event_id(999)) == (2**40 + 3, 999)
