"""Privileges of a login: the least that works, warnings beyond it, and a deployment without a superuser."""

import asyncio
import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from ingest.errors import CannotStart
from ingest.store import connections, maintenance, migrate, privileges
from tests.support import cluster, customers, logins, sample, service
from tests.support.cluster import Cluster, Session, operator
from tests.support.customers import CustomerSpec

_EXCESSES = {
    "CREATEROLE": "createrole",
    "CREATEDB": "createdb",
    "BYPASSRLS": "bypassrls",
    "REPLICATION": "replication",
}
_OPEN = ["advisory-locks", "large-objects", "notify", "wal-messages"]  # Until a superuser migrates.
_ROLES = ["nocontent_owner", "nocontent_migrator", "nocontent_control", "nocontent_analyst", "pg_read_all_data"]


@pytest.mark.parametrize("attribute", _EXCESSES)
async def test_an_attribute_that_no_server_needs_is_named(shared_database: str, attribute: str) -> None:
    login = await logins.made(shared_database, "nocontent_writer", attributes=attribute)
    async with logins.connected(shared_database, login, "nocontent_writer") as connection:
        assert await privileges.excess(connection) == [_EXCESSES[attribute]]


@pytest.mark.parametrize("role", _ROLES)
async def test_a_role_that_no_server_needs_is_named(shared_database: str, role: str) -> None:
    login = await logins.made(shared_database, "nocontent_writer", role)
    async with logins.connected(shared_database, login, "nocontent_writer") as connection:
        assert role in await privileges.excess(connection)


async def test_a_superuser_is_named_as_such_and_the_least_login_is_not(shared_database: str) -> None:
    async with connections.connected(shared_database, "nocontent_writer") as connection:
        assert await privileges.excess(connection) == ["superuser"]
    login = await logins.made(shared_database, "nocontent_writer", "nocontent_maintainer")
    async with logins.connected(shared_database, login, "nocontent_writer") as connection:
        assert await privileges.excess(connection) == []


def test_strict_refuses_a_login_that_may_too_much(database: str) -> None:
    ended = service.command("serve", "--strict", env=service.environment(database))
    *lines, said = ended.stderr.decode().splitlines()
    assert ended.returncode == 2
    assert "superuser" in said
    told = [json.loads(line) for line in lines]
    assert [line["privilege"] for line in told if line["event"] == "login-overprivileged"] == ["superuser"]
    # The database is a copy, without the privileges revoked on the original database itself.
    assert [line["exposure"] for line in told if line["event"] == "database-exposed"] == ["temporary-tables"]


_EXPOSED = {
    "GRANT EXECUTE ON FUNCTION lo_put(oid, bigint, bytea) TO PUBLIC": "large-objects",
    "GRANT EXECUTE ON FUNCTION pg_logical_emit_message(boolean, text, text, boolean) TO PUBLIC": "wal-messages",
    "GRANT EXECUTE ON FUNCTION pg_notify(text, text) TO PUBLIC": "notify",
    "GRANT CREATE ON SCHEMA public TO PUBLIC": "create",
    "GRANT CREATE ON SCHEMA nocontent TO PUBLIC": "create",
    "ALTER ROLE nocontent_writer SET kept.note TO 'a sentence'": "role-settings",
    "ALTER ROLE nocontent_writer SET application_name TO 'a sentence'": "role-settings",
    "ALTER ROLE nocontent_writer SET search_path TO 'a sentence'": "role-settings",
}


@pytest.mark.parametrize("statement", _EXPOSED)
async def test_what_lets_any_login_keep_text_is_named(database: str, statement: str) -> None:
    async with operator(database) as connection:
        await migrate.migrate(connection)
        assert await privileges.exposures(connection) == []
        await connection.execute(statement)
        try:
            assert await privileges.exposures(connection) == [_EXPOSED[statement]]
        finally:
            await connection.execute("ALTER ROLE nocontent_writer RESET ALL")  # Roles belong to the cluster.


async def test_a_setting_that_holds_no_text_is_none(database: str) -> None:
    async with operator(database) as connection:
        await migrate.migrate(connection)
        for setting in ("statement_timeout TO '5s'", "search_path TO nocontent, public", "jit TO off"):
            await connection.execute(f"ALTER ROLE nocontent_writer SET {setting}")
        try:
            assert await privileges.exposures(connection) == []
        finally:
            await connection.execute("ALTER ROLE nocontent_writer RESET ALL")


async def test_a_login_that_can_make_or_owns_something_is_named(database: str) -> None:
    login = await logins.made(database, "nocontent_writer")
    async with operator(database) as connection, logins.connected(database, login) as its:
        await connection.execute("CREATE SCHEMA own")
        await connection.execute(f"GRANT CREATE ON SCHEMA own TO {login}")
        assert await privileges.excess(its) == ["create"]
        await connection.execute(f"REVOKE CREATE ON SCHEMA own FROM {login}")
        assert await privileges.excess(its) == []
        await connection.execute("CREATE TABLE own.kept (note text)")
        await connection.execute(f"ALTER TABLE own.kept OWNER TO {login}")
        assert await privileges.excess(its) == ["ownership"]


