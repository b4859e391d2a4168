"""Row security: what the console's role sees and writes, table by table, whatever a statement lacks."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import asyncpg
import pytest

from ingest.store import connections
from ingest.store.accounts import sessions
from ingest.store.connections import Connection
from tests.support import accounts
from tests.support.accounts import Member
from tests.support.cluster import Cluster, operator
from tests.support.tenant_rows import ROWS

# Tables and views without rows of a tenant, which the console may read or write.
_GLOBAL = {"control", "retention", "migrations", "acts", "rules", "page_counts", "tenant_tables"} | {
    "insight_releases",
    "insight_routes",
}
_VIEWS = {"tag_names", "readable_usage"}  # They ask with the rights of the reader.
_BARRIERS = {"own_events", "own_batches"}
_SHIPPED = {"vocabulary", "prices"}  # Tenant 0's rows are everybody's.
_GRANTED = """
SELECT relname, relkind = 'v' AS is_view, relrowsecurity,
    has_any_column_privilege('nocontent_console', oid, 'SELECT') AS may_read
FROM pg_class
WHERE relnamespace = 'nocontent'::regnamespace AND relkind IN ('r', 'p', 'v', 'S')
    AND has_any_column_privilege('nocontent_console', oid, 'SELECT, INSERT, UPDATE')
    OR relnamespace = 'nocontent'::regnamespace AND relkind IN ('r', 'p', 'v')
    AND has_table_privilege('nocontent_console', oid, 'DELETE, TRUNCATE, REFERENCES, TRIGGER')
