"""The list of tenant tables against the catalog: a table that is on neither list is found, and so is a tenant's id."""

import pytest

from ingest.store.connections import Connection
from ingest.store.other_tables import OTHER_TABLES
from ingest.store.tenant_files import TENANT_FILES
from ingest.store.tenant_table import Erased
from ingest.store.tenant_tables import TENANT_TABLES
from tests.support.cluster import operator

# All relations that hold rows. A day of `events` counts as part of it, even while it is detached.
_TABLES = """
SELECT oid, relname FROM pg_class
WHERE relnamespace = 'nocontent'::regnamespace AND relkind IN ('r', 'p', 'm', 'f')
    AND NOT relispartition AND relname !~ '^events_[0-9]{8}$'
"""
_NAMES = f"SELECT relname FROM ({_TABLES}) AS known"
_TENANT_COLUMNS = f"""
SELECT relname, attname, atttypid = 'integer'::regtype AND attnotnull AS is_id
FROM ({_TABLES}) AS known JOIN pg_attribute ON attrelid = known.oid
WHERE attname ILIKE '%tenant%' AND attnum > 0 AND NOT attisdropped
"""
_COLUMNS = f"""
SELECT relname, attname, atttypid IN ('timestamptz'::regtype, 'date'::regtype) AS is_time
FROM ({_TABLES}) AS known JOIN pg_attribute ON attrelid = known.oid
WHERE attnum > 0 AND NOT attisdropped AND relname = ANY($1)
"""
_LISTED = {table.name: table.column for table in TENANT_TABLES}


async def _unlisted(connection: Connection) -> set[str]:
    """Return the tables that are on neither list, and the columns that name a tenant and are not on the list."""
    tables = {row["relname"] for row in await connection.fetch(_NAMES)}
    columns = {(row["relname"], row["attname"]) for row in await connection.fetch(_TENANT_COLUMNS)}
    unlisted = columns - _LISTED.items()
    return (tables - _LISTED.keys() - OTHER_TABLES.keys()) | {f"{table}.{column}" for table, column in unlisted}


async def _undecided(connection: Connection) -> set[tuple[str, str]]:
    """Return the columns of tenants' tables that are neither exported nor left out, or no longer there."""
    found = {(row["relname"], row["attname"]) for row in await connection.fetch(_COLUMNS, list(_LISTED))}
    return found ^ {(table.name, name) for table in TENANT_TABLES for name in (*table.exported, *table.left_out)}


async def test_every_column_is_exported_or_left_out_for_a_reason(shared_database: str) -> None:
    async with operator(shared_database) as connection:
        assert await _undecided(connection) == set()
        times = {
            (row["relname"], row["attname"])
            for row in await connection.fetch(_COLUMNS, list(_LISTED))
            if row["is_time"]
        }
    assert {(table.name, table.oldest) for table in TENANT_TABLES if table.oldest} <= times
    for table in TENANT_TABLES:
        assert len({*table.exported, *table.left_out}) == len(table.exported) + len(table.left_out)
        assert all(table.left_out.values())


async def test_a_new_column_is_found(database: str) -> None:
    async with operator(database) as connection:
        await connection.execute("ALTER TABLE tenants ADD COLUMN note integer")
        assert await _undecided(connection) == {("tenants", "note")}


async def test_the_owner_of_the_tables_erases_by_the_same_list(shared_database: str) -> None:
    async with operator(shared_database) as connection:
        found = await connection.fetch("SELECT table_name, erased FROM tenant_tables")
    assert {row["table_name"]: row["erased"] for row in found} == {
        table.name: table.erased.value for table in TENANT_TABLES
    }


def test_what_an_erasure_does_not_delete_has_a_reason() -> None:
    for kept in (*TENANT_TABLES, *TENANT_FILES):
        assert (kept.erased is Erased.DELETE) == (not kept.kept_because), kept.name


async def test_every_table_is_on_one_list_and_every_tenant_id_on_that_of_tenants(shared_database: str) -> None:
    assert len(_LISTED) == len(TENANT_TABLES)
    assert not _LISTED.keys() & OTHER_TABLES.keys()
    async with operator(shared_database) as connection:
        assert await _unlisted(connection) == set()


async def test_the_lists_name_no_table_or_column_that_is_not_there(shared_database: str) -> None:
    async with operator(shared_database) as connection:
        tables = {row["relname"] for row in await connection.fetch(_NAMES)}
        columns = {row["relname"]: row["attname"] for row in await connection.fetch(_TENANT_COLUMNS) if row["is_id"]}
    assert tables == {*_LISTED, *OTHER_TABLES}
    assert columns == _LISTED


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("CREATE TABLE notes (at timestamptz)", {"notes"}),
        ("CREATE TABLE notes (tenant_id integer NOT NULL)", {"notes", "notes.tenant_id"}),
        ("CREATE MATERIALIZED VIEW sums AS SELECT tenant_id FROM batches", {"sums", "sums.tenant_id"}),
        ("CREATE TABLE notes (tenant_id integer) PARTITION BY LIST (tenant_id)", {"notes", "notes.tenant_id"}),
        ("ALTER TABLE control ADD COLUMN tenant_id integer", {"control.tenant_id"}),
        ("ALTER TABLE batches ADD COLUMN other_tenant integer", {"batches.other_tenant"}),
    ],
)
async def test_what_is_not_listed_is_found(database: str, statement: str, found: set[str]) -> None:
    async with operator(database) as connection:
        await connection.execute(statement)
        assert await _unlisted(connection) == found


async def test_a_detached_day_is_still_a_day(database: str) -> None:
    async with operator(database) as connection:
        day = await connection.fetchval("SELECT inhrelid::regclass::text FROM pg_inherits LIMIT 1")
        await connection.execute(f"ALTER TABLE events DETACH PARTITION {day}")
        assert await _unlisted(connection) == set()
