"""Row security: a reader sees the tenants of its login, an analyst all, and nobody else is hindered."""

import asyncio

import asyncpg
import pytest

from ingest.store import pool, readers, tenants
from ingest.store.pool import Connection
from tests.support import logins
from tests.support.cluster import Cluster, operator

_EVENT = "INSERT INTO events SELECT now(), gen_random_uuid(), 5, -1, $1, 3" + ", 0" * 17
_BATCH = "INSERT INTO batches SELECT now(), gen_random_uuid(), 0, gen_random_uuid(), $1, 1" + ", 0" * 6
_TERM = "INSERT INTO vocabulary (tenant_id, kind, term_id, parent_id, term, revision) VALUES ($1, 3, 20000, 0, $2, 0)"
_SHARED = ("events", "batches", "tenants", "readable_events", "streams", "reconciliation")


@pytest.fixture(scope="module")
def filled(postgres: Cluster) -> str:
    """A database with a row of each kind of the tenants 1, 2 and 3; the login `reads_two` may read 1 and 3."""
    dsn = postgres.migrated()

    async def fill() -> None:
        async with operator(dsn) as connection:
            for name in ("one", "two", "three"):
                tenant = await tenants.add(connection, name)
                await connection.execute(_EVENT, tenant)
                await connection.execute(_BATCH, tenant)
                await connection.execute(_TERM, tenant, f"model-of-{name}")
            await connection.execute("CREATE ROLE reads_two LOGIN IN ROLE nocontent_reader")
            for tenant in (1, 3):
                await readers.add(connection, tenant, "reads_two")

    asyncio.run(fill())
    return dsn


async def seen(connection: Connection, table: str) -> list[int]:
    rows = await connection.fetch(f"SELECT DISTINCT tenant_id FROM {table} ORDER BY tenant_id")
    return [row["tenant_id"] for row in rows]


@pytest.mark.parametrize("table", _SHARED)
@pytest.mark.parametrize("role", ["none", "nocontent_reader"])
async def test_a_reader_sees_the_tenants_of_its_login(filled: str, table: str, role: str) -> None:
    async with logins.connected(filled, "reads_two", role) as connection:
        assert await seen(connection, table) == [1, 3]


async def test_a_reader_sees_its_tenants_words_and_the_shipped_ones(filled: str) -> None:
    async with logins.connected(filled, "reads_two") as connection:
        assert await seen(connection, "vocabulary") == [0, 1, 3]


@pytest.mark.parametrize("table", _SHARED)
async def test_a_reader_without_a_tenant_sees_nothing(filled: str, table: str) -> None:
    async with logins.connected(filled, await logins.made(filled, "nocontent_reader")) as connection:
        assert await seen(connection, table) == []


@pytest.mark.parametrize("table", _SHARED)
async def test_an_analyst_sees_every_tenant(filled: str, table: str) -> None:
    async with logins.connected(filled, await logins.made(filled, "nocontent_analyst")) as connection:
        assert await seen(connection, table) == [1, 2, 3]


async def test_no_other_way_of_asking_shows_more(filled: str) -> None:
    async with logins.connected(filled, "reads_two") as connection:
        copied: list[bytes] = []

        async def take(piece: bytes) -> None:
            copied.append(piece)

        await connection.copy_from_table("batches", columns=["tenant_id"], output=take, format="text")
        assert sorted(b"".join(copied).split()) == [b"1", b"3"]
        assert await connection.fetchval("SELECT count(*) FROM events WHERE tenant_id = 2") == 0


@pytest.mark.parametrize(
    "statement",
    [
        "SET row_security = off; SELECT * FROM events",
        "SELECT * FROM readers",
        "INSERT INTO readers (tenant_id, login) VALUES (2, 'reads_two')",
        "SELECT * FROM ingest_tokens",
        "SELECT * FROM audit",
        "ALTER TABLE events DISABLE ROW LEVEL SECURITY",
        "DROP POLICY reader ON events",
        "SET SESSION AUTHORIZATION postgres",
        "SET ROLE nocontent_analyst",
        "DELETE FROM events",
        "UPDATE events SET cost_nanousd = 0",
    ],
)
async def test_a_reader_is_refused(filled: str, statement: str) -> None:
    async with logins.connected(filled, "reads_two") as connection:
        with pytest.raises(asyncpg.PostgresError) as refused:
            await connection.execute(statement)
    assert refused.value.sqlstate in {"42501", "42809", "0A000"}


_DAYS = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'nocontent.events'::regclass"


async def test_a_reader_cannot_go_round_by_a_day(filled: str) -> None:
    async with operator(filled) as connection:
        days = [row[0] for row in await connection.fetch(_DAYS)]
    async with logins.connected(filled, "reads_two") as connection:
        for day in days:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(f"SELECT * FROM {day}")


async def test_whoever_may_read_a_tenant_no_more_sees_it_no_more(filled: str) -> None:
    login = await logins.made(filled, "nocontent_reader")
    async with logins.connected(filled, login) as connection:
        for change, shows in ((readers.add, [2]), (readers.remove, [])):
            async with pool.connected(filled, "nocontent_control") as operating:
                await change(operating, 2, login)
            assert await seen(connection, "events") == shows


async def test_the_function_is_called_once_a_query(filled: str) -> None:
    async with logins.connected(filled, "reads_two") as connection:
        plan = "\n".join(row[0] for row in await connection.fetch("EXPLAIN SELECT sum(cost_nanousd) FROM events"))
    assert "InitPlan" in plan
    assert "readable_tenants" not in plan.partition("InitPlan")[2].partition("->")[2]
