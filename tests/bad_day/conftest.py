"""A database for several files of the bad day."""

import asyncio
from collections.abc import Iterator

import pytest

from ingest.store import migrate, tenants
from tests.support.cluster import Cluster, operator


@pytest.fixture(scope="module")
def closed(postgres: Cluster) -> Iterator[str]:
    """Yield a database that was migrated itself, because a copy lacks the REVOKEs on the database."""
    dsn = postgres.migrated()

    async def again() -> None:
        async with operator(dsn) as connection:
            await migrate.migrate(connection)
            await tenants.add(connection, "acme")

    asyncio.run(again())
    yield dsn
    postgres.drop(dsn)
