"""HTTP/1.1 over one of a sender's many plain sockets, with little work per request."""

import asyncio
import contextlib
import socket

from tests.support.wire import Answer

READ_BYTES = 65_536
ANSWER_S_MAX = 60.0  # Longer than the service lets anybody wait.


class NoAnswer(Exception):
    """The connection ended, or nothing came for a minute; the message is the class of what was raised."""


class Connection:
    """A connection, opened at its first request, and again after the service or an error closed it."""

    def __init__(self, bind: str) -> None:
        self._address = address_of(bind)
        self._socket: socket.socket | None = None

    async def exchange(self, requests: bytes, count: int = 1) -> list[Answer]:
        """Send requests as they are, and return as many responses; raises NoAnswer."""
        try:
            async with asyncio.timeout(ANSWER_S_MAX):
                answers = await self._exchange(requests, count)
        except (OSError, TimeoutError) as error:
            self.close()
            raise NoAnswer(type(error).__name__) from None
        # A body was refused before it was read, or a worker with much to do sends its senders elsewhere.
        if answers[-1].headers.get("connection") == "close":
            self.close()
        return answers

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    async def _exchange(self, requests: bytes, count: int) -> list[Answer]:
        loop = asyncio.get_running_loop()
        if self._socket is None:
            self._socket = await opened(self._address)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # It may be answered before it is through.
            await loop.sock_sendall(self._socket, requests)
        answers: list[Answer] = []
        received = b""
        while len(answers) < count:
            part = await loop.sock_recv(self._socket, READ_BYTES)
            if not part:
                raise ConnectionResetError
            received += part
            while (found := _parsed(received)) is not None:
                answer, received = found
                answers.append(answer)
        return answers


def get(path: str, token: str = "") -> bytes:
    """Return a request, with a token if there is one."""
    authorization = f"Authorization: Bearer {token}\r\n" if token else ""
    return f"GET {path} HTTP/1.1\r\nHost: soak\r\n{authorization}\r\n".encode("ascii")


def post(token: str, body: bytes, headers: str = "") -> bytes:
    """Return a request with a body, or its chunks, and further header lines."""
    length = "" if "chunked" in headers else f"Content-Length: {len(body)}\r\n"
    head = (
        f"POST /v1/events HTTP/1.1\r\nHost: soak\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\n{headers}{length}\r\n"
    )
    return head.encode("ascii") + body


def address_of(bind: str) -> tuple[str, int]:
    host, _, port = bind.rpartition(":")
    return host, int(port)


async def opened(address: tuple[str, int]) -> socket.socket:
    """Connect a non-blocking socket."""
    made = socket.socket()
    made.setblocking(False)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        await asyncio.get_running_loop().sock_connect(made, address)
    except (OSError, asyncio.CancelledError):
        made.close()
        raise
    return made


def _parsed(received: bytes) -> tuple[Answer, bytes] | None:
    """Return the first whole answer, and what comes after it."""
    head, found, rest = received.partition(b"\r\n\r\n")
    if not found:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    size = int(headers["content-length"])
    if len(rest) < size:
        return None
    return Answer(int(first.split(" ", 2)[1]), headers, rest[:size]), rest[size:]
