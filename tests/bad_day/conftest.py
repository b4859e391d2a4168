"""A database for several files of the bad day."""

import asyncio
from collections.abc import Iterator

import pytest

from ingest.store import migrate, tenants
from tests.support import accounts, bills
from tests.support.cluster import Cluster, operator

_HANDOVER = "INSERT INTO nocontent.handovers (tenant_id, issuer, number, processor) VALUES ($1, $2, $3, 2)"
_LETTER = """
INSERT INTO nocontent.outbox (tenant_id, kind, person_id, ids, numbers, cause)
VALUES (1, 'invoice', gen_random_uuid(), '{}', '{}', gen_random_uuid())
"""


@pytest.fixture(scope="module")
def closed(postgres: Cluster) -> Iterator[str]:
    """Yield a database that was migrated itself, because a copy lacks the REVOKEs on the database."""
    dsn = postgres.migrated()

    async def again() -> None:
        async with operator(dsn) as connection:
            await migrate.migrate(connection)
            await tenants.add(connection, "acme")
            await connection.execute(_HANDOVER, *await bills.issue(dsn, [1]))
            await connection.execute(_LETTER)

    asyncio.run(again())
    yield dsn
    postgres.drop(dsn)


@pytest.fixture(scope="module")
def session(closed: str) -> str:
    """Return what a transaction of the console names its session by: that of the owner of the first tenant."""
    return asyncio.run(accounts.member(closed, "acme")).cookie.digest.hex()
