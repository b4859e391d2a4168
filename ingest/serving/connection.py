"""One sender's connection: requests of HTTP/1.1 one after another.

Hypercorn listens, and hands us streams. Its own way of reading them speaks HTTP/2 and websockets, reads what RFC 9112
lets a server refuse, and waits without end for a sender that does not read its answer.
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
FILES_SPARE = 64  # Of a process, for PostgreSQL, metrics and certificates.
CONNECTIONS_MIN = 16
BACKLOG_MAX = 1_024
KNOWN = "is_known"  # Of a scope's state: the request had a good token.
_UNREADABLE = Head("GET", b"", b"", [], 0, expects_continue=False, is_last=True)


def count_max() -> int:
    """Give how many a process may have by its limit of open files: those that come at once are below it too."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(CONNECTIONS_MIN, files - FILES_SPARE - backlog())


def backlog() -> int:
    """Give how many may wait to be accepted: the loop takes all of them before the first is looked at."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(CONNECTIONS_MIN, min(BACKLOG_MAX, files // 4))


class Connections:
    """Those of a process, bounded: one more ends the one that has waited longest, or else has been longest at work.

    Whose last request had a good token is ended after all that wait without one: strangers end strangers.
    """

    def __init__(self, keep_alive_s: float, fields: Callable[[], Fields], count_max: Callable[[], int]) -> None:
        self.keep_alive_s = keep_alive_s
        self.fields = fields  # Of every answer.
        self._is_ending = False
        self._count_max = count_max
        self._turn = asyncio.Lock()
        # Without a request under way, of strangers and of those we know; and with one. The longest first.
        self._strangers: dict[Connection, None] = {}
        self._known: dict[Connection, None] = {}
        self._busy: dict[Connection, None] = {}

    def rest(self, one: "Connection") -> None:
        """Note that it has no request under way: it is new, or has had its answer."""
        self._busy.pop(one, None)
        while len(self._strangers) + len(self._known) + len(self._busy) >= self._count_max():
            longest = next(iter(self._strangers or self._known or self._busy))
            longest.end()
            self.leave(longest)
        (self._known if one.is_known else self._strangers)[one] = None
        if self._is_ending:
            one.end()

    def work(self, one: "Connection") -> None:
        """Note that it has one."""
        self.leave(one)
        self._busy[one] = None

    def leave(self, one: "Connection") -> None:
        for each in (self._strangers, self._known, self._busy):
            each.pop(one, None)

    async def take_turn(self) -> None:
        """Let one sender whose requests follow each other unanswered go on in each round of the loop.

        Whoever waits for an answer before the next request comes before all of them.
        """
        async with self._turn:
            await asyncio.sleep(0)

    def end(self) -> None:
        """End those without a request now, and each other after the one it has."""
        self._is_ending = True
        for one in (*self._strangers, *self._known):
            one.end()


class Connection:
    """`serve` answers until either side ends it."""

    def __init__(self, app: ASGIApp, among: Connections, wire: Wire) -> None:
        self._app = app
        self._among = among
        self._wire = wire
        self.is_known = False
        self._buffer = bytearray()  # What has come and was not taken.

    async def serve(self) -> None:
        """Answer one request after another."""
        try:
            while await self._exchange():
                pass
        except OSError:  # The network's, or TLS's.
            self._wire.cut()
        finally:
            self._among.leave(self)
            await self._wire.close()

    def end(self) -> None:
        """End, as well without a request as with one."""
        self._wire.end()

    async def _exchange(self) -> bool:
        """Answer a request; tells whether another may come."""
        self._among.rest(self)
        state: dict[str, object] = {}
        try:
            head = await self._head()
        except IngestError as fault:
            head, state = _UNREADABLE, {"fault": fault}
        if head is None:
            return False
        self._among.work(self)
        exchange = Exchange(self._wire, head, self._buffer, self._among.fields)
        await self._app(self._scope(head, state), exchange.receive, exchange.send)
        self.is_known = bool(state.get(KNOWN))
        if not exchange.is_last:
            if self._buffer:
                await self._among.take_turn()
            return True
        if state or exchange.may_send_more:
            await self._wire.linger()
        return False

    async def _head(self) -> Head | None:
        """Give the next head; None where there is none. Raises what cannot be read, and SlowHead."""
        loop = asyncio.get_running_loop()
        began = bool(self._buffer)
        try:
            async with asyncio.timeout(HEAD_S if began else self._among.keep_alive_s) as limit:
                while (head := http1.take_head(self._buffer)) is None:
                    data = await self._wire.receive(http1.HEAD_BYTES_MAX)
                    if not data:
                        return None
                    if not began:
                        began = True
                        limit.reschedule(loop.time() + HEAD_S)
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
            "client": None,
            "server": None,
            "state": state,
            "extensions": {},
        }
