"""A reader of single tenants learns nothing about others: no row, word or number, nor that something is absent."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from ingest.store import connections, readers, tenants
from ingest.store.connections import Connection
from tests.support import logins
from tests.support.cluster import Cluster, operator

_EVENTS = f"INSERT INTO events SELECT now(), gen_random_uuid(), 5, -1, $1, 3{', 0' * 17} FROM generate_series(1, $2)"
_BATCH = "INSERT INTO batches SELECT now(), gen_random_uuid(), 0, gen_random_uuid(), $1, 1" + ", 0" * 6
_TERM = """
INSERT INTO vocabulary (tenant_id, kind, term_id, parent_id, term, learned, revision)
VALUES ($1, 3, 20000, 0, $2, false, 0)
"""
_SPAN = "'-infinity', 'infinity'"
_FUNCTIONS = (
    f"read_events({_SPAN})",
    "read_streams()",
    "read_reconciliation()",
    "read_tenants()",
    "read_vocabulary() WHERE tenant_id > 0",
)
_TABLES = (
    "events", "batches", "tenants", "vocabulary", "ingest_tokens", "control", "audit", "readers", "migrations",
    "tag_names", "readable_events", "streams", "stream_gaps", "reconciliation",
)  # fmt: skip
_REFUSED = {"42501", "42809", "0A000"}
_PRESENT, _ABSENT = "model-of-two", "model-of-none"  # Of tenant 2, which `reads_two` may not read.


@pytest.fixture(scope="module")
def filled(postgres: Cluster) -> Iterator[str]:
    """Yield a database with rows of the tenants 1, 2 and 3; the login `reads_two` may read 1 and 3."""
    dsn = postgres.migrated()

    async def fill() -> None:
        async with operator(dsn) as connection:
            for count, name in enumerate(("one", "two", "three"), 1):
                tenant = await tenants.add(connection, name)
                await connection.execute(_EVENTS, tenant, count * 10)
                await connection.execute(_BATCH, tenant)
                await connection.execute(_TERM, tenant, f"model-of-{name}")
            await connection.execute("CREATE ROLE reads_two LOGIN IN ROLE nocontent_reader")
            for tenant in (1, 3):
                await readers.add(connection, tenant, "reads_two")
            await connection.execute("ANALYZE")

    asyncio.run(fill())
    yield dsn
    postgres.drop(dsn)


async def seen(connection: Connection, source: str) -> list[int]:
    rows = await connection.fetch(f"SELECT DISTINCT tenant_id FROM {source} ORDER BY tenant_id")
    return [row["tenant_id"] for row in rows]


async def plan(connection: Connection, query: str) -> str:
    """Return EXPLAIN's output for a query, without times."""
    lines = [row[0] for row in await connection.fetch(query)]
    return re.sub(r"(time|Time|Memory|Usage)[=:] *[0-9.]+(\.\.[0-9.]+)?", r"\1", "\n".join(lines))


@pytest.mark.parametrize("source", _FUNCTIONS)
@pytest.mark.parametrize("role", ["none", "nocontent_reader"])
async def test_a_reader_sees_the_tenants_of_its_login(filled: str, source: str, role: str) -> None:
    async with logins.connected(filled, "reads_two", role) as connection:
        assert await seen(connection, source) == [1, 3]


@pytest.mark.parametrize("source", _FUNCTIONS)
async def test_a_reader_without_a_tenant_sees_nothing(filled: str, source: str) -> None:
    async with logins.connected(filled, await logins.made(filled, "nocontent_reader")) as connection:
        assert await seen(connection, source) == []


async def test_a_reader_sees_the_shipped_words_and_counts_only_its_own_rows(filled: str) -> None:
    async with logins.connected(filled, "reads_two") as connection:
        assert await seen(connection, "read_vocabulary()") == [0, 1, 3]
        counts = await connection.fetch(f"SELECT tenant_id, count(*) AS n FROM read_events({_SPAN}) GROUP BY 1")
        assert {row["tenant_id"]: row["n"] for row in counts} == {1: 10, 3: 30}
        assert await connection.fetchval("SELECT count(*) FROM read_events('2020-01-01', '2020-01-02')") == 0


