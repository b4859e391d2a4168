"""What a case is: one request, and what may become of it."""

from enum import StrEnum
from typing import NamedTuple

from ingest.prove import frames

EVENTS = b"/v1/events"
Headers = tuple[tuple[bytes, bytes], ...]


class Expected(StrEnum):
    """What a service that keeps its promise does; in no case may the canary be found anywhere."""

    REFUSED = "refused"  # 4xx and a problem document.
    IGNORED = "ignored"  # What holds the canary is not part of the contract: 200 without a trace of it, or 4xx.
    ACCEPTED = "accepted"  # 200, every event counted.
    UNSPOKEN = "unspoken"  # Of another protocol: 4xx or 505 in HTTP/1.1, or the end of the connection.
    BROKEN = "broken"  # Hardly HTTP: any answer under 500, one that says so, or none.


class Request(NamedTuple):
    """A request before host and token are put in."""

    body: bytes = b""
    headers: Headers = ()  # Beside the usual ones; one of the same name stands instead.
    method: bytes = b"POST"
    target: bytes = EVENTS
    without: tuple[bytes, ...] = ()  # Names of usual headers to leave out.
    frames: bytes = b""  # Of HTTP/2: if there are any, the request comes in frames after these.
    wire: bytes = b""  # If there is any, all that is sent: %HOST% and %TOKEN% are filled in.

    def encoded(self, host: bytes, token: bytes, prefix: bytes = b"") -> bytes:
        """Give the bytes to send."""
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
    """A request with its canary; `name` says what it tries, in words that hold nothing of it."""

    name: str
    canary: str
    request: Request
    expected: Expected = Expected.REFUSED
    events: int = 1  # How many an accepted batch has.
    is_alone: bool = False  # Sent on a connection of its own, read until it closes.
    is_of_learner: bool = False  # Sent with the token of the tenant in mode `learn`.


def refused(name: str, canary: str, body: bytes) -> Case:
    """Give the commonest case: a body that must be refused."""
    return Case(name, canary, Request(body))
