"""A pool of connections to an upstream that does what a test says, and what a test asks of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ingest.gateway.upstream.answer import Answer
from ingest.gateway.upstream.connection import Times
from ingest.gateway.upstream.origin import Origin
from ingest.gateway.upstream.pool import Pool
from tests.support.raw_upstream import Answerer, RawUpstream, answering

TIMES = Times(5.0, 30.0, 30.0, 60.0)
REQUEST = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}"
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"transfer-encoding: chunked\r\n\r\n"


@asynccontextmanager
async def pooled(answer: Answerer, times: Times = TIMES) -> AsyncIterator[tuple[RawUpstream, Pool]]:
    """Yield an upstream and the pool of its connections; none is left open."""
    async with answering(answer) as upstream:
        pool = Pool(Origin.of(upstream.url), times, None)
        try:
            yield upstream, pool
        finally:
            pool.close()
            await upstream.none_is_open()
            assert pool.open_count == 0


async def asked(pool: Pool, *parts: bytes | memoryview) -> bytes:
    answer = await pool.ask(parts or (REQUEST,))
    found = b""
    while part := await answer.read():
        found += part
    return found


async def parts_of(answer: Answer) -> list[bytes]:
    """Return what each `read` returns, to the end."""
    found = []
    while part := await answer.read():
        found.append(part)
    return found