async def test_no_number_that_all_tenants_share_is_shown(filled: str) -> None:
    """`revision` counts the acts on every tenant, and an audit id their lines."""
    async with logins.connected(filled, "reads_two") as connection:
        for source in _FUNCTIONS:
            row = await connection.fetchrow(f"SELECT * FROM {source}")
            assert row is not None
            assert not {"revision", "audit_id"} & set(row.keys())


_WAYS = (
    "SELECT count(*) FROM {table}",
    "SELECT FROM {table} LIMIT 0",
    "EXPLAIN SELECT * FROM {table}",
    "EXPLAIN (ANALYZE, COSTS) SELECT * FROM {table}",
    "COPY {table} TO STDOUT",
    "BEGIN; LOCK TABLE {table} IN ACCESS SHARE MODE",
    "SELECT * FROM {table} FOR UPDATE",
    "EXPLAIN ANALYZE UPDATE {table} SET tenant_id = 1",
    "DEALLOCATE ALL; PREPARE asked AS SELECT * FROM {table}; EXECUTE asked",
    "ALTER TABLE {table} ADD COLUMN note text",
    "COMMENT ON TABLE {table} IS 'x'",
    "ANALYZE {table}; SELECT 1 / count(*) FROM pg_stats WHERE tablename = '{table}'",
)


@pytest.mark.parametrize("way", _WAYS)
async def test_a_reader_has_no_way_to_a_table(filled: str, way: str) -> None:
    async with logins.connected(filled, "reads_two") as connection:
        for table in _TABLES:
            with pytest.raises(asyncpg.PostgresError) as refused:
                await connection.execute(way.format(table=table))
            await connection.execute("ROLLBACK")
            assert refused.value.sqlstate in _REFUSED | {"22012", "55000", "42703"}  # A view; no row is seen.


_DAYS = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'nocontent.events'::regclass"


async def test_a_reader_cannot_go_round_by_a_day_or_a_sample(filled: str) -> None:
    async with logins.connected(filled, "reads_two") as connection:
        days = [row[0] for row in await connection.fetch(_DAYS)]
        assert len(days) > 30
        for day in days:
            for query in (f"SELECT * FROM {day}", f"EXPLAIN ANALYZE SELECT * FROM {day} TABLESAMPLE SYSTEM (100)"):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await connection.execute(query)


# Each query is run with a word that another tenant has, and with one that none has.
_QUESTIONS = (
    "SELECT * FROM vocabulary WHERE tenant_id = 2 AND kind = 3 AND parent_id = 0 AND term = '{term}'",
    "SELECT * FROM vocabulary WHERE term = '{term}'",
    "SELECT * FROM vocabulary WHERE term < '{term}'",
    "SELECT * FROM read_vocabulary() WHERE tenant_id = 2 AND kind = 3 AND parent_id = 0 AND term = '{term}'",
    "SELECT * FROM read_vocabulary() WHERE term = '{term}'",
    "SELECT * FROM read_vocabulary() WHERE term >= '{term}' AND tenant_id = 2 ORDER BY term LIMIT 1",
    f"SELECT * FROM read_events({_SPAN}) WHERE requested_model = '{{term}}'",
    f"SELECT * FROM read_events({_SPAN}) WHERE tenant_id = 2 AND requested_model = '{{term}}'",
    "SELECT * FROM tenants WHERE name = '{term}'",
    "SELECT * FROM read_tenants() WHERE name = '{term}'",
    "SELECT 1 / (SELECT count(*) FROM read_vocabulary() WHERE tenant_id = 2 AND term = '{term}')",
    "INSERT INTO vocabulary SELECT 2, 3, 1, 0, '{term}', false, now(), NULL, 0",
    "WITH taken AS MATERIALIZED (SELECT * FROM read_vocabulary()) SELECT * FROM taken WHERE term = '{term}'",
)
_EXPLAINS = (
    "EXPLAIN (COSTS)",
    "EXPLAIN (ANALYZE, COSTS, BUFFERS OFF)",
    "EXPLAIN (ANALYZE, VERBOSE, SETTINGS, WAL, BUFFERS OFF)",
    "",
)


