"""An upstream that sends exactly what a test says, in the loop of the test."""

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

Answerer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class RawUpstream:
    """Counts connections and requests; `answer` is called with each request's head read."""

    def __init__(self, answer: Answerer) -> None:
        self.answer = answer
        self.url = ""
        self.heads: list[bytes] = []
        self.connections = 0
        self._open: set[asyncio.StreamWriter] = set()
        self._changed = asyncio.Event()

    @property
    def open_count(self) -> int:
        return len(self._open)

    async def none_is_open(self) -> None:
        """Wait until the clients have left."""
        while self._open:
            self._changed.clear()
            await self._changed.wait()

    async def has_heads(self, count: int) -> None:
        """Wait until so many requests have arrived."""
        while len(self.heads) < count:
            self._changed.clear()
            await self._changed.wait()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._open.add(writer)
        self._changed.set()
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            while not writer.is_closing():
                self.heads.append(await reader.readuntil(b"\r\n\r\n"))
                self._changed.set()
                await self.answer(reader, writer)
        writer.close()
        self._open.discard(writer)
        self._changed.set()


@asynccontextmanager
async def answering(answer: Answerer, tls: ssl.SSLContext | None = None) -> AsyncIterator[RawUpstream]:
    """Serve on a free port until the block ends."""
    upstream = RawUpstream(answer)
    server = await asyncio.start_server(upstream.serve, "127.0.0.1", 0, ssl=tls, limit=1_048_576)
    upstream.url = f"http{'s' if tls else ''}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield upstream
    finally:
        server.close()


def sending(data: bytes) -> Answerer:
    """Return what sends these bytes to every request, and keeps the connection."""

    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()

    return answer


def sending_last(data: bytes) -> Answerer:
    """Return what sends these bytes and closes the connection."""

    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        writer.close()
        await writer.wait_closed()

    return answer


async def resetting(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Reset the connection: a close without this would be a proper one."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Answer nothing, until the client leaves."""
    await reader.read()


def whole(status: int, body: bytes, *fields: bytes) -> bytes:
    """Return an answer with its length."""
    lines = [b"HTTP/1.1 %d Some Reason" % status, *fields, b"content-length: %d" % len(body), b"", body]
    return b"\r\n".join(lines)
