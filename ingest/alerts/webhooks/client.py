"""Posts to addresses of strangers: checked addresses alone, TLS verified, no redirect, and nothing without a bound."""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import TracebackType
from typing import Self, cast

import aiohappyeyeballs
import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_proto import ResponseHandler
from yarl import URL

from ingest.alerts.webhooks import addresses
from ingest.store.webhooks.errors import BadUrl
from ingest.store.webhooks.kinds import Answer

TIMEOUT_S = 10.0  # For all of it: the name, the connection, the answer.
ANSWER_BYTES_MAX = 4_096  # Read so that a short answer ends in peace, and dropped.
RECEIVED_BYTES_MAX = 32_768  # Of a connection, since answers of the class 1xx have no end of their own.
HEADERS_MAX, HEADER_BYTES_MAX = 64, 4_096
POSTS_MAX = 128  # At once.
LOOK_UPS_MAX = 32  # Threads, which a slow name server keeps for as long as the resolver waits.
_AGENT = "nocontent-webhooks"
_GONE = 410
_CLASSES: Sequence[Answer] = ("1xx", "2xx", "3xx", "4xx", "5xx")
LookUp = Callable[[str, int], Awaitable[Sequence[str]]]  # Addresses of a name, as a resolver has them; raises OSError.


class _AddressRefused(Exception):
    """A name has an address to which no connection is opened."""


# The first that fits.
_ANSWERS: Mapping[type[Exception], Answer] = {
    BadUrl: "address-refused",
    _AddressRefused: "address-refused",
    TimeoutError: "timed-out",
    aiohttp.ClientConnectorDNSError: "name-unknown",
    aiohttp.ClientSSLError: "tls-failed",
    aiohttp.ClientOSError: "connection-failed",
    aiohttp.ServerDisconnectedError: "connection-failed",
    aiohttp.ClientError: "bad-answer",
    ValueError: "bad-answer",
}
_FAILURES = tuple(_ANSWERS)


class _Resolver(AbstractResolver):
    """Looks a name up once for each connection, and refuses it if any of its addresses is refused."""

    def __init__(self, look_up: LookUp, *, allows_loopback: bool) -> None:
        self._look_up = look_up
        self._allows_loopback = allows_loopback

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_UNSPEC,  # noqa: ARG002 (aiohttp's; ours has the addresses of both)
    ) -> list[ResolveResult]:
        found = await self._look_up(host, port)
        if not found:
            raise OSError
        if not all(addresses.is_allowed(each, allows_loopback=self._allows_loopback) for each in found):
            raise _AddressRefused
        return [_result(host, each, port) for each in found]

    async def close(self) -> None:
        return


class _Receiver(ResponseHandler):
    """Takes so many bytes from a connection, and leaves all others to the network."""

    _left = RECEIVED_BYTES_MAX

    def data_received(self, data: bytes) -> None:
        taken, self._left = data[: self._left], max(0, self._left - len(data))
        if taken:
            super().data_received(taken)
        if not self._left and self.transport is not None:
            self.transport.pause_reading()


def _result(name: str, address: str, port: int) -> ResolveResult:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return ResolveResult(
        hostname=name, host=address, port=port, family=family, proto=socket.IPPROTO_TCP, flags=socket.AI_NUMERICHOST
    )


class Client:
    """Posts over connections that are each used once, so that each delivery is to an address just checked."""

    def __init__(
        self, *, allows_loopback: bool = False, look_up: LookUp | None = None, trust: ssl.SSLContext | None = None
    ) -> None:
        self._allows_loopback = allows_loopback
        self._threads = ThreadPoolExecutor(LOOK_UPS_MAX, thread_name_prefix="look-up")
        connector = aiohttp.TCPConnector(
            resolver=_Resolver(look_up or self._getaddrinfo, allows_loopback=allows_loopback),
            use_dns_cache=False,
            force_close=True,
            limit=POSTS_MAX,
            ssl=trust or ssl.create_default_context(),
            socket_factory=self._socket,
        )
        made = partial(_Receiver, loop=asyncio.get_running_loop())
        connector._factory = cast("partial[ResponseHandler]", made)  # noqa: SLF001 - no public way.
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,
            trust_env=False,
            max_headers=HEADERS_MAX,
            max_line_size=HEADER_BYTES_MAX,
            max_field_size=HEADER_BYTES_MAX,
            read_bufsize=ANSWER_BYTES_MAX,
            skip_auto_headers=("Accept", "Accept-Encoding"),
            headers={"User-Agent": _AGENT, "Content-Type": "application/json"},
        )

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Post a body; return the class of the answer, or why there was none."""
        try:
            addresses.require(url, allows_loopback=self._allows_loopback)
            async with asyncio.timeout(TIMEOUT_S):
                return await self._post(url, headers, body)
        except _FAILURES as failed:
            return next(answer for kind, answer in _ANSWERS.items() if isinstance(failed, kind))

    async def _post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        async with self._session.post(
            URL(url, encoded=True), data=body, headers=headers, allow_redirects=False
        ) as response:
            await response.content.read(ANSWER_BYTES_MAX)
            response.close()
            if response.status == _GONE:
                return "gone"
            place = response.status // 100 - 1
            return _CLASSES[place] if 0 <= place < len(_CLASSES) else "bad-answer"

    async def _getaddrinfo(self, host: str, port: int) -> Sequence[str]:
        found = await asyncio.get_running_loop().run_in_executor(
            self._threads, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        )
        return [str(each[4][0]) for each in found]

    def _socket(self, info: aiohappyeyeballs.AddrInfoType) -> socket.socket:
        """Open a socket for an address, which is checked once more: nothing is connected to that was not."""
        family, kind, protocol, _, place = info
        if not addresses.is_allowed(str(place[0]), allows_loopback=self._allows_loopback):
            raise _AddressRefused
        made = socket.socket(family, kind, protocol)
        made.setblocking(False)  # noqa: FBT003 (positional alone)
        return made

    async def close(self) -> None:
        await self._session.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
