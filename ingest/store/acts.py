"""Runs an act: one transaction that takes the next revision, makes a change, and writes its audit lines."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from ingest.store.audit import Audit
from ingest.store.connections import Connection

_NEXT_REVISION = "UPDATE nocontent.control SET revision = revision + 1 WHERE control_id = 1 RETURNING revision"


@dataclass(frozen=True, slots=True)
class Act(Audit):
    """An act in progress. Rows that workers must read again get its revision."""

    revision: int


@asynccontextmanager
async def act(connection: Connection) -> AsyncIterator[Act]:
    """Run the block as an act, and commit it at the end; an act inside another one is part of it.

    The revision comes first: its row stays locked until COMMIT, so acts are in the order of their commits.
    """
    async with connection.transaction():
        yield Act(connection, await next_revision(connection))


async def next_revision(connection: Connection) -> int:
    """Take the next revision, in the caller's transaction."""
    return int(await connection.fetchval(_NEXT_REVISION))
