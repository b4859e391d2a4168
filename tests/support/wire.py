"""An HTTP sender: correct requests through http.client, and broken ones through a bare socket."""

import contextlib
import http.client
import json
import socket
import ssl
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from ingest.serving.problems import MEDIA_TYPE, TYPE_PREFIX, Problem

TIMEOUT_S = 40.0
SILENCE_S = 1.0


class Answer(NamedTuple):
    """A response, with header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, object]:
        found = json.loads(self.body)
        assert isinstance(found, dict)
        return found

    @property
    def problem(self) -> str:
        """Return the end of the problem's type, after checking that it is RFC 9457's and has the same status."""
        assert self.headers["content-type"] == MEDIA_TYPE
        problem = msgspec.json.decode(self.body, type=Problem)
        assert problem.status == self.status
        assert problem.instance == f"urn:uuid:{self.headers['x-request-id']}"
        return problem.type.removeprefix(TYPE_PREFIX)

    @property
    def face(self) -> str:
        """Return the status and, of a refusal, the problem and whether a Retry-After is missing."""
        if self.status == 200:
            return "200"
        is_problem = self.headers.get("content-type") == MEDIA_TYPE
        lacks = self.status in {429, 503} and int(self.headers.get("retry-after", 0)) < 1
        problem = self.problem if is_problem else "without a problem"
        return f"{self.status} {problem}{' without Retry-After' if lacks else ''}"

    @property
    def violations(self) -> list[tuple[str, str]]:
        problem = msgspec.json.decode(self.body, type=Problem)
        return [(violation.rule, violation.pointer) for violation in problem.violations]

    @property
    def rules(self) -> list[str]:
        return list(dict.fromkeys(rule for rule, _ in self.violations))


class Sender:
    """A proxy with a token that keeps one connection, and reconnects if the server closed it."""

    def __init__(self, bind: str, token: str | None = None, trust: ssl.SSLContext | None = None) -> None:
        self.bind = bind
        self.headers = {"Content-Type": "application/json"}
        if token is not None:
            self.headers["Authorization"] = f"Bearer {token}"
        self._connection = http.client.HTTPConnection(bind, timeout=TIMEOUT_S)
        if trust is not None:
            self._connection = http.client.HTTPSConnection(bind, timeout=TIMEOUT_S, context=trust)

    def post(self, body: bytes, headers: Mapping[str, str | None] | None = None, path: str = "/v1/events") -> Answer:
        """Send a body; a header that is None is left out."""
        return self.request("POST", path, body, headers)

    def get(self, path: str, headers: Mapping[str, str | None] | None = None) -> Answer:
        return self.request("GET", path, None, headers)

    def post_in_chunks(self, path: str, body: bytes) -> Answer:
        """Send a body without Content-Length, in chunks."""
        pieces = (body[start : start + 65_536] for start in range(0, len(body), 65_536))
        return self._send("POST", path, pieces, self.headers)

    def begin(self, size: int) -> None:
        """Send a request's head without its body."""
        self._connection.putrequest("POST", "/v1/events")
        for name, value in (self.headers | {"Content-Length": str(size)}).items():
            self._connection.putheader(name, value)
        self._connection.endheaders()

    def request(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str | None] | None = None
    ) -> Answer:
        wanted = {name: value for name, value in (self.headers | dict(headers or {})).items() if value is not None}
        return self._send(method, path, body, wanted)

    def _send(self, method: str, path: str, body: bytes | Iterable[bytes] | None, headers: Mapping[str, str]) -> Answer:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # The response may come before all is sent.
            self._connection.request(method, path, body, headers)
        answer = self._connection.getresponse()
        read = Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
        if answer.status >= http.HTTPStatus.BAD_REQUEST:
            self._connection.close()
        return read

    def local_port(self) -> int:
        """Connect, and return the local port."""
        if self._connection.sock is None:
            self._connection.connect()
        return int(self._connection.sock.getsockname()[1])

    def close(self) -> None:
        self._connection.close()


def raw(bind: str, request: bytes) -> bytes:
    """Send bytes as they are, and return all that comes back until the server closes or falls silent."""
    host, _, port = bind.rpartition(":")
    parts = []
    with socket.create_connection((host, int(port)), timeout=SILENCE_S) as connection:
        connection.sendall(request)
        try:
            while part := connection.recv(65_536):
                parts.append(part)
        except TimeoutError:
            pass
    return b"".join(parts)


def parsed(received: bytes) -> Answer:
    """Parse the first response in the bytes received; status 0 if there is none."""
    head, _, rest = received.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    if not first.startswith("HTTP/1.1 "):
        return Answer(0, {}, received)
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return Answer(int(first.split(" ", 2)[1]), headers, rest[: int(headers.get("content-length", len(rest)))])
