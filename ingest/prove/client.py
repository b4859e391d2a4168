"""HTTP/1.1 by hand over asyncio streams: it has to send what no HTTP library would."""

import asyncio
import contextlib
import ssl
from typing import NamedTuple
from urllib.parse import urlsplit

ANSWER_TIMEOUT_S = 30.0
CONNECT_TIMEOUT_S = 10.0
QUIET_S = 1.0  # After which a connection that was left open has said all.
ANSWER_BYTES_MAX = 16_777_216
HEAD_BYTES_MAX = 65_536
_LOST = (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError, ssl.SSLError)


class Answer(NamedTuple):
    """What came back: status 0 where it was no HTTP or nothing; `wire` is every byte of it."""

    status: int
    headers: dict[str, str]
    body: bytes
    wire: bytes


NOTHING = Answer(0, {}, b"", b"")


class Address(NamedTuple):
    """Where the service is."""

    host: str
    port: int
    prefix: bytes
    tls: ssl.SSLContext | None

    @property
    def authority(self) -> bytes:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}".encode("ascii")


def address(url: str) -> Address:
    """Read a URL; raises ValueError."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.username:
        raise ValueError
    tls = ssl.create_default_context() if parts.scheme == "https" else None
    port = parts.port or (443 if tls else 80)
    return Address(parts.hostname, port, parts.path.rstrip("/").encode("ascii"), tls)


class Connection:
    """Keeps a connection while both sides want to."""

    def __init__(self, to: Address) -> None:
        self._to = to
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, wire: bytes) -> Answer:
        """Send a request and give its answer; once more if a kept connection was closed under us. Raises OSError."""
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
                writer.write(wire)  # Nobody waits until it is written: the answer may come before.
                answer = await _read(reader)
        except _LOST:
            await self.close()
            return NOTHING
        if answer.headers.get("connection", "").lower() == "close" or "content-length" not in answer.headers:
            await self.close()
        return answer


async def send_alone(to: Address, wire: bytes) -> Answer:
    """Send bytes on a connection of their own and give all that comes back. Raises OSError."""
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
        pass  # A reset, or silence: what was said is said.
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
        body = await reader.read(ANSWER_BYTES_MAX)  # Chunked, or until the end: such a connection is not kept.
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