@pytest.mark.parametrize("explain", _EXPLAINS)
@pytest.mark.parametrize("question", _QUESTIONS)
async def test_no_answer_tells_a_word_that_is_there_from_one_that_is_not(
    filled: str, explain: str, question: str
) -> None:
    answers: list[str] = []
    async with logins.connected(filled, "reads_two") as connection:
        for _ in range(2):  # The second call finds in the cache what the first has read.
            answers = []
            for term in (_PRESENT, _ABSENT):
                try:
                    answer = await plan(connection, f"{explain} {question.format(term=term)}")
                except asyncpg.PostgresError as refused:
                    answer = f"{refused.sqlstate} {refused}"
                answers.append(answer.replace(term, "a term"))
    assert answers[0] == answers[1]


@pytest.mark.parametrize("source", _FUNCTIONS)
async def test_no_estimate_follows_the_rows_of_others(filled: str, source: str) -> None:
    query = f"EXPLAIN (VERBOSE, COSTS) SELECT * FROM {source}"
    async with logins.connected(filled, "reads_two") as connection, operator(filled) as other:
        before = await plan(connection, query)
        async with other.transaction():
            await other.execute(_EVENTS, 2, 1_000)
            await other.execute("ANALYZE events, vocabulary, tenants")
            assert await plan(connection, query) == before
        await other.execute("ANALYZE events, vocabulary, tenants")
        assert await plan(connection, query) == before
        await other.execute("DELETE FROM events WHERE tenant_id = 2 AND event_id IN (SELECT event_id FROM events"
                            " WHERE tenant_id = 2 LIMIT 1000)")  # fmt: skip


async def test_no_condition_of_a_reader_is_asked_of_another_tenants_row(filled: str) -> None:
    """Functions that are not leakproof see their arguments: they could keep them, or fail with them in the error."""
    async with logins.connected(filled, "reads_two") as connection:
        kept = "set_config('kept.by', coalesce(current_setting('kept.by', true), '') || term || ' ', false) IS NULL"
        await connection.fetch(f"SELECT * FROM read_vocabulary() WHERE tenant_id > 0 AND {kept}")
        words = await connection.fetchval("SELECT current_setting('kept.by')")
        assert sorted(words.split()) == ["model-of-one", "model-of-three"]
        for source in _FUNCTIONS[:-1]:
            await connection.fetch(f"SELECT * FROM {source} WHERE 1 / (tenant_id - 2) < 2")


_LOUD = ("debug_print_plan", "debug_print_rewritten", "debug_print_parse", "trace_sort")


async def test_what_a_function_does_inside_is_not_told(filled: str) -> None:
    """`debug_print_plan` sends whoever sets it the plans of their statements, with estimates; not those inside."""
    async with logins.connected(filled, "reads_two") as connection:
        await connection.execute("SET client_min_messages = debug5")
        for setting in _LOUD:
            await connection.execute(f"SET {setting} = on")
        told: list[str] = []
        connection.add_log_listener(lambda _, message: told.append(f"{message.message} {message.detail}"))
        for source in _FUNCTIONS:
            await connection.fetch(f"SELECT * FROM {source}")
    everything = "\n".join(told)
    assert "plan" in everything
    assert "FUNCTIONSCAN" in everything
    assert not re.search(r"\{(SEQSCAN|INDEXSCAN|INDEXONLYSCAN|BITMAPHEAPSCAN|APPEND|AGG) ", everything)


