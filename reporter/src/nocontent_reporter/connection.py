"""Sends requests over one kept connection, with a deadline for each answer, and keeps of it what is understood."""

import http.client
import io
import json
import os
import re
import socket
import ssl
import time
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

VERSION = "0.1.0"  # As in pyproject.toml; the package may run from a folder, without metadata.
CONNECT_S = 10.0
ANSWER_S = 40.0  # The server answers within 25 s, after a second in its queue.
ANSWER_BYTES_MAX = 4_194_304  # A policy has some 300 KB, a refusal 20 KB.
_PIECE_BYTES = 65_536
_PROBLEM = re.compile(r"urn:nocontent:problem:([a-z0-9-]{1,40})\Z")
_RULE = re.compile(r"[a-z]{1,16}\.[a-z0-9-]{1,40}\Z")  # What another server writes there is not kept.
_TAG = re.compile(r'(?:W/)?"[A-Za-z0-9._:;+/=-]{1,80}"\Z')  # It is kept in the spool, so it may not be any text.


class Unreachable(Exception):
    """There was no whole answer: nobody knows whether the request was carried out."""

    def __init__(self, kind: str = "unreachable") -> None:
        super().__init__(kind)
        self.kind = kind


class Violation(NamedTuple):
    """A broken rule and its place."""

    rule: str
    pointer: str


class Answer(NamedTuple):
    """What is understood of an answer. `problem` is None if it is none of the server's problems."""

    status: int
    retry_after: str | None = None
    tag: str | None = None
    problem: str | None = None
    violations: tuple[Violation, ...] = ()
    stored: tuple[int, int] | None = None  # Accepted events and duplicates, of a receipt.


class Connection:
    """A connection to one server, opened when it is needed, and closed if the server says so or anything is odd."""

    def __init__(self, url: str, token: str, trust: ssl.SSLContext | None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("url is https://host, with a port and a path if need be, and nothing after that")
        if "@" in parts.netloc:
            raise ValueError("url has no user and password: the token is the credential")
        if not token or not token.isascii() or not token.isprintable() or " " in token:
            raise ValueError("token has characters that no token has")
        self._prefix = parts.path.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}", "User-Agent": f"nocontent-reporter/{VERSION}"}
        self._address = parts.hostname, parts.port
        self._trust = trust or ssl.create_default_context() if parts.scheme == "https" else None
        self._http = self._made()

    def _made(self) -> http.client.HTTPConnection:
        host, port = self._address
        made = http.client.HTTPConnection(host, port, timeout=CONNECT_S)
        if self._trust is not None:
            made = http.client.HTTPSConnection(host, port, timeout=CONNECT_S, context=self._trust)
        made.response_class = _Response
        return made

    def request(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        """Return the answer; raises Unreachable."""
        is_kept = self._http.sock is not None
        try:
            return self._request(method, path, body, headers)
        except _Stale:
            if not is_kept:
                raise Unreachable from None
        # The server had closed the kept connection before it could answer: not worth a pause.
        try:
            return self._request(method, path, body, headers)
        except _Stale:
            raise Unreachable from None

    def _request(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        try:
            if self._http.sock is None:
                self._http.connect()
            self._http.sock.settimeout(ANSWER_S)
            self._http.request(method, self._prefix + path, body, {**self._headers, **headers})
            with self._http.getresponse() as response:
                content = _content(response)
                answer = _understood(response, content)
                is_odd = len(content) > ANSWER_BYTES_MAX or (answer.stored is None and answer.tag is None)
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            self.close()
            raise _Stale from None
        except ssl.SSLCertVerificationError:
            self.close()
            raise Unreachable("untrusted") from None
        except (OSError, http.client.HTTPException, ValueError):
            self.close()
            raise Unreachable from None
        if is_odd:  # A kept connection would keep the headers, too.
            self.close()
        return answer

    def close(self) -> None:
        self._http.close()

    def abandon(self) -> None:
        """In a forked child: drop the parent's connection, touching none of the locks that its thread may have held."""
        _inherited.append(self._http)  # Its end would take them, too.
        if self._http.sock is not None and (file := self._http.sock.detach()) >= 0:
            os.close(file)
        self._http = self._made()


_inherited: list[http.client.HTTPConnection] = []


class _Stale(Exception):
    """The connection ended before an answer began."""


class _Response(http.client.HTTPResponse):
    """A response that has to be complete by a deadline, however slowly its bytes come."""

    def __init__(
        self, sock: socket.socket, debuglevel: int = 0, method: str | None = None, url: str | None = None
    ) -> None:
        super().__init__(sock, debuglevel, method, url)
        self.fp.close()
        self.fp = io.BufferedReader(_Deadline(sock))


class _Deadline(io.RawIOBase):
    """Reads from a socket until a moment."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._raw = sock.makefile("rb", buffering=0)
        self._ends_at = time.monotonic() + ANSWER_S

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview | bytearray", /) -> int | None:  # type: ignore[override]  # Narrower: ours.
        self._sock.settimeout(max(0.001, self._ends_at - time.monotonic()))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


def _content(response: http.client.HTTPResponse) -> bytes:
    """Return the content, or a little more than ANSWER_BYTES_MAX of it."""
    parts, size = [], 0
    while size <= ANSWER_BYTES_MAX and (part := response.read(_PIECE_BYTES)):
        parts.append(part)
        size += len(part)
    return b"".join(parts)


def _understood(response: http.client.HTTPResponse, content: bytes) -> Answer:
    status, retry_after, tag = response.status, response.getheader("Retry-After"), _tag(response)
    media_type = (response.getheader("Content-Type") or "").partition(";")[0].strip().lower()
    found = _json(content) if media_type in {"application/json", "application/problem+json"} else None
    if not isinstance(found, dict):
        return Answer(status, retry_after, tag)
    accepted, duplicates = found.get("accepted"), found.get("duplicates")
    if isinstance(accepted, int) and isinstance(duplicates, int):
        return Answer(status, retry_after, tag, stored=(accepted, duplicates))
    problem = _PROBLEM.match(str(found.get("type")))
    if problem is None:
        return Answer(status, retry_after, tag)
    return Answer(status, retry_after, tag, problem[1], _violations(found.get("violations")))


def _tag(response: http.client.HTTPResponse) -> str | None:
    tag = response.getheader("ETag") or ""
    return tag if _TAG.match(tag) else None


def _json(content: bytes) -> object:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def _violations(found: object) -> tuple[Violation, ...]:
    rows = found if isinstance(found, list) else []
    pairs = [(row.get("rule"), row.get("pointer")) for row in rows if isinstance(row, dict)]
    return tuple(Violation(str(rule), str(pointer)) for rule, pointer in pairs if _RULE.match(str(rule)))
