"""Connections of readers: few, read-only, in turns, and none that keeps PostgreSQL busy."""

import asyncio

import asyncpg
import pytest

from ingest.errors import Overloaded, Unavailable
from ingest.store import read_connections
from ingest.store.errors import ReadTooLarge, RoleMissing
from ingest.store.read_connections import ReadConnections
from tests.support import cluster, logins


async def test_a_transaction_reads_one_state_and_writes_nothing(database: str) -> None:
    lent = ReadConnections(database)
    async with lent.begin(1) as connection:
        assert await connection.fetchval("SELECT current_user::text") == read_connections.ROLE
        assert await connection.fetchval("SHOW transaction_read_only") == "on"
        assert await connection.fetchval("SHOW transaction_isolation") == "repeatable read"
    with pytest.raises(Unavailable):
        async with lent.begin(1) as connection:
            await connection.execute("INSERT INTO tenants (tenant_id, name, revision) VALUES (7, 'seven', 0)")
    await lent.close()


async def test_connections_are_kept_and_bounded(database: str) -> None:
    lent = ReadConnections(database)
    pids: set[int] = set()

    async def read(tenant_id: int) -> None:
        async with lent.begin(tenant_id) as connection:
            pids.add(connection.get_server_pid())
            await asyncio.sleep(0.01)

    await asyncio.gather(*(read(number) for number in range(20)))
    assert len(pids) == read_connections.OPEN_MAX
    await lent.close()


async def test_a_slow_statement_ends_and_its_connection_is_used_again(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.store.connections._READ_TIMEOUT", "100ms")
    lent = ReadConnections(database)
    async with lent.begin(1) as connection:
        pid = connection.get_server_pid()
    with pytest.raises(ReadTooLarge):
        async with lent.begin(1) as connection:
            await connection.execute("SELECT pg_sleep(20)")
    async with lent.begin(1) as connection:
        assert connection.get_server_pid() == pid
    await lent.close()


async def test_a_sum_that_does_not_fit_is_an_error(database: str) -> None:
    lent = ReadConnections(database)
    with pytest.raises(ReadTooLarge):
        async with lent.begin(1) as connection:
            await connection.fetch("SELECT nocontent.total(n) FROM (VALUES (9223372036854775807), (1)) AS v (n)")
    await lent.close()


async def test_a_tenant_with_many_requests_waits_for_itself_alone(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_connections, "WAIT_S", 0.2)
    lent = ReadConnections(database)
    is_over = asyncio.Event()

    async def hold(tenant_id: int) -> None:
        async with lent.begin(tenant_id):
            await is_over.wait()

    holding = [asyncio.create_task(hold(1)) for _ in range(read_connections.WAITING_MAX + 1)]
    await asyncio.sleep(0.05)
    with pytest.raises(Overloaded):  # At once: too many wait.
        await hold(1)
    async with lent.begin(2) as connection:
        assert await connection.fetchval("SELECT 1") == 1
    await asyncio.sleep(0.3)
    is_over.set()
    ended = await asyncio.gather(*holding, return_exceptions=True)
    assert sorted(map(repr, ended)) == sorted(["None", *["Overloaded()"] * read_connections.WAITING_MAX])
    await lent.close()


async def test_a_connection_that_was_cut_is_replaced(database: str) -> None:
    lent = ReadConnections(database)
    async with lent.begin(1) as connection:
        pid = connection.get_server_pid()
    async with cluster.operator(database) as operator:
        await operator.execute("SELECT pg_terminate_backend($1)", pid)
    for _ in range(100):
        if connection.is_closed():
            break
        await asyncio.sleep(0.02)
    async with lent.begin(1) as again:
        assert again.get_server_pid() != pid
    await lent.close()


async def test_a_reader_who_leaves_ends_its_statement(database: str) -> None:
    lent = ReadConnections(database)

    async def read() -> None:
        async with lent.begin(1) as connection:
            await connection.execute("SELECT pg_sleep(20)")

    left = asyncio.create_task(read())
    await asyncio.sleep(0.3)
    left.cancel()
    with pytest.raises(asyncio.CancelledError):
        await left
    async with lent.begin(1) as connection:
        assert await connection.fetchval("SELECT 1") == 1
    await lent.close()


async def test_a_login_without_the_role_is_told_apart(database: str) -> None:
    login = await logins.made(database, "nocontent_writer")
    with pytest.raises(RoleMissing):
        async with ReadConnections(logins.dsn_of(database, login)).begin(1):
            pass


async def test_the_role_reads_no_event_token_or_audit(database: str) -> None:
    login = await logins.made(database, read_connections.ROLE)
    async with logins.connected(database, login, read_connections.ROLE) as connection:
        for table in ("events", "batches", "ingest_tokens", "audit", "readers"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.fetch(f"SELECT * FROM {table}")
