"""A receiver of webhooks over HTTPS that answers as it is told, and keeps what came."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import NamedTuple

Respond = Callable[[asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Received(NamedTuple):
    """A request: its head line, headers in lower case, and body."""

    target: str
    headers: Mapping[str, str]
    body: bytes


def raw(answer: bytes) -> Respond:
    """Return a way to respond with these bytes."""

    async def respond(writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()

    return respond


def status(number: int, *headers: str) -> Respond:
    """Return a way to respond with a status and headers, without a body."""
    lines = [f"HTTP/1.1 {number} Said", "Content-Length: 0", *headers]
    return raw("\r\n".join([*lines, "", ""]).encode())


@dataclass
class Receiver:
    """What it received, and how it responds; `url` has the path /hook."""

    port: int = 0
    respond: Respond = field(default_factory=lambda: raw(OK))
    received: list[Received] = field(default_factory=list)
    connections: int = 0
    tasks: set["asyncio.Task[object] | None"] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}/hook"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.tasks.add(asyncio.current_task())
        with suppress(OSError, asyncio.IncompleteReadError, ssl.SSLError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("ascii").split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:-2])}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            self.received.append(Received(head[0], headers, body))
            await self.respond(writer)
        writer.close()


@asynccontextmanager
async def receiving(pair: tuple[str, str]) -> AsyncIterator[Receiver]:
    """Serve on 127.0.0.1 with a certificate and its key, until the block ends."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair)
    receiver = Receiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0, ssl=context)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        tasks = [task for task in receiver.tasks if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
