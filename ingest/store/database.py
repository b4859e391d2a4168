"""The setting that names the database, and its check."""

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from ingest.config import PREFIX, Settings
from ingest.config.dsn import check, shown
from ingest.errors import CannotStart


@dataclass(frozen=True, kw_only=True)
class DatabaseSettings(Settings):
    """Settings of a process with a database."""

    dsn: Annotated[
        str,
        Meta(
            description="PostgreSQL, as postgresql://user@host/database; or NOCONTENT_DSN_FILE",
            extra={"shown": shown},
        ),
    ] = ""


def require_dsn(settings: DatabaseSettings) -> str:
    """Return the DSN; raises CannotStart if there is none, or if asyncpg would misread it."""
    if not settings.dsn:
        raise CannotStart(
            f"No database: set {PREFIX}DSN or {PREFIX}DSN_FILE to a PostgreSQL. `nocontent demo` brings its own."
        )
    check(settings.dsn, f"{PREFIX}DSN")
    return settings.dsn