"""
_POLICIES = """
SELECT tablename, permissive = 'RESTRICTIVE' AS is_restrictive, roles, cmd, qual, with_check FROM pg_policies
WHERE schemaname = 'nocontent'
"""
_SECURED = """
SELECT relname FROM pg_class WHERE relnamespace = 'nocontent'::regnamespace AND relrowsecurity
"""


@pytest.fixture(scope="module")
def filled(postgres: Cluster) -> Iterator[tuple[str, Member, Member]]:
    """Yield a database in which two tenants have a row in every table that the console may read."""
    dsn = postgres.migrated()

    async def fill() -> tuple[Member, Member]:
        own, other = await accounts.member(dsn, "acme"), await accounts.member(dsn, "globex")
        async with operator(dsn) as connection:
            for member in (own, other):
                await connection.execute(ROWS.replace("$TENANT", str(member.tenant_id)))
        return own, other

    yield dsn, *asyncio.run(fill())
    postgres.drop(dsn)


@pytest.fixture
async def console(filled: tuple[str, Member, Member]) -> AsyncIterator[Connection]:
    """Yield a connection of the console."""
    async with connections.connected(filled[0], "nocontent_console") as connection:
        yield connection


async def _readable(connection: Connection) -> list[str]:
    return [row["relname"] for row in await connection.fetch(_GRANTED) if row["may_read"]]


def _columns(table: str) -> str:
    return "plan_id AS tenant_id" if table in {"plans", "plan_versions"} else "tenant_id"


async def test_every_table_that_the_console_may_touch_is_secured(console: Connection) -> None:
    granted = await console.fetch(_GRANTED)
    assert {row["relname"] for row in granted if not row["relrowsecurity"]} == _GLOBAL | _VIEWS | _BARRIERS
    assert {row["relname"] for row in granted if row["is_view"]} == _VIEWS | _BARRIERS


async def test_every_secured_table_has_a_policy_for_everybody_and_a_narrower_one_for_the_console(
    console: Connection,
) -> None:
    policies = await console.fetch(_POLICIES)
    secured = {row["relname"] for row in await console.fetch(_SECURED)}
    open_to_all = {
        row["tablename"]
        for row in policies
        if row["roles"] == ["public"] and not row["is_restrictive"] and row["qual"] == row["with_check"] == "true"
    }
    assert open_to_all == secured  # So each grantee of it has one.
    narrowed: dict[str, set[str]] = {}
    for row in policies:
        if row["is_restrictive"]:
            assert row["roles"] == ["nocontent_console"]
            narrowed.setdefault(row["tablename"], set()).add(row["cmd"])
    assert narrowed == {
        table: {"SELECT", "INSERT", "UPDATE", "DELETE"} if table in _SHIPPED else {"ALL"} for table in secured
    }
    assert len(policies) == len(secured) + sum(map(len, narrowed.values()))


async def test_a_missing_where_shows_nothing_of_others(filled: tuple[str, Member, Member], console: Connection) -> None:
    _, own, other = filled
    for member in (own, other):
        async with sessions.entered(console, member.cookie.digest):
            for table in await _readable(console):
                if table in _GLOBAL:
                    continue
                found = {row[0] for row in await console.fetch(f"SELECT {_columns(table)} FROM nocontent.{table}")}
                shipped = {0} if table in {*_SHIPPED, "tag_names"} else set()
                assert found - shipped <= {member.tenant_id}, table
                assert member.tenant_id in found or table == "tag_names", table


@pytest.mark.parametrize("statement", ["ALTER TABLE usage {} ROW LEVEL SECURITY", "ALTER POLICY own ON usage TO {}"])
async def test_lost_row_security_is_noticed(
    filled: tuple[str, Member, Member], console: Connection, statement: str
) -> None:
    lost, kept = ("DISABLE", "ENABLE") if "ROW" in statement else ("nocontent_reader", "nocontent_console")
    dsn, own, other = filled
    async with operator(dsn) as connection:
        await connection.execute(statement.format(lost))
        try:
            async with sessions.entered(console, own.cookie.digest):
                found = await console.fetch("SELECT tenant_id FROM usage ORDER BY tenant_id")
        finally:
            await connection.execute(statement.format(kept))
    assert [row["tenant_id"] for row in found] == [own.tenant_id, other.tenant_id]


async def test_naming_another_tenant_shows_nothing_either(
    filled: tuple[str, Member, Member], console: Connection
) -> None:
    _, own, other = filled
    async with sessions.entered(console, own.cookie.digest):
        for table in await _readable(console):
            if table not in _GLOBAL | {"plans", "plan_versions"}:
                asked = f"SELECT count(*) FROM nocontent.{table} WHERE tenant_id = $1"
                assert await console.fetchval(asked, other.tenant_id) == 0, table


@pytest.mark.parametrize("named", ["", "x", "00", "0" * 64, "' OR true --"])
async def test_no_session_is_no_tenant(console: Connection, named: str) -> None:
    async with console.transaction():
        await console.execute("SELECT set_config('nocontent.session', $1, true)", named)
        for table in await _readable(console):
            if table not in _GLOBAL:
                asked = f"SELECT {_columns(table)} FROM nocontent.{table}"
                assert {row[0] for row in await console.fetch(asked)} <= {0}, table


@pytest.mark.parametrize(
    "call",
    [
        "own_kept_since($1)",
        "own_frozen_before($1)",
        "own_count_expiring($1, 1)",
        "own_count($1, 'events')",
        "own_events_after($1, '-infinity', 'infinity', '-infinity', gen_random_uuid(), NULL, 10)",
        "own_batches_after($1, '-infinity', 'infinity', gen_random_uuid(), 0, 10)",
    ],
)
async def test_a_function_answers_about_the_sessions_tenant_alone(
    filled: tuple[str, Member, Member], console: Connection, call: str
) -> None:
    _, own, other = filled
    async with sessions.entered(console, own.cookie.digest):
        await console.fetch(f"SELECT nocontent.{call}", own.tenant_id)
    for digest, tenant_id in ((own.cookie.digest, other.tenant_id), (b"\0" * 32, own.tenant_id), (b"", None)):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with sessions.entered(console, digest):
                await console.fetch(f"SELECT nocontent.{call}", tenant_id)


_FORGERIES = {
    "audit": "INSERT INTO audit (tenant_id, act) VALUES ($1, 'tenant.rename')",
    "token": """
    INSERT INTO ingest_tokens (tenant_id, token_id, secret_sha256, scopes, revision)
    VALUES ($1, 'ffffffffffff', sha256(''), '{events:write}', 0)
    """,
    "term": """
    INSERT INTO vocabulary (tenant_id, kind, term_id, parent_id, term, learned, revision)
    VALUES ($1, 3, 20001, 0, 'b', false, 0)
    """,
    "erasure": """
    INSERT INTO erasures (tenant_id, erasure_id, scope, revision) VALUES ($1, gen_random_uuid(), 'tenant', 0)
    """,
    "erased event": "INSERT INTO erasure_events VALUES ($1, gen_random_uuid(), gen_random_uuid())",
    "erased word": "INSERT INTO erased_words VALUES ($1, gen_random_uuid(), 3, 0, sha256(''), sha256(''), now())",
}
_CHANGES = (
    "UPDATE tenants SET disabled = true, revision = 0",
    "UPDATE ingest_tokens SET revoked_at = now()",
    "UPDATE vocabulary SET retired_at = now()",
)


@pytest.mark.parametrize("what", _FORGERIES)
async def test_a_row_of_another_tenant_is_refused(
    filled: tuple[str, Member, Member], console: Connection, what: str
) -> None:
    _, own, other = filled
    statement = _FORGERIES[what]
    for tenant_id in (other.tenant_id, 0):
        with pytest.raises((asyncpg.InsufficientPrivilegeError, asyncpg.CheckViolationError)):
            async with sessions.entered(console, own.cookie.digest):
                await console.execute(statement, tenant_id)
    transaction = console.transaction()
    await transaction.start()
    await sessions.enter(console, own.cookie.digest)
    assert await console.execute(statement, own.tenant_id) == "INSERT 0 1"
    await transaction.rollback()


@pytest.mark.parametrize("statement", _CHANGES)
async def test_a_change_without_where_reaches_own_rows_alone(
    filled: tuple[str, Member, Member], console: Connection, statement: str
) -> None:
    _, own, _ = filled
    transaction = console.transaction()
    await transaction.start()
    await sessions.enter(console, own.cookie.digest)
    changed = await console.fetch(f"{statement} RETURNING tenant_id")
    assert {row["tenant_id"] for row in changed} == {own.tenant_id}
    await transaction.rollback()


@pytest.mark.parametrize("column", ["tenant_id", "name", "events_per_minute_max", "usage_frozen_before"])
async def test_the_console_may_not_write_what_is_the_operators(
    filled: tuple[str, Member, Member], console: Connection, column: str
) -> None:
    _, own, _ = filled
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with sessions.entered(console, own.cookie.digest):
            await console.execute(f"UPDATE tenants SET {column} = NULL")


@pytest.mark.parametrize(
    "secret",
    [
        "SELECT password_hash FROM people",
        "SELECT totp_secret FROM people",
        "SELECT places FROM people",
        "SELECT digest FROM sessions",
        "SELECT digest FROM account_links",
        "SELECT digest FROM recovery_codes",
        "SELECT secret_sha256 FROM ingest_tokens",
        "SELECT digest FROM erased_words",
        "SELECT bucket FROM sign_in_attempts",
        "SELECT * FROM events",
        "SELECT * FROM batches",
        "INSERT INTO audit (tenant_id, act, person_id) VALUES (1, 'tenant.rename', gen_random_uuid())",
        "UPDATE people SET role = 'owner'",
        "SELECT nocontent.add_person(1, 'a@example.com', 'A', 'owner', 'UTC')",
        "SELECT nocontent.current_session()",
    ],
)
async def test_the_console_reads_no_secret_and_writes_no_name(
    filled: tuple[str, Member, Member], console: Connection, secret: str
) -> None:
    _, own, _ = filled
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with sessions.entered(console, own.cookie.digest):
            await console.execute(secret)


async def test_the_audit_names_whoever_the_session_is_of(
    filled: tuple[str, Member, Member], console: Connection
) -> None:
    _, own, _ = filled
    async with sessions.entered(console, own.cookie.digest):
        await console.execute("INSERT INTO audit (tenant_id, act) VALUES ($1, 'tenant.rename')", own.tenant_id)
        found = await console.fetchval("SELECT person_id FROM audit WHERE act = 'tenant.rename'")
    assert found == own.person_id


async def test_a_condition_of_the_reader_is_not_asked_about_rows_of_others(
    filled: tuple[str, Member, Member], console: Connection
) -> None:
    """A division by zero would tell whether another tenant has an event."""
    _, own, _ = filled
    async with sessions.entered(console, own.cookie.digest):
        for view in sorted(_BARRIERS):
            asked = f"SELECT count(*) FROM {view} WHERE 1 / (tenant_id - $1) >= 0"
            assert await console.fetchval(asked, filled[2].tenant_id) <= 1


_HOT = {
    "nocontent_writer": (
        "SELECT kind, term_id, parent_id, term FROM vocabulary WHERE tenant_id IN (0, 1) AND revision > 0",
        "SELECT tenant_id, term_id FROM vocabulary WHERE tenant_id = 1 AND kind = 3 AND parent_id = 0 AND term = 'a'",
        "SELECT * FROM ingest_tokens WHERE revision > 0",
        "SELECT max(revision) FROM erasures",
        "INSERT INTO usage_marks (tenant_id, first, last, events) VALUES (1, now(), now(), 1)",
        "INSERT INTO audit (tenant_id, act) VALUES (1, 'vocabulary.learn')",
    ),
    "nocontent_biller": (
        "SELECT sum(events) FROM usage WHERE tenant_id = 1 AND grain = 5 AND at >= '2026-01-01' AND abs(provider) > 1",
        "DELETE FROM usage_marks WHERE tenant_id = 1",
    ),
}


@pytest.mark.parametrize("role", _HOT)
async def test_the_plans_of_all_other_roles_have_no_trace_of_it(
    filled: tuple[str, Member, Member], role: connections.Role
) -> None:
    """A superuser's plans are those without row security: it goes around it."""
    async with connections.connected(filled[0], role) as connection, operator(filled[0]) as superuser:
        for statement in _HOT[role]:
            plans = [await asking.fetch(f"EXPLAIN (VERBOSE) {statement}") for asking in (connection, superuser)]
            assert plans[0] == plans[1], statement
