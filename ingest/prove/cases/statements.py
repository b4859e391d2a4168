"""SQL in every string: statements that would store text outside our tables if a string became part of one."""

from collections.abc import Iterator

from ingest.prove import places
from ingest.prove.case import Case, Request, ignored, refused
from ingest.prove.kit import Kit

_KEEPING = {
    "a large object": "lo_from_bytea(0,'{}')",
    "a WAL message": "pg_logical_emit_message(false,'{}','x')",
    "a notification": "pg_notify('x','{}')",
    "a session's name": "set_config('application_name','{}',false)",
    "an error": "1/(length('{}')-15)",
}
_STATEMENTS = {
    "a comment": "COMMENT ON TABLE events IS '{}'",
    "a role's setting": "ALTER ROLE CURRENT_USER SET x.y='{}'",
    "a log line": "DO $$BEGIN RAISE WARNING '{}';END$$",
    "a prepared transaction": "PREPARE TRANSACTION '{}'",
    "a file": "COPY (SELECT '{}') TO '/tmp/x'",
    "a table": "CREATE TABLE x AS SELECT '{}' AS y",
}
_WAYS = {what: f"SELECT {call}" for what, call in _KEEPING.items()} | _STATEMENTS
_DRESSES = {"ended": "x');{};--", "between dollars": "$x$;{};$x$", "bare": "{}"}


def statements(kit: Kit) -> Iterator[Case]:
    for place, put in places.ALL.items():
        for what, statement in _WAYS.items():
            for dress, around in _DRESSES.items():
                canary = kit.canary()
                value = around.format(statement.format(canary))
                yield refused(f"{what} by SQL, {dress}, {place}", canary, put(kit, value))


_PARAMETERS = ("application_name", "options", "user", "search_path", "client_encoding", "fallback_application_name")


def start_up(kit: Kit) -> Iterator[Case]:
    """Yield parameters of a PostgreSQL connection in place of HTTP's own."""
    for name in _PARAMETERS:
        canary = kit.canary()
        target = f"/v1/events?{name}={canary}".encode()
        yield ignored(f"{name} in the query", canary, Request(kit.body(), target=target))
        canary = kit.canary()
        header = ((f"X-PG-{name.replace('_', '-')}".encode(), f"-c {name}={canary}".encode()),)
        yield ignored(f"{name} in a header", canary, Request(kit.body(), header))
