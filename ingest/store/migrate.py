"""Applies schema/sql in order, each file once, assigns ids to the shipped terms, and runs the conditional steps."""

import hashlib
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import asyncpg

import schema
from ingest.errors import CannotStart
from ingest.pricing.book import shipped
from ingest.store import acts, audit
from ingest.store.connections import Connection
from ingest.store.usage import book
from schema.event import OWN_IDS, TERMS_MAX, Kind
from schema.vocabulary import UNKNOWN, UNKNOWN_ID, shipped_terms

FOLDER = Path(schema.__file__).parent / "sql"
SERVER_VERSION_MIN = 15
LOCK_TIMEOUT = "5s"  # Writers queue behind a migration that waits for a reader.
TURN_TIMEOUT = "60s"  # For another migration that runs now.
# Of two concurrent migrations, one waits at each step. Only the owner can take this lock; anybody an advisory one.
_TURN = "LOCK TABLE nocontent.migrations IN SHARE ROW EXCLUSIVE MODE"
_FIRST_TRIES_MAX = 10


class Migration(NamedTuple):
    number: int
    name: str
    statements: tuple[str, ...]
    sha256: str


def migrations() -> list[Migration]:
    """Read the files. A statement ends with a semicolon and an empty line, and is sent by itself."""
    return _read(FOLDER)


def conditional() -> list[Migration]:
    """Read the steps that run at the end of every `migrate`: each checks by itself whether it has anything to do.

    So the next `migrate` handles an extension that was installed later, or a table that a later migration made.
    """
    return _read(FOLDER / "conditional")


def _read(folder: Path) -> list[Migration]:
    found = []
    for path in sorted(folder.glob("*.sql")):
        text = path.read_text("ascii")
        statements = tuple(part.strip() for part in re.split(r";\n(?:\n|\Z)", text) if part.strip())
        found.append(Migration(int(path.name[:4]), path.stem, statements, hashlib.sha256(text.encode()).hexdigest()))
    return found


async def migrate(connection: Connection, step: Callable[[], object] = lambda: None) -> list[str]:
    """Bring a database up to date, calling `step` after each migration; return the names of those that ran."""
    if connection.get_server_version() < (SERVER_VERSION_MIN,):
        raise CannotStart(f"PostgreSQL {SERVER_VERSION_MIN} or later is needed.")
    try:
        return await _migrate(connection, step)
    except asyncpg.InsufficientPrivilegeError:
        raise CannotStart("This login cannot create the schema or the roles: see docs/roles.md.") from None
    except asyncpg.LockNotAvailableError:
        raise CannotStart("A table is locked: wait for the other transaction to end, and migrate again.") from None
    except asyncpg.RaiseError as raised:
        raise CannotStart(str(raised)) from None  # Only our own SQL raises it, and without a value.
    finally:
        await connection.execute("RESET ROLE")
        await connection.execute("RESET lock_timeout")


async def take_on_owner(connection: Connection) -> None:
    """Switch to the owner's role, once it exists; the first migrations run as the login itself."""
    if await connection.fetchval(_IS_OWNED):
        await connection.execute("SET ROLE nocontent_owner")


async def pending(connection: Connection) -> list[str]:
    """Return the names of the migrations that a database lacks."""
    try:
        done = {row["number"] for row in await connection.fetch(_DONE)}
    except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError):
        done = set()
    lacking = [migration.name for migration in migrations() if migration.number not in done]
    return lacking or ([_WORDS] if await audit.is_behind(connection) else [])


async def require_current(connection: Connection) -> None:
    """Raise CannotStart if the database lacks a migration."""
    if await pending(connection):
        raise CannotStart("The database is not up to date: run `nocontent migrate` first.")


_IS_OWNED = """
SELECT EXISTS (
    SELECT FROM pg_tables
    WHERE schemaname = 'nocontent' AND tablename = 'migrations' AND tableowner = 'nocontent_owner'
)
"""
_DONE = "SELECT number FROM nocontent.migrations"
_DONE_AS = "SELECT sha256 FROM nocontent.migrations WHERE number = $1"
_WORDS = "the acts and rules of this release"
_MARK = "INSERT INTO nocontent.migrations (number, name, sha256) VALUES ($1, $2, $3)"
_LEDGER = """
CREATE TABLE IF NOT EXISTS nocontent.migrations (
    number integer PRIMARY KEY,
    name text NOT NULL,
    sha256 text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)
"""


