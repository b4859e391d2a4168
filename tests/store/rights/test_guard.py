"""The role that erases can delete nothing that no erasure names, and nothing before its order and the barrier."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest

from ingest.store import connections
from ingest.store.connections import Connection
from ingest.store.rights import erasing as store
from ingest.store.rights import erasures
from ingest.store.rights.erasures import STEPS, Subject
from ingest.store.rights.errors import SubjectChanged, WritersBusy
from ingest.store.tenant_tables import TENANT_TABLES
from tests.support import erasing, logins
from tests.support.cluster import operator

ONE, OTHER = 1, 2
_START = "'-infinity', '00000000-0000-0000-0000-000000000000'"
_RECORD = "INSERT INTO nocontent.erasures (tenant_id, erasure_id, scope, revision) VALUES (1, $1, 'tenant', 0)"
_DELETING = (
    f"SELECT nocontent.erase_events($1, $2, current_date - 1, {_START}, 5000)",
    "SELECT nocontent.erase_rows($1, $2, 'batches', 5000)",
    "SELECT nocontent.erase_rows($1, $2, 'tenants', 5000)",
    "SELECT nocontent.reduce_audit($1, $2, 5000)",
    "SELECT nocontent.erase_word($1, $2)",
    "SELECT nocontent.count_kept($1, $2, 'invoices')",
    "SELECT nocontent.vacuum_soon($1, $2, 'batches')",
)


@pytest.fixture
async def eraser(database: str) -> AsyncIterator[Connection]:
    await erasing.fill(database)
    login = await logins.made(database, "nocontent_eraser")
    async with logins.connected(database, login, "nocontent_eraser") as connection:
        yield connection


async def record(dsn: str, wanted: Subject, *ids: UUID) -> erasures.Erasure:
    async with connections.connected(dsn, "nocontent_control") as control:
        return await erasures.record(control, wanted, ids)


async def _rows(dsn: str) -> list[int]:
    async with operator(dsn) as owner:
        return [await owner.fetchval(f"SELECT count(*) FROM {table.name}") for table in TENANT_TABLES]


async def test_it_deletes_and_records_nothing_by_itself(eraser: Connection) -> None:
    for table in TENANT_TABLES:
        for act in ("DELETE FROM nocontent.{}", "TRUNCATE nocontent.{}"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await eraser.execute(act.format(table.name))
    for columns in ("cost_nanousd FROM nocontent.events", "name FROM nocontent.tenants", "term FROM vocabulary"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await eraser.execute(f"SELECT {columns}")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await eraser.execute(_RECORD, uuid4())


async def test_nothing_goes_without_an_erasure_or_before_the_barrier(eraser: Connection, database: str) -> None:
    recorded = await record(database, Subject(ONE, "tenant"))
    before = await _rows(database)
    for erasure_id in (uuid4(), recorded.erasure_id):
        for statement in _DELETING:
            with pytest.raises(asyncpg.ObjectNotInPrerequisiteStateError):
                await eraser.execute(statement, ONE, erasure_id)
    with pytest.raises(asyncpg.ObjectNotInPrerequisiteStateError):
        await eraser.execute("SELECT nocontent.bar_writers($1, $2)", ONE, recorded.erasure_id)
    assert not await store.advance(eraser, recorded, "barred")
    assert not await store.advance(eraser, recorded, "erased")
    assert await _rows(database) == before


async def _barred(eraser: Connection, dsn: str, wanted: Subject, *ids: UUID) -> erasures.Erasure:
    recorded = await record(dsn, wanted, *ids)
    assert await store.advance(eraser, recorded, "ordered")
    await store.bar_writers(eraser, recorded)
    return recorded


async def test_an_erasure_of_one_tenant_deletes_nothing_of_another(eraser: Connection, database: str) -> None:
    recorded = await _barred(eraser, database, Subject(ONE, "tenant"))
    before = await _rows(database)
    for statement in _DELETING:
        with pytest.raises(asyncpg.ObjectNotInPrerequisiteStateError):
            await eraser.execute(statement, OTHER, recorded.erasure_id)
    assert await _rows(database) == before


async def test_a_part_of_a_tenant_lets_no_other_table_go(eraser: Connection, database: str) -> None:
    recorded = await _barred(eraser, database, Subject(ONE, "tag", None, await _now(database), term_id=erasing.SEARCH))
    for table in ("batches", "usage_marks", "tenants", "invoices", "audit", "control", "plans", "no_such"):
        with pytest.raises(asyncpg.RaiseError):
            await store.erase_rows(eraser, recorded, table)


async def test_a_whole_tenant_lets_nothing_go_that_is_kept(eraser: Connection, database: str) -> None:
    recorded = await _barred(eraser, database, Subject(ONE, "tenant"))
    for table in ("invoices", "payments", "audit", "erasures", "erasure_counts", "control", "events", "no_such"):
        with pytest.raises(asyncpg.RaiseError):
            await store.erase_rows(eraser, recorded, table)


async def test_a_finished_erasure_deletes_nothing_more(eraser: Connection, database: str) -> None:
    recorded = await _barred(eraser, database, Subject(ONE, "range", await _now(database), await _now(database)))
    for step in STEPS[STEPS.index("barred") + 1 :]:
        assert await store.advance(eraser, recorded, step)
    for statement in _DELETING:
        with pytest.raises(asyncpg.ObjectNotInPrerequisiteStateError):
            await eraser.execute(statement, ONE, recorded.erasure_id)


async def test_a_writer_that_is_writing_holds_up_the_barrier(eraser: Connection, database: str) -> None:
    recorded = await record(database, Subject(ONE, "tenant"))
    assert await store.advance(eraser, recorded, "ordered")
    async with connections.connected(database, "nocontent_writer") as writer, writer.transaction():
        await writer.execute("LOCK TABLE batches IN ROW EXCLUSIVE MODE")
        with pytest.raises(WritersBusy):
            await store.bar_writers(eraser, recorded)
    await store.bar_writers(eraser, recorded)


async def test_a_tenant_is_erased_once(eraser: Connection, database: str) -> None:
    assert eraser is not None
    await record(database, Subject(ONE, "tenant"))
    for again in (Subject(ONE, "tenant"), Subject(ONE, "range", await _now(database), await _now(database))):
        with pytest.raises(SubjectChanged):
            await record(database, again)
    with pytest.raises(SubjectChanged):
        await record(database, Subject(99, "tenant"))


async def test_a_range_in_the_future_is_refused(eraser: Connection, database: str) -> None:
    assert eraser is not None
    later = await _now(database) + timedelta(hours=1)
    async with connections.connected(database, "nocontent_control") as control:
        with pytest.raises(asyncpg.CheckViolationError):
            await erasures.record(control, Subject(ONE, "range", later - timedelta(hours=2), later))


async def _now(dsn: str) -> datetime:
    async with operator(dsn) as owner:
        moment: datetime = await owner.fetchval("SELECT clock_timestamp()")
    return moment


async def test_the_owners_list_is_that_of_the_tables(shared_database: str) -> None:
    async with operator(shared_database) as owner:
        rows = await owner.fetch("SELECT table_name FROM tenant_tables")
    assert {row["table_name"] for row in rows} == {table.name for table in TENANT_TABLES}
