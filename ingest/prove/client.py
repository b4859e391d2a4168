"""An HTTP/1.1 client over asyncio streams that can send what no HTTP library would."""

import asyncio
import contextlib
import ssl
from typing import NamedTuple
from urllib.parse import urlsplit

ANSWER_TIMEOUT_S = 30.0
CONNECT_TIMEOUT_S = 10.0
QUIET_S = 1.0  # After this long without data, a response on an open connection is complete.
ANSWER_BYTES_MAX = 16_777_216
HEAD_BYTES_MAX = 65_536
_LOST = (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError, ssl.SSLError)


class Answer(NamedTuple):
    """A response; status 0 if it was not HTTP or empty. `wire` has all its bytes."""

    status: int
    headers: dict[str, str]
    body: bytes
    wire: bytes


NOTHING = Answer(0, {}, b"", b"")


class Address(NamedTuple):
    """The address of the service."""

    host: str
    port: int
    prefix: bytes
    tls: ssl.SSLContext | None

    @property
    def authority(self) -> bytes:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}".encode("ascii")


def address(url: str) -> Address:
    """Parse a URL, or raise ValueError."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.username:
        raise ValueError
    tls = ssl.create_default_context() if parts.scheme == "https" else None
    port = parts.port or (443 if tls else 80)
    return Address(parts.hostname, port, parts.path.rstrip("/").encode("ascii"), tls)


class Connection:
    """A connection that is kept open while both sides want to."""

    def __init__(self, to: Address) -> None:
        self._to = to
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, wire: bytes) -> Answer:
        """Send a request and return its response; retry once if a kept connection was closed. Raises OSError."""
        is_kept = self._streams is not None
        answer = await self._try(wire)
        return await self._try(wire) if is_kept and answer is NOTHING else answer

    async def close(self) -> None:
        if self._streams is not None:
            _, writer = self._streams
            self._streams = None
            writer.transport.abort()
            with contextlib.suppress(*_LOST):
                await writer.wait_closed()

    async def _try(self, wire: bytes) -> Answer:
        if self._streams is None:
            self._streams = await _connect(self._to)
        reader, writer = self._streams
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                writer.write(wire)  # Not drained: the response may come before all is written.
                answer = await _read(reader)
        except _LOST:
            await self.close()
            return NOTHING
        if answer.headers.get("connection", "").lower() == "close" or "content-length" not in answer.headers:
            await self.close()
        return answer


async def send_alone(to: Address, wire: bytes) -> Answer:
    """Send bytes over a new connection and return all that comes back. Raises OSError."""
    reader, writer = await _connect(to)
    said = bytearray()
    writer.write(wire)
    try:
        while len(said) < ANSWER_BYTES_MAX:
            async with asyncio.timeout(QUIET_S if said else ANSWER_TIMEOUT_S):
                part = await reader.read(HEAD_BYTES_MAX)
            if not part:
                break
            said += part
    except _LOST:
        pass  # A reset, or silence: keep what was received.
    finally:
        writer.transport.abort()
    return _parsed(bytes(said))


async def _connect(to: Address) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    async with asyncio.timeout(CONNECT_TIMEOUT_S):
        return await asyncio.open_connection(to.host, to.port, ssl=to.tls, limit=HEAD_BYTES_MAX)


async def _read(reader: asyncio.StreamReader) -> Answer:
    head = await reader.readuntil(b"\r\n\r\n")
    status, headers = _head(head)
    if status // 100 == 1:
        return await _read(reader)
    if "content-length" in headers:
        size = int(headers["content-length"])
        body = await reader.readexactly(size) if size <= ANSWER_BYTES_MAX else b""
    else:
        body = await reader.read(ANSWER_BYTES_MAX)  # Chunked, or until the end: the connection is not kept.
    return Answer(status, headers, body, head + body)


def _parsed(said: bytes) -> Answer:
    head, _, body = said.partition(b"\r\n\r\n")
    status, headers = _head(head)
    if status == 0:
        return Answer(0, {}, b"", said)
    return Answer(status, headers, body[: int(headers.get("content-length", len(body)))], said)


def _head(head: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = head.decode("latin-1").rstrip().split("\r\n")
    words = first.split()
    is_http = len(words) > 1 and words[0].startswith("HTTP/1.") and words[1].isdigit()
    fields = (line.partition(":") for line in lines)
    return int(words[1]) if is_http else 0, {name.strip().lower(): value.strip() for name, _, value in fields}
