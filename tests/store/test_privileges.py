"""What a login may do: the least that serves, what is noticed beyond it, and a deployment without any superuser."""

import asyncio
import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from ingest import embedded, maintain
from ingest.errors import CannotStart
from ingest.store import migrate, pool, privileges
from tests.support import cluster, customers, logins, sample, service
from tests.support.cluster import Cluster, operator
from tests.support.customers import Wanted

_EXCESSES = {
    "CREATEROLE": "createrole",
    "CREATEDB": "createdb",
    "BYPASSRLS": "bypassrls",
    "REPLICATION": "replication",
}
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
    async with pool.connected(shared_database, "nocontent_writer") as connection:
        assert await privileges.excess(connection) == ["superuser"]
    login = await logins.made(shared_database, "nocontent_writer", "nocontent_maintainer")
    async with logins.connected(shared_database, login, "nocontent_writer") as connection:
        assert await privileges.excess(connection) == []


def test_strict_refuses_a_login_that_may_too_much(database: str) -> None:
    ended = service.command("serve", "--strict", env=service.environment(database))
    *lines, said = ended.stderr.decode().splitlines()
    assert ended.returncode == 2
    assert "superuser" in said
    assert [json.loads(line)["privilege"] for line in lines] == ["superuser"]


@pytest.fixture
def own() -> Iterator[Cluster]:
    """A PostgreSQL of its own, because roles are the cluster's, as an operator gets it: a login and its database."""
    with cluster.open_folder() as folder, embedded.start(folder / "pg", settings=cluster.SETTINGS) as server:
        started = Cluster(server.dsn)
        cluster.run(server.dsn, "CREATE ROLE telemetry_admin LOGIN CREATEROLE")
        cluster.run(server.dsn, "CREATE DATABASE telemetry OWNER telemetry_admin")
        yield started


async def _migrate(dsn: str, login: str) -> list[str]:
    connection = await pool.connect_as_operator(logins.dsn_of(dsn, login))
    try:
        return await migrate.migrate(connection)
    finally:
        await pool.close(connection)


def test_it_is_deployed_and_serves_without_a_superuser(own: Cluster, tmp_path: Path) -> None:
    """As docs/operations.md says: one login that migrates, one that serves, one that reads."""
    dsn = own.of("telemetry")
    assert len(asyncio.run(_migrate(dsn, "telemetry_admin"))) == len(migrate.migrations())
    cluster.run(dsn, "CREATE ROLE telemetry_service LOGIN IN ROLE nocontent_writer, nocontent_maintainer")
    cluster.run(dsn, "CREATE ROLE telemetry_reader LOGIN IN ROLE nocontent_reader")
    asyncio.run(maintain.keep(logins.dsn_of(dsn, "telemetry_service"), cluster.RETENTION_DAYS))

    async def add() -> str:
        async with pool.connected(logins.dsn_of(dsn, "telemetry_admin"), "nocontent_control") as connection:
            return (await customers.add(connection, "main", Wanted())).token

    token = asyncio.run(add())

    def stored() -> int:
        return int(cluster.fetch(dsn, "SELECT count(*) FROM events")[0][0])

    with contextlib.ExitStack() as closing:
        login = logins.dsn_of(dsn, "telemetry_service")
        server = closing.enter_context(service.serving(login, tmp_path / "log", workers=1))
        sender = closing.enter_context(contextlib.closing(server.sender(token)))
        assert sender.post(sample.body()).status == 200
        assert stored() == 1
        with pytest.raises(asyncpg.InsufficientPrivilegeError):  # Rows are not protected yet, so nobody may read.
            asyncio.run(_read(dsn, "telemetry_reader"))

        # A superuser gives the one attribute that only a superuser can; the next `migrate` protects the rows, run by
        # a login that may do nothing else.
        cluster.run(dsn, "ALTER ROLE nocontent_writer BYPASSRLS")
        cluster.run(dsn, "CREATE ROLE telemetry_deploy LOGIN IN ROLE nocontent_migrator")
        again = service.command("migrate", env=service.environment(logins.dsn_of(dsn, "telemetry_deploy")))
        assert (again.returncode, again.stdout.decode().splitlines()[0]) == (0, "up to date")
        assert asyncio.run(_read(dsn, "telemetry_reader")) == 0
        cluster.run(dsn, "INSERT INTO readers (tenant_id, login) VALUES (1, 'telemetry_reader')")
        assert asyncio.run(_read(dsn, "telemetry_reader")) == 1
        assert sender.post(sample.body()).status == 200
        assert stored() == 2


def test_a_writer_that_row_security_would_hinder_does_not_start(own: Cluster) -> None:
    cluster.run(own.dsn, "ALTER ROLE telemetry_admin BYPASSRLS")
    asyncio.run(_migrate(own.of("telemetry"), "telemetry_admin"))
    cluster.run(own.dsn, "CREATE ROLE telemetry_service LOGIN IN ROLE nocontent_writer")
    cluster.run(own.dsn, "ALTER ROLE nocontent_writer NOBYPASSRLS")
    login = logins.dsn_of(own.of("telemetry"), "telemetry_service")
    ended = service.command("serve", env=service.environment(login))
    assert ended.returncode == 2
    assert b"BYPASSRLS" in ended.stderr


def test_a_login_that_has_the_attribute_protects_rows_at_the_first_migration(own: Cluster) -> None:
    """From PostgreSQL 16 on; k8s/overlays/prod-cnpg gives it, where nobody is a superuser."""
    cluster.run(own.dsn, "ALTER ROLE telemetry_admin BYPASSRLS")
    asyncio.run(_migrate(own.of("telemetry"), "telemetry_admin"))
    ((protected,),) = cluster.fetch(own.of("telemetry"), "SELECT count(*) FROM pg_class WHERE relrowsecurity")
    assert protected == 4


async def _read(dsn: str, login: str) -> int:
    async with logins.connected(dsn, login) as connection:
        return int(await connection.fetchval("SELECT count(*) FROM events"))


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


async def test_days_that_an_older_server_made_become_the_maintainers(database: str) -> None:
    async with operator(database) as connection:
        day = await connection.fetchval("SELECT min(inhrelid::regclass::text) FROM pg_inherits")
        await connection.execute(f"ALTER TABLE {day} OWNER TO nocontent_owner")
        await migrate.migrate(connection)
        owner = await connection.fetchval("SELECT relowner::regrole::text FROM pg_class WHERE relname = $1", day)
    assert owner == "nocontent_maintainer"
