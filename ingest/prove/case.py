"""A case: one request with a canary, and the outcome that a correct service may have."""

from enum import StrEnum
from typing import NamedTuple

from ingest.prove import frames

EVENTS = b"/v1/events"
OTLP = frozenset({b"/v1/traces", b"/v1/logs", b"/v1/metrics"})
Headers = tuple[tuple[bytes, bytes], ...]


class Expected(StrEnum):
    """The outcome if the service keeps its promise; the canary must never be found anywhere."""

    REFUSED = "refused"  # 4xx and a problem document.
    IGNORED = "ignored"  # The contract has no place for the canary: 200 without a trace of it, or 4xx.
    ACCEPTED = "accepted"  # 200, every event counted.
    UNSPOKEN = "unspoken"  # Another protocol: 4xx or 505 in HTTP/1.1, or a closed connection.
    BROKEN = "broken"  # Hardly HTTP: a status below 500, 501 or 505, or no response.


class Request(NamedTuple):
    """A request without its host and token."""

    body: bytes = b""
    headers: Headers = ()  # In addition to the usual ones, or replacing one of the same name.
    method: bytes = b"POST"
    target: bytes = EVENTS
    without: tuple[bytes, ...] = ()  # Usual headers to leave out, by name.
    frames: bytes = b""  # HTTP/2 frames; if not empty, the request follows them in frames.
    wire: bytes = b""  # If not empty, sent instead of all else, with %HOST% and %TOKEN% filled in.

    def encoded(self, host: bytes, token: bytes, prefix: bytes = b"") -> bytes:
        """Return the bytes to send."""
        if self.wire:
            return self.wire.replace(b"%HOST%", host).replace(b"%TOKEN%", token)
        if self.frames:
            return self.frames + frames.request(self._in_frames(host, token, prefix), self.body)
        own = {name.lower() for name, _ in self.headers} | set(self.without)
        usual = (
            (b"Host", host),
            (b"Authorization", b"Bearer " + token),
            (b"Content-Type", b"application/json"),
            (b"Content-Length", str(len(self.body)).encode()),
        )
        lines = [self.method + b" " + prefix + self.target + b" HTTP/1.1"]
        lines += [name + b": " + value for name, value in usual if name.lower() not in own]
        lines += [name + b": " + value for name, value in self.headers]
        return b"\r\n".join(lines) + b"\r\n\r\n" + self.body

    def _in_frames(self, host: bytes, token: bytes, prefix: bytes) -> dict[bytes, bytes]:
        usual = {
            b":method": self.method, b":scheme": b"http", b":path": prefix + self.target, b":authority": host,
            b"authorization": b"Bearer " + token, b"content-type": b"application/json",
        }  # fmt: skip
        own = dict(self.headers)
        first = {name: value for name, value in own.items() if name.startswith(b":")}
        return {**first, **{name: value for name, value in usual.items() if name not in own}, **own}


class Case(NamedTuple):
    """A request with its canary; `name` describes the attempt without quoting it."""

    name: str
    canary: str
    request: Request
    expected: Expected = Expected.REFUSED
    events: int = 1  # The number of events, if the batch is accepted.
    is_alone: bool = False  # Sent on a connection of its own, read until it closes.
    is_of_learner: bool = False  # Sent with the token of the tenant in mode `learn`.


def refused(name: str, canary: str, body: bytes) -> Case:
    """Return the most common case: a body that must be refused."""
    return Case(name, canary, Request(body))


def refused_beside(name: str, canary: str, body: bytes) -> Case:
    """Return a body that must be refused and lacks its canary, which is in a header for the search."""
    return Case(name, canary, Request(body, ((b"X-Note", canary.encode()),)))


def ignored(name: str, canary: str, request: Request) -> Case:
    """Return a request with its canary in a place that the contract does not have."""
    return Case(name, canary, request, Expected.IGNORED)
