"""An organisation with budgets, people to whom letters go, and a connection of each role."""

from collections.abc import AsyncIterator
from typing import NamedTuple

import pytest

from ingest.accounts.roles import Role
from ingest.store import connections
from ingest.store.connections import Connection
from tests.support import accounts

_HASH = f"$argon2id$v=19$m=47104,t=1,p=1${'A' * 22}${'A' * 43}"


class Organisation(NamedTuple):
    """Connections to a fresh database in which tenant 1 has an owner, an analyst and somebody of billing."""

    dsn: str
    tenant_id: int
    control: Connection
    mailer: Connection
    owner: Connection


@pytest.fixture
async def organisation(database: str, owner: Connection) -> AsyncIterator[Organisation]:
    """Yield an organisation without budgets."""
    roles: tuple[Role, ...] = ("owner", "analyst", "billing")
    members = [await accounts.member(database, role=role) for role in roles]
    for member in members:
        await accounts.give_password(database, member, _HASH)
    async with (
        connections.connected(database, "nocontent_control") as control,
        connections.connected(database, "nocontent_mailer") as mailer,
    ):
        yield Organisation(database, members[0].tenant_id, control, mailer, owner)
