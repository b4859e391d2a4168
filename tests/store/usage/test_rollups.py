"""Rolling up: whatever happened before, the sums are those of the rows."""

from collections.abc import AsyncIterator

import pytest

from ingest.store import batches, connections
from ingest.store.connections import Connection
from ingest.store.usage import rollups
from tests.support import sample, sums
from tests.support.cluster import operator
from tests.support.entries import entry


@pytest.fixture
async def writer(database: str) -> AsyncIterator[Connection]:
    async with connections.connected(database, "nocontent_writer") as connection:
        yield connection


@pytest.fixture
async def biller(database: str) -> AsyncIterator[Connection]:
    async with connections.connected(database, "nocontent_biller") as connection:
        yield connection


@pytest.fixture
async def owner(database: str) -> AsyncIterator[Connection]:
    async with operator(database) as connection:
        yield connection


async def _is_exact(connection: Connection) -> bool:
    return await sums.stored(connection) == await sums.from_rows(connection)


async def test_rows_are_added_once(writer: Connection, biller: Connection) -> None:
    known = sample.event()
    await batches.store(writer, [entry(known, sample.event(), tenant_id=2), entry()])
    first = await rollups.roll_up(biller)
    assert (first.events, first.recomputed_hours, first.is_done) == (3, 0, True)
    assert await _is_exact(biller)
    await batches.store_skipping(writer, [entry(known, sample.event(ttft_ms=None), tenant_id=2)])
    assert (await rollups.roll_up(biller)).events == 1
    assert (await rollups.roll_up(biller)).events == 0
    assert await _is_exact(biller)
