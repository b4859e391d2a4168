"""Sets what a session must hold as long as it lasts, and checks it: behind a connection pooler it may be lost.

A pooler in session mode assigns one connection to a client for good; then all of this holds. In other modes the next
transaction may run on another connection, without our role, or one that does not know a prepared statement.
"""

import asyncio
from collections.abc import Mapping
from weakref import WeakSet

import asyncpg

# Of a writer, whatever the server's default is: a snapshot from before a statement could be older than an erasure that
# the statement has waited for.
ISOLATION = "read committed"
PROBE_TIMEOUT_S = 5.0
_DURABLE = "CASE WHEN current_setting('synchronous_commit') IN ('off', 'local') THEN 'on'"
_SET_DURABLE = f"set_config('synchronous_commit', {_DURABLE} ELSE current_setting('synchronous_commit') END, %s)"
_HELD = """
SELECT pg_backend_pid() AS pid, current_user::text AS role, current_setting('search_path') AS search_path,
    current_setting('lock_timeout') AS lock_timeout, current_setting('statement_timeout') AS statement_timeout,
    current_setting('default_transaction_isolation') AS default_transaction_isolation,
    current_setting('synchronous_commit') AS synchronous_commit
"""
_PID = "SELECT pg_backend_pid()"
START = "the start-up of a connection"
# Features that a pooler does not pass on, by the SQLSTATE of its error.
REFUSED: Mapping[str, str] = {
    "08003": "transactions",  # PgBouncer in mode `statement`.
    "08P01": START,
    "26000": "prepared statements",
    "42P05": "prepared statements",
}
_pooled: "WeakSet[asyncpg.Connection]" = WeakSet()


class NotHeld(Exception):
    """A session lost a setting that it must hold; `setting` is our own name for it."""

    def __init__(self, setting: str) -> None:
        super().__init__()
        self.setting = setting


async def hold(connection: asyncpg.Connection, wanted: Mapping[str, str]) -> None:
    """Set what a session must hold, and check that the next transactions have it; raises NotHeld.

    Not by start-up parameters: a pooler drops or refuses them, but in session mode keeps what SET sets. Acknowledged
    means on disk, so `synchronous_commit` is on even if the server's default is faster.
    """
    settings = [f"set_config('{name}', '{value}', false)" for name, value in wanted.items()]
    try:
        await connection.execute(f"SELECT {', '.join([*settings, _SET_DURABLE % 'false'])}")
        held = await connection.fetchrow(_HELD)
        assert held is not None
        _compare(held, wanted)
        if held["pid"] != connection.get_server_pid():
            _pooled.add(connection)
            again = await connection.fetchrow(_HELD)  # By now a prepared statement.
            assert again is not None
            _compare(again, wanted)
            if again["pid"] != held["pid"]:
                raise NotHeld("the connection")
    except asyncpg.PostgresError as refused:
        if refused.sqlstate in REFUSED:
            raise NotHeld(REFUSED[refused.sqlstate]) from None
        raise


async def require_own(connection: asyncpg.Connection, other: asyncpg.Connection) -> None:
    """Raise NotHeld if a transaction of one connection takes PostgreSQL's connection from the other.

    With a single client a pooler that pools transactions looks as if it pooled sessions.
    """
    async with asyncio.timeout(PROBE_TIMEOUT_S):
        before = await connection.fetchval(_PID)
        await other.execute("BEGIN")
        try:
            after = await connection.fetchval(_PID)
        finally:
            await other.execute("ROLLBACK")
    if before != after:
        raise NotHeld("the connection")


def is_pooled(connection: asyncpg.Connection) -> bool:
    """Return whether a pooler is in between: PostgreSQL's process is not the one announced at start-up."""
    return connection in _pooled


def begin(connection: asyncpg.Connection) -> str:
    """Return the statement that begins a writer's durable transaction, whichever connection a pooler runs it on."""
    if is_pooled(connection):
        return f"BEGIN ISOLATION LEVEL {ISOLATION}; SELECT {_SET_DURABLE % 'true'}"
    return "BEGIN"


def _compare(held: asyncpg.Record, wanted: Mapping[str, str]) -> None:
    for name, value in wanted.items():
        if held[name] != value:
            raise NotHeld(name)
    if held["synchronous_commit"] in {"off", "local"}:
        raise NotHeld("synchronous_commit")
