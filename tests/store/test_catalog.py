"""What the catalog says: no column of `events` holds text, and each role may do its own and no more."""

import asyncio
import itertools

import asyncpg
import pytest

from ingest.store import pool, summary
from ingest.store.pool import Connection, Role
from tests.support import cluster
from tests.support.cluster import operator

_TEXT_LIKE = """
SELECT table_name, column_name FROM information_schema.columns
WHERE table_schema = 'nocontent' AND (table_name = 'events' OR table_name IN (
        SELECT relname FROM pg_class WHERE oid IN (SELECT inhrelid FROM pg_inherits)))
    AND (data_type IN ('text', 'character varying', 'character', 'json', 'jsonb', 'bytea', 'xml', 'ARRAY')
        OR data_type NOT IN ('timestamp with time zone', 'uuid', 'bigint', 'integer', 'smallint', 'boolean'))
"""
_PARTITIONS = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'nocontent.events'::regclass"


async def text_columns(connection: Connection) -> set[tuple[str, str]]:
    return {(row["table_name"], row["column_name"]) for row in await connection.fetch(_TEXT_LIKE)}


async def test_no_column_of_events_or_a_partition_holds_text(shared_database: str) -> None:
    async with operator(shared_database) as connection:
        assert await connection.fetchval(_PARTITIONS) == cluster.RETENTION_DAYS + 2 + 7
        assert await text_columns(connection) == set()


@pytest.mark.parametrize("kind", ["text", "varchar(9)", "char(1)", "json", "jsonb", "bytea", "xml", "text[]", "name"])
async def test_a_text_column_is_noticed(database: str, kind: str) -> None:
    async with operator(database) as connection:
        await connection.execute(f"ALTER TABLE events ADD COLUMN note {kind}")
        assert ("events", "note") in await text_columns(connection)
        assert (await summary.totals(connection)).text_columns > cluster.RETENTION_DAYS


async def test_a_text_column_of_one_partition_is_noticed(database: str) -> None:
    async with operator(database) as connection:
        name = await connection.fetchval("SELECT inhrelid::regclass::text FROM pg_inherits LIMIT 1")
        await connection.execute(f"ALTER TABLE events DETACH PARTITION {name}")
        await connection.execute(f"ALTER TABLE {name} ADD COLUMN note text")
        with pytest.raises(asyncpg.PostgresError):
            await connection.execute(f"ALTER TABLE events ATTACH PARTITION {name} DEFAULT")
        assert (await summary.totals(connection)).text_columns == 1


# What each role may do with each table; anything else it may not.
_MAY: dict[Role, dict[str, str]] = {
    "nocontent_writer": {
        "events": "INSERT",
        "batches": "SELECT INSERT",
        "control": "SELECT",
        "tenants": "SELECT",
        "ingest_tokens": "SELECT",
        "migrations": "SELECT",
        "vocabulary": "SELECT INSERT",
        "audit": "INSERT",
        "streams": "SELECT",
        "stream_gaps": "SELECT",
    },
    "nocontent_control": {
        "control": "SELECT",
        "tenants": "SELECT INSERT UPDATE",
        "ingest_tokens": "SELECT INSERT UPDATE",
        "vocabulary": "SELECT INSERT UPDATE",
        "audit": "SELECT INSERT",
    },
    "nocontent_reader": dict.fromkeys(
        "events batches tenants vocabulary tag_names readable_events streams stream_gaps reconciliation".split(),
        "SELECT",
    ),
}
_MAY_COLUMNS = {
    "nocontent_writer": {
        ("events", "tenant_id", "SELECT"),
        ("events", "event_id", "SELECT"),
        ("batches", "accepted", "UPDATE"),
        ("batches", "duplicates", "UPDATE"),
        ("control", "revision", "UPDATE"),
    },
    "nocontent_control": {("control", "revision", "UPDATE")},
    "nocontent_reader": set[tuple[str, str, str]](),
}


@pytest.mark.parametrize("role", _MAY)
async def test_a_role_may_do_this_and_no_more(shared_database: str, role: Role) -> None:
    granted = "SELECT table_name, privilege_type FROM information_schema.role_table_grants WHERE grantee = $1"
    async with operator(shared_database) as connection:
        found = {(row[0], row[1]) for row in await connection.fetch(granted, role)}
    assert found == {(table, act) for table, acts in _MAY[role].items() for act in acts.split()}


