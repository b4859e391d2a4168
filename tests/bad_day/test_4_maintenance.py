"""Maintenance consists of two acts of one role: no other role can perform them, and no login can stop them."""

import asyncpg
import pytest

from ingest.store import connections, migrate, partitions
from tests.support import logins
from tests.support.cluster import operator
from tests.support.logins import ROLES

_NOT_THE_MAINTAINERS = (
    "SELECT * FROM events",
    "DELETE FROM events",
    "INSERT INTO events SELECT * FROM events",
    "SELECT * FROM batches",
    "DELETE FROM batches",
    "TRUNCATE events",
    "DROP TABLE events",
    "ALTER TABLE events ADD COLUMN note text",
    "UPDATE maintenance SET leader = 1",
    "SELECT * FROM ingest_tokens",
    "SELECT drop_day('events')",
    "SELECT drop_day('tenants')",
    "SELECT drop_day('events_20200101; DROP TABLE nocontent.tenants')",
    "SELECT drop_day('events_' || to_char(now(), 'YYYYMMDD'))",
    "SELECT drop_day('events_' || to_char(now() + interval '3 days', 'YYYYMMDD'))",
    "SELECT drop_day((SELECT 'events_' || to_char(horizon, 'YYYYMMDD') FROM retention))",
    "SELECT drop_day(NULL)",
    "SELECT make_day('-infinity')",
    "SELECT make_day('0044-03-15 BC')",
    "SELECT make_day('12026-01-01')",
    "SELECT trim_ledger(1, 'infinity', 10)",
    "SELECT trim_ledger(1, (now() + interval '1 day')::date, 10)",
)


@pytest.mark.parametrize("statement", _NOT_THE_MAINTAINERS)
async def test_the_maintainer_does_its_two_acts_and_no_other(database: str, statement: str) -> None:
    login = await logins.made(database, "nocontent_maintainer")
    async with operator(database) as other, logins.connected(database, login, "nocontent_maintainer") as connection:
        before = await other.fetch("SELECT relname, relowner FROM pg_class ORDER BY 1")
        with pytest.raises(asyncpg.PostgresError):
            await connection.execute(statement)
        assert await other.fetch("SELECT relname, relowner FROM pg_class ORDER BY 1") == before


@pytest.mark.parametrize("role", [role for role in ROLES if role != "nocontent_maintainer"])
@pytest.mark.parametrize("act", ["begin_round()", "drop_day('events_20200101')", "make_day('2020-01-01')"])
async def test_nobody_else_maintains(closed: str, role: str, act: str) -> None:
    async with logins.connected(closed, await logins.made(closed, role), role) as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(f"SELECT nocontent.{act}")


async def test_no_login_stops_maintenance_or_a_migration(database: str) -> None:
    """A reader holds every lock that it can: the round and the migration go on."""
    async with operator(database) as connection:
        await migrate.migrate(connection)
    login = await logins.made(database, "nocontent_reader")
    async with logins.connected(database, login) as reader, operator(database) as connection:
        for lock in ("pg_advisory_lock(1801807216)", "pg_advisory_lock(7957694990396876142)"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await reader.execute(f"SELECT {lock}")
        await reader.execute("BEGIN; SELECT count(*) FROM nocontent.read_tenants()")
        assert await migrate.migrate(connection) == []
        async with connections.connected(database, "nocontent_maintainer") as maintaining:
            assert (await partitions.keep(maintaining, 30)).was_leader


async def test_a_temporary_table_of_a_catalogs_name_fools_no_function(database: str) -> None:
    """A restored copy has temporary tables until it is migrated; functions of the owner look there last."""
    login = await logins.made(database, "nocontent_maintainer")
    async with operator(database) as other, logins.connected(database, login) as connection:
        name = await other.fetchval("SELECT current_database()")
        await other.execute(f"GRANT TEMPORARY ON DATABASE {name} TO {login}")
        await other.execute("DROP TABLE events_" + (await other.fetchval("SELECT to_char(now(), 'YYYYMMDD')")))
        await connection.execute("CREATE TEMPORARY TABLE pg_class AS SELECT * FROM pg_catalog.pg_class")
        await connection.execute("INSERT INTO pg_temp.pg_class SELECT class.* FROM pg_catalog.pg_class AS class,"
                                 " generate_series(1, 100) WHERE relname LIKE 'events\\_2%'")  # fmt: skip
        await connection.execute("CREATE TYPE pg_temp.text AS ENUM ('x')")
        await connection.execute("SELECT nocontent.make_day(now()::date)")
