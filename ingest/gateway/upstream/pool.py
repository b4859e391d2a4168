"""The connections to one upstream: made when needed, kept for a while, never more than the requests under way."""

import asyncio
import socket
import ssl
from collections.abc import Sequence
from itertools import chain, zip_longest

from ingest.gateway.upstream.answer import Answer
from ingest.gateway.upstream.connection import Connection, Part, Times
from ingest.gateway.upstream.errors import CertificateRefused, NoAnswer, Unreachable
from ingest.gateway.upstream.origin import Origin
from ingest.gateway.upstream.retry import Budget

KEPT_MAX = 256
KEPT_S = 55.0  # Below the minute after which many servers close a connection.
ADDRESSES_MAX = 4  # Tried one after another; each gets its part of the time.
LOOKS_MAX_S = 1.0  # Between two looks for what is over time.
LOOKS_PER_LIMIT = 8


class Pool:
    """Asks one upstream."""

    def __init__(self, origin: Origin, times: Times, context: ssl.SSLContext | None) -> None:
        self._origin = origin
        self._times = times
        self._context = context if origin.is_secure else None
        self._kept: list[Connection] = []  # The last one used is used next, so that a surplus gets old.
        self._all: set[Connection] = set()
        self._resends = Budget.full()
        self._look_s = min(LOOKS_MAX_S, min(times) / LOOKS_PER_LIMIT)
        self._look: asyncio.TimerHandle | None = None

    async def ask(self, parts: Sequence[Part]) -> Answer:
        """Send a request and return the answer once its head has come, or raise an UpstreamFailure."""
        kept = self._take()
        if kept is not None:
            self._resends.earn()
            try:
                return await begun(kept.send(parts))
            except NoAnswer:
                # The upstream closed the connection just when we used it. Others that it kept as long will fail alike.
                if not self._resends.spend():
                    raise
        connection = await self._connect()
        return await begun(connection.send(parts))

    @property
    def open_count(self) -> int:
        return len(self._all)

    def close(self) -> None:
        """Cut all connections."""
        for connection in tuple(self._all):
            connection.abort()
        if self._look is not None:
            self._look.cancel()
            self._look = None

    # What a connection calls.

    def keep(self, connection: Connection) -> None:
        if len(self._kept) < KEPT_MAX:
            self._kept.append(connection)
        else:
            connection.abort()

    def lose(self, connection: Connection) -> None:
        self._all.discard(connection)
        if connection in self._kept:
            self._kept.remove(connection)

    def _take(self) -> Connection | None:
        while self._kept:
            connection = self._kept.pop()
            if connection.is_open():
                return connection
            connection.abort()
        return None

    async def _connect(self) -> Connection:
        loop = asyncio.get_running_loop()
        ends_s = loop.time() + self._times.connect_s
        failure: type[CertificateRefused | Unreachable] = Unreachable
        try:
            async with asyncio.timeout_at(ends_s):
                addresses = await self._addresses()
        except (OSError, UnicodeError):
            raise Unreachable from None
        for at, address in enumerate(addresses):
            now_s = loop.time()
            try:
                async with asyncio.timeout((ends_s - now_s) / (len(addresses) - at)):
                    return await self._connect_to(address)
            except ssl.SSLCertVerificationError:
                failure = CertificateRefused
            except OSError:  # TimeoutError and ssl.SSLError are.
                continue
        raise failure

    async def _connect_to(self, address: str) -> Connection:
        loop = asyncio.get_running_loop()
        name = self._origin.host if self._context is not None else None
        _, connection = await loop.create_connection(
            lambda: Connection(self, loop), address, self._origin.port, ssl=self._context, server_hostname=name
        )
        self._all.add(connection)
        self._arm(loop)
        return connection

    async def _addresses(self) -> list[str]:
        """Return addresses of the upstream, IPv6 and IPv4 in turns, beginning with what the system prefers."""
        if self._origin.address is not None:
            return [self._origin.host]
        found = await asyncio.get_running_loop().getaddrinfo(
            self._origin.host, self._origin.port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
        )
        first = [str(place[0]) for family, *_, place in found if family == found[0][0]]
        others = [str(place[0]) for family, *_, place in found if family != found[0][0]]
        turns = chain.from_iterable(zip_longest(first, others))
        return list(dict.fromkeys(each for each in turns if each is not None))[:ADDRESSES_MAX]

    def _arm(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._look is None:
            self._look = loop.call_later(self._look_s, self._expire, loop)

    def _expire(self, loop: asyncio.AbstractEventLoop) -> None:
        """End what is over time: one timer looks at all connections, so that a request needs none."""
        self._look = None
        now_s = loop.time()
        while self._kept and now_s - self._kept[0].moved_s > KEPT_S:
            self._kept.pop(0).abort()
        for connection in tuple(self._all):
            connection.expire(now_s, self._times)
        if self._all:
            self._arm(loop)


async def begun(answer: Answer) -> Answer:
    """Return an answer once its head has come, or close it."""
    has_begun = False
    try:
        await answer.begin()
        has_begun = True
    finally:
        if not has_begun:  # Also of one whose head came just when the client left.
            answer.close()
    return answer
