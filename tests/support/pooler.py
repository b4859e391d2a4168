"""A small connection pooler for PostgreSQL that treats sessions as real poolers do."""

import asyncio
import contextlib
import enum
import struct
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

from tests.support import cluster

_SSL, _CANCEL = 80877103, 80877102
_DISCARD = b"Q" + struct.pack(">I", 16) + b"DISCARD ALL\0"
_TRACKED = ("user", "database", "client_encoding", "application_name")


class Habit(enum.Enum):
    """A pooler's way to treat clients' sessions."""

    SESSION = "one server connection for a client; start-up parameters but the usual four are dropped"
    REFUSES = "session mode, and any other start-up parameter is an error: PgBouncer without ignore_startup_parameters"
    REFUSES_NAMES = "the same, and not even application_name is taken"
    DISCARDS = "one server connection, and DISCARD ALL after each transaction"
    ROTATES = "another server connection for each transaction"
    FORGETS = "transactions on one server connection as long as no other client takes it"
    RESETS_ROLE = "one server connection, and RESET ROLE after each transaction"


class Pooler:
    """A pooler in its own thread, so that tests may block on a process."""

    def __init__(self, dsn: str, habit: Habit) -> None:
        parts = urlsplit(dsn)
        self._socket = f"{cluster.sockets(dsn)}/.s.PGSQL.5432"
        self._database = parts.path.removeprefix("/")
        self._user = parts.username or "postgres"
        self._habit = habit
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self._open: set[asyncio.StreamWriter] = set()
        self.port = 0

    @property
    def dsn(self) -> str:
        return f"postgresql://{self._user}@127.0.0.1:{self.port}/{self._database}?sslmode=disable"

    async def serve(self, opened: threading.Event) -> None:
        self._loop, self._stopped = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._client, "127.0.0.1", 0)
        self.port = int(server.sockets[0].getsockname()[1])
        opened.set()
        await self._stopped.wait()
        server.close()
        for writer in self._open:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    def stop(self) -> None:
        """Stop serving; called from another thread."""
        self._loop.call_soon_threadsafe(self._stopped.set)

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            parameters = await _startup(reader, writer)
            if self._refuses(parameters):
                fields = b"SFATAL\0C08P01\0Munsupported startup parameter: something\0\0"
                writer.write(b"E" + struct.pack(">I", len(fields) + 4) + fields)
                await writer.drain()
            else:
                await self._session(reader, writer)
        writer.close()

    def _refuses(self, parameters: set[str]) -> bool:
        if self._habit is Habit.REFUSES_NAMES:
            return "application_name" in parameters
        return self._habit is Habit.REFUSES and not parameters <= {*_TRACKED}

    async def _session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward messages, and choose a server connection for each transaction."""
        server = await self._server()
        # A pooler makes up a client's cancel key, which differs from that of PostgreSQL's process.
        hello = b"R" + struct.pack(">II", 8, 0) + b"K" + struct.pack(">III", 12, 4_000_000, 7)
        writer.write(hello + _parameter("server_version", "18.0") + _parameter("integer_datetimes", "on"))
        writer.write(_parameter("client_encoding", "UTF8") + b"Z" + struct.pack(">I", 5) + b"I")
        lends = self._habit in {Habit.ROTATES, Habit.FORGETS}
        if lends:
            self._idle.append(server)
        is_free = lends
        try:
            while True:
                kind, message = await _message(reader)
                if kind == b"X":
                    return
                if is_free:
                    server = await self._take()
                    is_free = False
                server[1].write(message)
                if kind == b"H":  # Flush after Parse and Describe; the response ends with the columns.
                    await _described(writer, server[0])
                if kind in {b"Q", b"S"} and await self._answer(reader, writer, server) == b"I" and lends:
                    self._idle.append(server)
                    is_free = True
        finally:
            if not is_free:
                server[1].close()

    async def _answer(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        server: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> bytes:
        """Forward a response to its end, and return the transaction's state."""
        while True:
            kind, message = await _message(server[0])
            writer.write(message)
            if kind == b"G":  # COPY FROM STDIN.
                while kind not in {b"c", b"f"}:
                    kind, piece = await _message(reader)
                    server[1].write(piece)
            if kind == b"Z":
                await writer.drain()
                if message[-1:] == b"I":
                    await self._after(server)
                return message[-1:]

    async def _after(self, server: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
        reset = {Habit.DISCARDS: _DISCARD, Habit.RESETS_ROLE: b"Q" + struct.pack(">I", 15) + b"RESET ROLE\0"}
        if self._habit in reset:
            server[1].write(reset[self._habit])
            while (await _message(server[0]))[0] != b"Z":
                pass

    async def _take(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Return a server connection: the least or the most recently used one."""
        if self._habit is Habit.ROTATES:
            return await self._server()
        return self._idle.pop() if self._idle else await self._server()

    async def _server(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_unix_connection(self._socket)
        self._open.add(writer)
        pairs = f"user\0{self._user}\0database\0{self._database}\0client_encoding\0UTF8\0\0".encode()
        writer.write(struct.pack(">II", len(pairs) + 8, 196_608) + pairs)
        while (await _message(reader))[0] != b"Z":
            pass
        return reader, writer


@contextlib.contextmanager
def pooling(dsn: str, habit: Habit) -> Iterator[Pooler]:
    """Run a pooler in front of a database until the block ends."""
    pooler = Pooler(dsn, habit)
    opened = threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(pooler.serve(opened)), daemon=True)
    thread.start()
    assert opened.wait(10)
    try:
        yield pooler
    finally:
        pooler.stop()
        thread.join(10)
        assert not thread.is_alive()


async def _described(writer: asyncio.StreamWriter, server: asyncio.StreamReader) -> None:
    kind = b""
    while kind not in {b"T", b"n", b"E"}:
        kind, message = await _message(server)
        writer.write(message)


async def _startup(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> set[str]:
    while True:
        (size,) = struct.unpack(">I", await reader.readexactly(4))
        rest = await reader.readexactly(size - 4)
        (code,) = struct.unpack(">I", rest[:4])
        if code == _SSL:
            writer.write(b"N")
            continue
        if code == _CANCEL:
            raise ConnectionError
        words = rest[4:].split(b"\0")
        return {word.decode() for word in words[::2] if word}


async def _message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    head = await reader.readexactly(5)
    (size,) = struct.unpack(">I", head[1:])
    return head[:1], head + await reader.readexactly(size - 4)


def _parameter(name: str, value: str) -> bytes:
    words = f"{name}\0{value}\0".encode()
    return b"S" + struct.pack(">I", len(words) + 4) + words