@pytest.fixture
def own() -> Iterator[Cluster]:
    """Yield a login and its database in a separate PostgreSQL, because roles belong to a cluster."""
    with (
        cluster.open_folder() as folder,
        cluster.start(folder / "pg") as server,
        contextlib.closing(Session(server.dsn)) as session,
    ):
        session.fetch("CREATE ROLE telemetry_admin LOGIN CREATEROLE")
        session.fetch("CREATE DATABASE telemetry OWNER telemetry_admin")
        yield Cluster(server.dsn, session, server.data_dir)


async def _migrate(dsn: str, login: str) -> list[str]:
    connection = await connections.connect_as_operator(logins.dsn_of(dsn, login))
    try:
        return await migrate.migrate(connection)
    finally:
        await connections.close(connection)


def test_it_is_deployed_and_serves_without_a_superuser(own: Cluster, tmp_path: Path) -> None:
    """As docs/operations.md says: one login that migrates, one that serves, one that reads."""
    dsn = own.of("telemetry")
    assert len(asyncio.run(_migrate(dsn, "telemetry_admin"))) == len(migrate.migrations())
    cluster.run(dsn, "CREATE ROLE telemetry_service LOGIN IN ROLE nocontent_writer, nocontent_maintainer")
    cluster.run(dsn, "CREATE ROLE telemetry_reader LOGIN IN ROLE nocontent_reader")
    asyncio.run(maintenance.keep(logins.dsn_of(dsn, "telemetry_service"), cluster.RETENTION_DAYS))

    async def add() -> str:
        async with connections.connected(logins.dsn_of(dsn, "telemetry_admin"), "nocontent_control") as connection:
            return (await customers.add(connection, "main", CustomerSpec())).token

    token = asyncio.run(add())

    def stored() -> int:
        return int(cluster.fetch(dsn, "SELECT count(*) FROM events")[0][0])

    with contextlib.ExitStack() as closing:
        login = logins.dsn_of(dsn, "telemetry_service")
        server = closing.enter_context(service.serving(login, tmp_path / "log", workers=1))
        sender = closing.enter_context(contextlib.closing(server.sender(token)))
        assert sender.post(sample.body()).status == 200
        assert stored() == 1
        cluster.run(dsn, "CREATE ROLE telemetry_deploy LOGIN IN ROLE nocontent_migrator")
        again = service.command("migrate", env=service.environment(logins.dsn_of(dsn, "telemetry_deploy")))
        assert (again.returncode, again.stdout.decode().splitlines()[0]) == (0, "up to date")
        # Only a superuser can revoke PUBLIC's privileges on PostgreSQL's own functions.
        assert "large-objects" in again.stdout.decode()
        assert asyncio.run(_exposures(dsn, "telemetry_service")) == _OPEN
        assert asyncio.run(_read(dsn, "telemetry_reader")) == 0
        cluster.run(dsn, "INSERT INTO readers (tenant_id, login) VALUES (1, 'telemetry_reader')")
        assert asyncio.run(_read(dsn, "telemetry_reader")) == 1
        as_superuser = service.command("migrate", env=service.environment(dsn))
        assert (as_superuser.returncode, b"left open" in as_superuser.stdout) == (0, False)
        assert asyncio.run(_exposures(dsn, "telemetry_service")) == []
        assert sender.post(sample.body()).status == 200
        assert stored() == 2


async def _read(dsn: str, login: str) -> int:
    async with logins.connected(dsn, login) as connection:
        return int(await connection.fetchval("SELECT count(*) FROM read_events('-infinity', 'infinity')"))


async def _exposures(dsn: str, login: str) -> list[str]:
    async with logins.connected(dsn, login) as connection:
        return await privileges.exposures(connection)


async def test_a_migrator_can_do_nothing_before_it_takes_the_owner_on(database: str) -> None:
    login = await logins.made(database, "nocontent_migrator")
    async with logins.connected(database, login) as connection:
        for statement in (
            "SELECT * FROM nocontent.events",
            "SELECT * FROM nocontent.ingest_tokens",
            "CREATE TABLE nocontent.t (n integer)",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)


async def test_a_maintainer_reads_no_token_and_no_word(database: str) -> None:
    login = await logins.made(database, "nocontent_maintainer")
    async with logins.connected(database, login) as connection:
        for table in ("ingest_tokens", "vocabulary", "tenants", "audit", "readers"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(f"SELECT * FROM nocontent.{table}")


async def test_whoever_may_not_migrate_is_told_where_to_look(database: str) -> None:
    login = await logins.made(database, "nocontent_reader")
    with pytest.raises(CannotStart, match="roles"):
        await _migrate(database, login)


async def test_days_that_an_older_server_made_become_the_owners(database: str) -> None:
    async with operator(database) as connection:
        day = await connection.fetchval("SELECT min(inhrelid::regclass::text) FROM pg_inherits")
        await connection.execute(f"ALTER TABLE {day} OWNER TO nocontent_maintainer")
        await migrate.migrate(connection)
        owner = await connection.fetchval("SELECT relowner::regrole::text FROM pg_class WHERE relname = $1", day)
    assert owner == "nocontent_owner"