async def test_statistics_of_values_are_not_shown(filled: str) -> None:
    async with logins.connected(filled, "reads_two") as connection:
        shown = "SELECT count(*) FROM pg_stats WHERE schemaname = 'nocontent'"
        assert await connection.fetchval(shown) == 0
        assert await connection.fetchval("SELECT count(*) FROM pg_stats_ext WHERE schemaname = 'nocontent'") == 0
        for table in ("pg_statistic", "pg_statistic_ext_data", "pg_authid", "pg_largeobject"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(f"SELECT * FROM pg_catalog.{table}")


_STATEMENTS = (
    "INSERT INTO readers (tenant_id, login) VALUES (2, 'reads_two')",
    "SELECT readable_tenants()",
    "SET SESSION AUTHORIZATION postgres",
    "SET ROLE nocontent_analyst",
    "SET ROLE nocontent_owner",
    "CREATE FUNCTION nocontent.leak(text) RETURNS boolean LANGUAGE sql AS 'SELECT true'",
    "CREATE FUNCTION public.leak(text) RETURNS boolean LANGUAGE sql AS 'SELECT true'",
    "CREATE OR REPLACE FUNCTION nocontent.read_tenants() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
    "ALTER FUNCTION nocontent.read_tenants() RESET client_min_messages",
    "CREATE STATISTICS nocontent.own ON tenant_id, kind FROM vocabulary",
)


@pytest.mark.parametrize("statement", _STATEMENTS)
async def test_a_reader_is_refused(filled: str, statement: str) -> None:
    async with logins.connected(filled, "reads_two") as connection:
        with pytest.raises(asyncpg.PostgresError) as refused:
            await connection.execute(statement)
    assert refused.value.sqlstate in _REFUSED


async def test_another_search_path_changes_nothing(filled: str) -> None:
    async with logins.connected(filled, "reads_two") as connection:
        await connection.execute("SET search_path = pg_temp, public, pg_catalog")
        assert await seen(connection, f"nocontent.read_events({_SPAN})") == [1, 3]


async def test_whoever_may_read_a_tenant_no_more_sees_it_no_more(filled: str) -> None:
    login = await logins.made(filled, "nocontent_reader")
    async with logins.connected(filled, login) as connection:
        for change, shows in ((readers.add, [2]), (readers.remove, [])):
            async with connections.connected(filled, "nocontent_control") as operating:
                await change(operating, 2, login)
            assert await seen(connection, f"read_events({_SPAN})") == shows


@pytest.mark.parametrize("table", ["events", "batches", "tenants", "readable_events", "streams", "reconciliation"])
async def test_an_analyst_sees_every_tenant(filled: str, table: str) -> None:
    async with logins.connected(filled, await logins.made(filled, "nocontent_analyst")) as connection:
        assert await seen(connection, table) == [1, 2, 3]


# According to docs/roles.md, every login of a PostgreSQL sees these. None contains a tenant or a word.
_STILL_SEEN = {
    "pg_class": "SELECT sum(reltuples)::bigint FROM pg_class WHERE relname LIKE 'events\\_%'",
    "pg_relation_size": "SELECT pg_relation_size('nocontent.vocabulary')",
    "pg_stat_user_tables": "SELECT n_live_tup FROM pg_stat_user_tables WHERE relname = 'vocabulary'",
    "pg_roles": "SELECT count(*) FROM pg_roles WHERE rolname = 'reads_two'",
    "pg_stat_activity": "SELECT count(*) FROM pg_stat_activity WHERE usename IS NOT NULL",
    "pg_locks": "SELECT count(*) FROM pg_locks",
    "pg_settings": "SELECT count(*) FROM pg_settings",
}


async def test_what_every_login_still_sees_is_said(filled: str) -> None:
    page = (Path(__file__).parents[2] / "docs/roles.md").read_text("utf-8")
    async with logins.connected(filled, await logins.made(filled, "nocontent_reader")) as connection:
        for name, query in _STILL_SEEN.items():
            assert await connection.fetchval(query) is not None
            assert f"`{name}`" in page


async def test_what_other_sessions_say_is_not_shown(filled: str) -> None:
    async with operator(filled) as other, logins.connected(filled, "reads_two") as connection:
        await other.execute("SELECT 'a question of another login'")
        rows = await connection.fetch("SELECT query FROM pg_stat_activity WHERE usename <> 'reads_two'")
    assert {row["query"] for row in rows} == {"<insufficient privilege>"}


async def test_the_index_of_the_tenant_is_used(filled: str) -> None:
    """One condition on `tenant_id`, which every index begins with: no row of another tenant is even looked at."""
    async with operator(filled) as connection:
        await connection.execute("SET enable_seqscan = off")
        lines = await plan(
            connection, "EXPLAIN SELECT * FROM readable_events event WHERE event.tenant_id = 1"
            " AND event.occurred_at >= now() - interval '1 day' AND event.occurred_at < now()",
        )  # fmt: skip
    assert "tenant_id = 1" in lines
    assert "Filter: (tenant_id" not in lines
