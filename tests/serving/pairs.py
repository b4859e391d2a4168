"""Both ends of one real connection, on the loop of a test."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple


class Pair(NamedTuple):
    """The server's reader and writer, the client's writer, and a reader of what the client is answered."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    client: asyncio.StreamWriter
    answers: asyncio.StreamReader


@asynccontextmanager
async def pair() -> AsyncIterator[Pair]:
    """Connect a client to a server of this process until the block ends."""
    accepted: asyncio.Future[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Future()
    server = await asyncio.start_server(lambda *both: accepted.set_result(both), "127.0.0.1")
    async with server:
        answers, client = await asyncio.open_connection(*server.sockets[0].getsockname())
        reader, writer = await accepted
        try:
            yield Pair(reader, writer, client, answers)
        finally:
            client.close()
            writer.close()
