"""Checks the PostgreSQL parameters that could write values of a row or statement to its log."""

from ingest.store.connections import Connection

SAFE = {
    "log_error_verbosity": {"terse"},
    "log_parameter_max_length": {"0"},
    "log_parameter_max_length_on_error": {"0"},
    "log_min_error_statement": {"panic", "fatal"},
    "log_statement": {"none", "ddl"},
}
_CURRENT = "SELECT name, setting FROM pg_settings WHERE name = ANY($1)"


async def leaks(connection: Connection) -> list[str]:
    """Return the names of the parameters whose values could leak."""
    current = {row["name"]: row["setting"] for row in await connection.fetch(_CURRENT, list(SAFE))}
    return sorted(name for name, safe in SAFE.items() if current.get(name) not in safe)
