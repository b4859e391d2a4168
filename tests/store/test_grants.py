"""Least privilege: every grant there is, by name, and the refusals of each role."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from ingest.store import migrate, privileges
from ingest.store.connections import Connection
from tests.support import logins
from tests.support.cluster import Cluster, operator
from tests.support.grants import GRANTS

_GRANTED = """
SELECT object, coalesce(nullif(grantee, 0)::regrole::text, 'PUBLIC') AS role, privilege_type AS privilege
FROM (
    SELECT relname::text AS object, relowner AS owner, relacl AS acl
    FROM pg_class WHERE relnamespace = 'nocontent'::regnamespace AND relkind <> 'i'
    UNION ALL
    SELECT relname || '.' || attname, relowner, attacl
    FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid WHERE relnamespace = 'nocontent'::regnamespace
    UNION ALL
    SELECT proname::text, proowner, coalesce(proacl, acldefault('f', proowner))
    FROM pg_proc WHERE pronamespace = 'nocontent'::regnamespace
    UNION ALL
    SELECT nspname::text, nspowner, nspacl FROM pg_namespace WHERE nspname = 'nocontent'
    UNION ALL
    SELECT 'later ' || defaclobjtype::text, defaclrole, defaclacl FROM pg_default_acl
    UNION ALL
    SELECT 'this database', datdba, coalesce(datacl, acldefault('d', datdba)) FROM pg_database
    WHERE datname = current_database()
    UNION ALL
    SELECT 'a large object', lomowner, lomacl FROM pg_largeobject_metadata
) AS object, aclexplode(acl)
WHERE grantee <> owner
"""
_OWNERS = """
SELECT relname::text AS object, relowner::regrole::text AS owner FROM pg_class
WHERE relnamespace = 'nocontent'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'S')
UNION ALL
SELECT proname::text, proowner::regrole::text FROM pg_proc WHERE pronamespace = 'nocontent'::regnamespace
UNION ALL
SELECT nspname::text, nspowner::regrole::text FROM pg_namespace WHERE nspname = 'nocontent'
"""
_MEMBERS = """
SELECT roleid::regrole::text AS role, member::regrole::text AS member FROM pg_auth_members
WHERE roleid::regrole::text LIKE 'nocontent%' AND member::regrole::text LIKE 'nocontent%'
"""
_ATTRIBUTES = """
SELECT rolname, rolcanlogin, rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication AS is_mighty,
    rolinherit, rolbypassrls
FROM pg_roles WHERE rolname LIKE 'nocontent%' ORDER BY rolname
"""


@pytest.fixture(scope="module")
def shared_database(postgres: Cluster) -> str:
    """Return a database that was migrated itself, because a copy lacks the privileges on the database."""
    dsn = postgres.migrated()

    async def again() -> None:
        async with operator(dsn) as connection:
            assert await migrate.migrate(connection) == []

    asyncio.run(again())
    return dsn


@pytest.fixture
async def catalog(shared_database: str) -> AsyncIterator[Connection]:
    async with operator(shared_database) as connection:
        yield connection


async def test_every_grant_is_listed(catalog: Connection) -> None:
    listed = {
        (role, thing, act) for role, things in GRANTS.items() for thing, acts in things.items() for act in acts.split()
    }
    assert {(row["role"], row["object"], row["privilege"]) for row in await catalog.fetch(_GRANTED)} == listed


@pytest.mark.parametrize(
    "grant",
    [
        "GRANT SELECT ON events TO nocontent_writer",
        "GRANT SELECT (cost_nanousd) ON events TO nocontent_writer",
        "GRANT USAGE ON SCHEMA nocontent TO PUBLIC",
        "GRANT EXECUTE ON FUNCTION readable_tenants() TO PUBLIC",
        "GRANT EXECUTE ON FUNCTION read_events TO nocontent_analyst",
        "ALTER DEFAULT PRIVILEGES IN SCHEMA nocontent GRANT SELECT ON TABLES TO nocontent_reader",
        "DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO nocontent_writer', current_database()); END $$",
        "SELECT lo_create(4711); GRANT SELECT ON LARGE OBJECT 4711 TO nocontent_reader",
    ],
)
async def test_a_grant_that_is_not_listed_is_noticed(database: str, grant: str) -> None:
    async with operator(database) as connection:
        before = len(await connection.fetch(_GRANTED))
        await connection.execute(grant)
        assert len(await connection.fetch(_GRANTED)) > before


async def test_the_owner_owns_everything(catalog: Connection) -> None:
    owners = {row["object"]: row["owner"] for row in await catalog.fetch(_OWNERS)}
    assert len(owners) > 60
    assert set(owners.values()) == {"nocontent_owner"}


async def test_roles_have_no_more_than_their_duty(catalog: Connection) -> None:
    rows = {row["rolname"]: tuple(row.values())[1:] for row in await catalog.fetch(_ATTRIBUTES)}
    plain = (False, False, True, False)
    assert rows == dict.fromkeys([*GRANTS.keys() - {"PUBLIC"}, "nocontent_owner"], plain) | {
        "nocontent_migrator": (False, False, False, False),  # It has nothing until it takes on the owner's role.
    }
    assert {tuple(row.values()) for row in await catalog.fetch(_MEMBERS)} == {
        ("nocontent_maintainer", "nocontent_owner"),
        ("nocontent_owner", "nocontent_migrator"),
    }


async def test_nothing_is_left_open_to_every_login(catalog: Connection) -> None:
    assert await privileges.exposures(catalog) == []


async def test_nobody_may_make_temporary_tables(catalog: Connection) -> None:
    asked = (
        "SELECT rolname FROM pg_roles WHERE NOT rolsuper AND has_database_privilege(oid, current_database(), 'TEMP')"
    )
    assert await catalog.fetch(asked) == []


@asynccontextmanager
async def _writer(dsn: str) -> AsyncIterator[Connection]:
    async with logins.connected(dsn, await logins.made(dsn, "nocontent_writer"), "nocontent_writer") as connection:
        yield connection


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
        "CREATE TEMPORARY TABLE notes (note text)",
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
    async with _writer(shared_database) as connection:
        with pytest.raises((asyncpg.InsufficientPrivilegeError, asyncpg.SyntaxOrAccessError)):
            await connection.execute(statement)


async def test_the_writer_may_add_a_row(shared_database: str) -> None:
    async with _writer(shared_database) as connection:
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
    async with _writer(shared_database) as connection:
        with pytest.raises(asyncpg.CheckViolationError):
            await connection.execute(statement, kind, int(kind == 5), term)