@pytest.mark.parametrize("role", _MAY)
async def test_a_role_may_touch_single_columns_and_no_more(shared_database: str, role: Role) -> None:
    granted = (
        "SELECT table_name, column_name, privilege_type FROM information_schema.role_column_grants WHERE grantee = $1"
    )
    whole = {(table, act) for table, acts in _MAY[role].items() for act in acts.split()}
    async with operator(shared_database) as connection:
        rows = {(row[0], row[1], row[2]) for row in await connection.fetch(granted, role)}
    assert {row for row in rows if (row[0], row[2]) not in whole} == _MAY_COLUMNS[role]


_ROW = "SELECT now(), gen_random_uuid(), " + ", ".join(["0"] * 21)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM events",
        "SELECT input_tokens FROM events",
        "SELECT * FROM readable_events",
        "UPDATE events SET input_tokens = 0",
        "DELETE FROM events",
        "TRUNCATE events",
        "COPY events TO STDOUT",
        "COPY (SELECT input_tokens FROM events) TO STDOUT",
        "ALTER TABLE events ADD COLUMN note text",
        "DROP TABLE events",
        "CREATE TABLE notes (note text)",
        "CREATE TABLE nocontent.notes (note text)",
        "INSERT INTO tenants (tenant_id, name, revision) VALUES (9, 'x', 0)",
        "UPDATE vocabulary SET term = 'x'",
        "DELETE FROM vocabulary",
        "UPDATE ingest_tokens SET revoked_at = NULL",
        "SELECT * FROM audit",
        "DELETE FROM batches",
        "COPY events FROM PROGRAM 'true'",
        "SET ROLE nocontent_owner; SELECT 1 FROM pg_read_file('/etc/passwd')",
    ],
)
async def test_the_writer_is_refused(shared_database: str, statement: str) -> None:
    async with _only_writer(shared_database) as connection:
        with pytest.raises((asyncpg.InsufficientPrivilegeError, asyncpg.SyntaxOrAccessError)):
            await connection.execute(statement)


async def test_the_writer_may_add_a_row(shared_database: str) -> None:
    async with _only_writer(shared_database) as connection:
        assert await connection.execute(f"INSERT INTO events {_ROW}") == "INSERT 0 1"


_TERMS = [
    (3, "Our Q3 layoffs list is attached"),
    (3, "gpt-4o\nMarjolein"),
    (3, "gpt 4o"),
    (3, "a" * 97),
    (3, "modèle"),
    (3, ""),
    (2, "Anthropic"),
    (2, "a/b"),
    (1, "a" * 65),
    (5, "please summarize"),
    (5, '{"note":"x"}'),
    (4, "Prompt"),
]


@pytest.mark.parametrize(("kind", "term"), _TERMS)
async def test_not_even_the_writer_can_register_prose(shared_database: str, kind: int, term: str) -> None:
    columns = "tenant_id, kind, term_id, parent_id, term, revision"
    statement = f"INSERT INTO vocabulary ({columns}) VALUES (1, $1, 1, $2, $3, 0)"
    async with _only_writer(shared_database) as connection:
        with pytest.raises(asyncpg.CheckViolationError):
            await connection.execute(statement, kind, int(kind == 5), term)


@pytest.mark.parametrize("column", ["act", "token_id", "rule"])
async def test_not_even_the_writer_can_put_prose_into_the_audit(shared_database: str, column: str) -> None:
    values = {"act": "x", "token_id": None, "rule": None} | {column: "Our Q3 layoffs list"}
    async with _only_writer(shared_database) as connection:
        with pytest.raises(asyncpg.CheckViolationError):
            await connection.execute(
                "INSERT INTO audit (tenant_id, act, token_id, rule) VALUES (1, $1, $2, $3)", *values.values()
            )


async def test_null_is_nowhere_in_events(shared_database: str) -> None:
    async with operator(shared_database) as connection:
        nullable = await connection.fetch(
            "SELECT column_name FROM information_schema.columns WHERE table_name = 'events' AND is_nullable = 'YES'"
        )
    assert nullable == []


def _only_writer(dsn: str) -> "_OnlyWriter":
    return _OnlyWriter(dsn)


class _OnlyWriter:
    """A login that has no other role to go back to, unlike the superuser that tests log in as."""

    _numbers = itertools.count()

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._name = f"login_{next(self._numbers)}"

    async def __aenter__(self) -> Connection:
        async with operator(self._dsn) as connection:
            await connection.execute(f"CREATE ROLE {self._name} LOGIN IN ROLE nocontent_writer")
        own = {"search_path": "nocontent", "role": "nocontent_writer"}
        self._connection = await asyncpg.connect(self._dsn, user=self._name, server_settings=own)
        return self._connection

    async def __aexit__(self, *_: object) -> None:
        await pool.close(self._connection)
        await asyncio.sleep(0)
