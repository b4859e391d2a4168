"""Logins as an operator makes them: with one role and no way to become a superuser."""

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from ingest.store import connections
from ingest.store.connections import Connection
from tests.support.cluster import operator

ROLES = (
    "nocontent_writer",
    "nocontent_maintainer",
    "nocontent_control",
    "nocontent_analyst",
    "nocontent_reader",
    "nocontent_biller",
    "nocontent_usage_reader",
    "nocontent_eraser",
    "nocontent_exporter",
    "nocontent_console",
    "nocontent_mailer",
)
_NUMBERS = itertools.count()


async def made(dsn: str, *roles: str, attributes: str = "") -> str:
    """Create a login that is a member of roles, and return its name."""
    name = f"login_{next(_NUMBERS)}"
    async with operator(dsn) as connection:
        await connection.execute(f"CREATE ROLE {name} LOGIN {attributes}")
        for role in roles:
            await connection.execute(f"GRANT {role} TO {name}")
    return name


@asynccontextmanager
async def connected(dsn: str, login: str, role: str = "none") -> AsyncIterator[Connection]:
    """Yield a login's connection after SET ROLE."""
    own = {"search_path": "nocontent", "role": role}
    connection = await asyncpg.connect(dsn, user=login, server_settings=own)
    try:
        yield connection
    finally:
        await connections.close(connection)


def dsn_of(dsn: str, login: str) -> str:
    """Return the DSN with another login."""
    return dsn.replace("postgres@", f"{login}@")
