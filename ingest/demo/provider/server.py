"""The server: HTTP/1.1 on asyncio, one request after another on a connection.

A request asks for a misbehaviour by `x-provider: name` or `x-provider: name;number`; without it the answer is good.
"""

import asyncio
import contextlib
import ssl
from collections import deque
from collections.abc import AsyncIterator

from ingest.demo.provider import shapes
from ingest.demo.provider.exchange import Exchange, Manner, Received, receive
from ingest.demo.provider.misbehaviours import MISBEHAVIOURS
from ingest.demo.provider.shapes import Json

_HEAD_BYTES_MAX = 65_536


class Provider:
    """What the server was sent and what it should do; tests read and set it."""

    def __init__(self) -> None:
        self.received: deque[Received] = deque(maxlen=10_000)
        self.script: deque[str] = deque()  # Misbehaviours of the next requests, in order, before what a request asks.
        self.usage: Json = dict(shapes.USAGE)
        self.pieces = 10  # Deltas of a streamed text.
        self.connections = 0  # Accepted.
        self.open = 0
        self.left = 0  # Answers that the client did not wait for.

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of a connection."""
        self.connections += 1
        self.open += 1
        try:
            while (request := await receive(reader)) is not None:
                self.received.append(request)
                exchange = Exchange(request, Manner(self.usage, self.pieces), reader, writer)
                asks = self.script.popleft() if self.script else request.field("x-provider")
                name, _, number = asks.partition(";")
                if name not in MISBEHAVIOURS:
                    await exchange.answer()
                elif not await MISBEHAVIOURS[name](exchange, int(number or 0)):
                    break
        except (OSError, asyncio.IncompleteReadError):
            self.left += 1
        finally:
            self.open -= 1
            writer.close()


@contextlib.asynccontextmanager
async def listening(
    provider: Provider, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
) -> AsyncIterator[str]:
    """Serve until the block ends; yield the base URL."""
    server = await asyncio.start_server(provider.serve, host, port, ssl=tls, limit=_HEAD_BYTES_MAX, backlog=1_024)
    try:
        yield f"http{'s' if tls else ''}://{host}:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