async def _migrate(connection: Connection, step: Callable[[], object]) -> list[str]:
    await connection.execute("SET client_min_messages = warning")
    await connection.execute(f"SET lock_timeout = '{LOCK_TIMEOUT}'")
    await _begin(connection)
    await take_on_owner(connection)
    ran = []
    for migration in migrations():
        if await _is_applied(connection, migration):
            ran.append(migration.name)
            step()
        await take_on_owner(connection)
    await _ship(connection)
    await connection.execute("RESET ROLE")  # Only a login may change attributes of roles, and extensions.
    for late in conditional():
        for statement in late.statements:  # Each in a transaction of its own, so that a failure undoes none before it.
            async with connection.transaction():
                await _take_turn(connection)
                await connection.execute(statement)
    step()
    return ran


async def _begin(connection: Connection) -> None:
    """Make the schema and the list of migrations; two at once may collide, despite IF NOT EXISTS."""
    for _ in range(_FIRST_TRIES_MAX):
        if await connection.fetchval(_IS_OWNED):
            return
        with suppress(asyncpg.UniqueViolationError, asyncpg.DuplicateTableError, asyncpg.DuplicateSchemaError):
            await connection.execute("CREATE SCHEMA IF NOT EXISTS nocontent")
            await connection.execute(_LEDGER)
            return


async def _take_turn(connection: Connection) -> None:
    """Wait, in a transaction, for other migrations to end, and keep the role; raises CannotStart."""
    is_owned = await connection.fetchval(_IS_OWNED)
    role = await connection.fetchval("SELECT current_setting('role')")
    await connection.execute(f"SET LOCAL lock_timeout = '{TURN_TIMEOUT}'")
    try:
        if is_owned:
            await connection.execute("SET LOCAL ROLE nocontent_owner")
        await connection.execute(_TURN)
    except asyncpg.LockNotAvailableError:
        raise CannotStart("Another migration is running: wait until it has ended, and migrate again.") from None
    await connection.execute(f"SET LOCAL ROLE {role}")
    await connection.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")


async def _is_applied(connection: Connection, migration: Migration) -> bool:
    """Apply a migration unless it was applied; return whether it ran. Raises CannotStart if its file has changed."""
    known = await connection.fetchval(_DONE_AS, migration.number)
    if known is None:
        async with connection.transaction():
            await _take_turn(connection)
            known = await connection.fetchval(_DONE_AS, migration.number)
            if known is None:
                for statement in migration.statements:
                    await connection.execute(statement)
                await connection.execute(_MARK, migration.number, migration.name, migration.sha256)
                return True
    if known != migration.sha256:
        raise CannotStart(f"Migration {migration.name} differs from the one this database has: restore the file.")
    return False


_SHIPPED = "SELECT term FROM nocontent.vocabulary WHERE tenant_id = 0 AND kind = $1"
_NEXT_ID = "SELECT coalesce(max(term_id), -1) + 1 FROM nocontent.vocabulary WHERE tenant_id = 0 AND kind = $1"
_SHIP = """
INSERT INTO nocontent.vocabulary (tenant_id, kind, term_id, parent_id, term, learned, revision)
SELECT 0, $1, term_id, 0, term, false, $2 FROM unnest($3::smallint[], $4::text[]) AS shipped (term_id, term)
"""


async def _ship(connection: Connection) -> None:
    """Add the catalogue's terms that the database lacks, and its prices; an id, once assigned, never changes."""
    async with connection.transaction():
        await _take_turn(connection)
        await audit.ship(connection)
        revision = None
        for kind in (Kind.TASK_CATEGORY, Kind.PROVIDER, Kind.MODEL):
            known = {row["term"] for row in await connection.fetch(_SHIPPED, kind)}
            missing = [term for term in (UNKNOWN, *shipped_terms(kind)) if term not in known]
            if not missing:
                continue
            first = await connection.fetchval(_NEXT_ID, kind)
            assert first != UNKNOWN_ID or missing[0] == UNKNOWN
            ids = [term_id for term_id in range(first, TERMS_MAX[kind]) if term_id not in OWN_IDS[kind]]
            if len(ids) < len(missing):
                raise CannotStart("The catalogue has more terms than ids.")
            revision = revision or await acts.next_revision(connection)
            await connection.execute(_SHIP, kind, revision, ids[: len(missing)], missing)
        await book.ship(connection, shipped())
