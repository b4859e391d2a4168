"""Serves HTTP/1.1 requests on a connection, one after another, and bounds the connections of a process.

Hypercorn listens, and passes us streams. Its own protocol supports HTTP/2 and websockets, accepts requests that RFC
9112 lets a server refuse, and waits without limit for a sender that does not read its answer.
"""

import asyncio
import resource
from collections.abc import Callable

from starlette.types import ASGIApp, Scope

from ingest.errors import IngestError
from ingest.serving import http1
from ingest.serving.errors import SlowHead
from ingest.serving.exchange import Exchange
from ingest.serving.http1 import Fields, Head
from ingest.serving.wire import Wire

HEAD_S = 20.0  # From the first byte of a head to its last.
FILES_SPARE = 64  # Kept free for PostgreSQL, metrics and certificates.
CONNECTIONS_MIN = 16
BACKLOG_MAX = 1_024
KNOWN = "is_known"  # In a scope's state: the request had a valid token.
_UNREADABLE = Head("GET", b"", b"", [], 0, expects_continue=False, is_last=True)


def count_max() -> int:
    """Return the most connections that the limit on open files allows, with a full backlog on top."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(CONNECTIONS_MIN, files - FILES_SPARE - backlog())


def backlog() -> int:
    """Return how many connections may wait for accept: the loop accepts all of them before it serves the first."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(CONNECTIONS_MIN, min(BACKLOG_MAX, files // 4))


class Connections:
    """A process's connections, bounded: one more closes the one idle for longest or, if none is idle, busy for longest.

    A connection whose last request had a valid token is closed only after all idle ones without one.
    """

    def __init__(self, keep_alive_s: float, fields: Callable[[], Fields], count_max: Callable[[], int]) -> None:
        self.keep_alive_s = keep_alive_s
        self.fields = fields  # For every answer.
        self._is_ending = False
        self._count_max = count_max
        self._turn = asyncio.Lock()
        # Idle ones without and with a valid token, and busy ones; in each, the longest first.
        self._strangers: dict[Connection, None] = {}
        self._known: dict[Connection, None] = {}
        self._busy: dict[Connection, None] = {}

    def rest(self, connection: "Connection") -> None:
        """Note that a connection is idle: it is new, or its request was answered."""
        self._busy.pop(connection, None)
        while len(self._strangers) + len(self._known) + len(self._busy) >= self._count_max():
            longest = next(iter(self._strangers or self._known or self._busy))
            longest.end()
            self.leave(longest)
        (self._known if connection.is_known else self._strangers)[connection] = None
        if self._is_ending:
            connection.end()

    def work(self, connection: "Connection") -> None:
        """Note that a connection has a request under way."""
        self.leave(connection)
        self._busy[connection] = None

    def leave(self, connection: "Connection") -> None:
        for each in (self._strangers, self._known, self._busy):
            each.pop(connection, None)

    async def take_turn(self) -> None:
        """Wait until this pipelining sender may go on: one may in each round of the loop.

        Senders that wait for each answer before the next request come before all of them.
        """
        async with self._turn:
            await asyncio.sleep(0)

    def end(self) -> None:
        """Close idle connections now, and each busy one after its answer."""
        self._is_ending = True
        for connection in (*self._strangers, *self._known):
            connection.end()


class Connection:
    """A connection of a sender; `serve` answers until either side closes it."""

    def __init__(self, app: ASGIApp, connections: Connections, wire: Wire) -> None:
        self._app = app
        self._connections = connections
        self._wire = wire
        self.is_known = False
        self._buffer = bytearray()  # Received and not yet parsed.

    async def serve(self) -> None:
        """Answer one request after another, then close."""
        try:
            while await self._exchange():
                pass
        except OSError:  # The network's, or TLS's.
            self._wire.cut()
        finally:
            self._connections.leave(self)
            await self._wire.close()

    def end(self) -> None:
        """Close, whether idle or busy."""
        self._wire.end()

    async def _exchange(self) -> bool:
        """Answer a request; return whether another may follow."""
        self._connections.rest(self)
        state: dict[str, object] = {}
        try:
            head = await self._head()
        except IngestError as fault:
            head, state = _UNREADABLE, {"fault": fault}
        if head is None:
            return False
        self._connections.work(self)
        exchange = Exchange(self._wire, head, self._buffer, self._connections.fields)
        await self._app(self._scope(head, state), exchange.receive, exchange.send)
        self.is_known = bool(state.get(KNOWN))
        if exchange.is_streaming:  # Cut short: the sender must not take it for the whole.
            self._wire.cut()
            return False
        if not exchange.is_last:
            if self._buffer:
                await self._connections.take_turn()
            return True
        if state or exchange.may_send_more:
            await self._wire.linger()
        return False

    async def _head(self) -> Head | None:
        """Return the next head, or None at the end; raise SlowHead or an error of `http1`."""
        loop = asyncio.get_running_loop()
        began = bool(self._buffer)
        try:
            async with asyncio.timeout(HEAD_S if began else self._connections.keep_alive_s) as limit:
                while not self._buffer or (head := http1.take_head(self._buffer)) is None:
                    if self._buffer and not began:
                        began = True
                        limit.reschedule(loop.time() + HEAD_S)
                    data = await self._wire.receive(http1.HEAD_BYTES_MAX)
                    if not data:
                        return None
                    self._buffer += data
        except TimeoutError:
            if began:
                raise SlowHead from None
            return None
        return head

    def _scope(self, head: Head, state: dict[str, object]) -> Scope:
        return {
            "type": "http",
            "asgi": {"spec_version": "2.1", "version": "3.0"},
            "http_version": "1.1",
            "method": head.method,
            "scheme": "https" if self._wire.is_secure else "http",
            "path": head.path,
            "raw_path": head.raw_path,
            "query_string": head.query,
            "root_path": "",
            "headers": head.fields,
            "client": self._wire.peer,
            "server": None,
            "state": state,
            "extensions": {},
        }
