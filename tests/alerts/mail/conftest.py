"""A database for each file, a connection of the role that sends, and one of the owner."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import NamedTuple
from uuid import UUID

import pytest

from ingest.store import connections, tenants
from ingest.store.connections import Connection
from tests.support import mail
from tests.support.cluster import Cluster, operator

PEOPLE = 300


class Office(NamedTuple):
    """A database with a tenant and its people."""

    dsn: str
    tenant_id: int
    people: list[UUID]


@pytest.fixture(scope="module")
def office(postgres: Cluster) -> Iterator[Office]:
    dsn = postgres.migrated()

    async def fill() -> Office:
        async with operator(dsn) as connection:
            tenant_id = await tenants.add(connection, "acme")
            return Office(dsn, tenant_id, await mail.add_people(connection, tenant_id, PEOPLE))

    yield asyncio.run(fill())
    postgres.drop(dsn)


@pytest.fixture
async def owner(office: Office) -> AsyncIterator[Connection]:
    """Yield a superuser's connection to an outbox without letters."""
    async with operator(office.dsn) as connection:
        await connection.execute("TRUNCATE nocontent.outbox, nocontent.mail_preferences, nocontent.account_links")
        yield connection


@pytest.fixture
async def mailer(office: Office, owner: Connection) -> AsyncIterator[Connection]:
    """Yield a connection of the role that sends."""
    assert not owner.is_closed()
    async with connections.connected(office.dsn, "nocontent_mailer") as connection:
        yield connection
