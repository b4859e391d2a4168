"""Entries as the service would queue them, and writers that store them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from ingest.errors import IngestError
from ingest.intake.queue import Queue
from ingest.intake.writer import Writer
from ingest.store import rows
from ingest.store.batches import NO_SEQUENCE, Entry
from schema.decode import decode
from schema.receipt import Receipt
from schema.vocabulary import Mode
from tests.support import sample
from tests.support.cluster import operator
from tests.support.gauge import VOCABULARIES, window

STREAM = UUID("9f6c2b1e-58d3-4a7e-8c1b-0f2e4d6a8b0c")
WAIT_S = 30.0


def entry(
    *events: dict[str, object], tenant_id: int = 1, sequence: int = NO_SEQUENCE, stream_id: UUID = STREAM
) -> Entry:
    """Return an entry with these events, or with one good event."""
    decoded = decode(sample.body(*events), VOCABULARIES[Mode.REFUSE], window())
    digest, count = rows.digest(decoded), len(decoded.tags)
    own_id = digest if sequence == NO_SEQUENCE else stream_id
    return Entry(tenant_id, own_id, sequence, digest, count, 0, (0, 0, 0, 0), rows.encode(decoded, tenant_id))


@asynccontextmanager
async def writing(dsn: str) -> AsyncIterator[Queue]:
    """Yield a queue with a writer, which has stored all of it when the block ends."""
    queue = Queue()
    task = asyncio.create_task(Writer(dsn, queue).run())
    try:
        yield queue
    finally:
        queue.close()
        await asyncio.wait_for(task, WAIT_S)


async def outcome(waiting: "asyncio.Future[Receipt]") -> Receipt | IngestError:
    try:
        return await asyncio.wait_for(waiting, WAIT_S)
    except IngestError as failure:
        return failure


async def acknowledged(queue: Queue, sent: Entry) -> Receipt:
    """Send until acknowledged, as a client does."""
    async with asyncio.timeout(WAIT_S):
        while not isinstance(heard := await outcome(queue.put(sent)), Receipt):
            pass
    return heard


async def count(dsn: str) -> int:
    async with operator(dsn) as connection:
        return int(await connection.fetchval("SELECT count(*) FROM events"))
