"""A TCP proxy between service and database that cuts, resets, stalls or half-closes at a chosen byte."""

import asyncio
import contextlib
import enum
import socket
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from tests.support import cluster

CHUNK_BYTES = 65_536
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER of no time: closing sends RST.


class Way(enum.Enum):
    """The direction of bytes."""

    TO_DATABASE = "to the database"
    TO_SERVICE = "to the service"


class Blow(enum.Enum):
    """The kinds of damage to a connection."""

    CUT = "both ends see an orderly close"
    RESET = "both ends see a reset"
    STALL = "nothing more goes through, and nobody is told"
    HALF_CLOSE = "the service reads the end, and may still write"
    GARBLE = "the service reads what is not PostgreSQL's protocol"


@dataclass(frozen=True)
class Trap:
    """A trap that strikes once, after a number of bytes in a direction, or before or after a piece of text."""

    way: Way
    blow: Blow
    at_bytes: int = 0
    text: bytes = b""
    lets_text_pass: bool = False

    def place(self, gone: int, chunk: bytes) -> int | None:
        """Return the place in a chunk to strike at, `gone` bytes after the trap was set."""
        if self.text:
            found = chunk.find(self.text)
            return None if found < 0 else found + len(self.text) * self.lets_text_pass
        return self.at_bytes - gone if gone + len(chunk) >= self.at_bytes else None


class Proxy:
    """A proxy that forwards connections to PostgreSQL's socket until a trap strikes."""

    def __init__(self, dsn: str, user: str) -> None:
        self.upstream = socket_of(dsn)
        self.sprung = asyncio.Event()
        self.gone = dict.fromkeys(Way, 0)
        self._dsn = dsn
        self._user = user
        self._trap: Trap | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._port = 0

    @property
    def dsn(self) -> str:
        """Return the DSN for the service."""
        parts = urlsplit(self._dsn)
        return f"postgresql://{self._user}@127.0.0.1:{self._port}{parts.path}?sslmode=disable"

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self._port)
        self._port = int(self._server.sockets[0].getsockname()[1])

    async def refuse(self) -> None:
        """Stop listening and cut all connections; `open` listens on the same port again."""
        assert self._server is not None
        self._server.close()
        await self.cut()

    async def cut(self) -> None:
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def set(self, trap: Trap | None) -> None:
        self._trap = trap
        self.sprung.clear()
        self.gone = dict.fromkeys(Way, 0)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await self._carry(reader, writer)
        finally:
            self._connections.discard(task)
            writer.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, to_database = await asyncio.open_unix_connection(self.upstream)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pump(Way.TO_DATABASE, reader, to_database, writer))
                both.create_task(self._pump(Way.TO_SERVICE, there, writer, to_database))
        except* (OSError, _Struck):
            pass
        finally:
            to_database.close()

    async def _pump(
        self, way: Way, source: asyncio.StreamReader, target: asyncio.StreamWriter, other: asyncio.StreamWriter
    ) -> None:
        while chunk := await source.read(CHUNK_BYTES):
            trap = self._trap
            place = trap.place(self.gone[way], chunk) if trap is not None and trap.way is way else None
            self.gone[way] += len(chunk)
            if trap is None or place is None:
                target.write(chunk)
                await target.drain()
                continue
            self._trap = None
            target.write(chunk[:place])
            await target.drain()
            self.sprung.set()
            await _strike(trap, target, other)
        target.close()
        raise _Struck  # One way is at its end: so is the other.


class _Struck(Exception):
    """The trap struck: both directions end."""


async def _strike(trap: Trap, target: asyncio.StreamWriter, other: asyncio.StreamWriter) -> None:
    to_service = target if trap.way is Way.TO_SERVICE else other
    if trap.blow is Blow.RESET:
        for writer in (target, other):
            found = writer.get_extra_info("socket")
            if found.family is socket.AF_INET:
                found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            writer.transport.abort()
    if trap.blow is Blow.HALF_CLOSE:
        to_service.write_eof()
    if trap.blow is Blow.GARBLE:
        to_service.write(b"\x00HTTP/1.1 400 Bad Request\r\n\r\n")
        await to_service.drain()
    if trap.blow in {Blow.STALL, Blow.HALF_CLOSE, Blow.GARBLE}:
        await asyncio.Event().wait()  # Until somebody cuts it.
    raise _Struck


def socket_of(dsn: str) -> str:
    """Return the path of the socket that the embedded PostgreSQL listens on."""
    return f"{cluster.sockets(dsn)}/.s.PGSQL.5432"


@contextlib.asynccontextmanager
async def proxied(dsn: str, user: str = "postgres") -> AsyncIterator[Proxy]:
    """Yield an open proxy in front of a database."""
    proxy = Proxy(dsn, user)
    await proxy.open()
    try:
        yield proxy
    finally:
        await proxy.refuse()
