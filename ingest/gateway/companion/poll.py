"""Asks the service who may, every second or two, and puts the answer on the board; a doubtful one changes nothing."""

import http.client
import io
import ipaddress
import random
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable
from enum import StrEnum
from functools import cache
from http import HTTPStatus
from typing import NamedTuple

import msgspec

from ingest import logs
from ingest.config import PREFIX
from ingest.errors import CannotStart
from ingest.gateway.admission import board
from ingest.gateway.admission.board import BoardWriter
from ingest.gateway.admission.settings import AdmissionSettings
from ingest.gateway.companion import metrics
from ingest.knowledge.gateway import SNAPSHOT_BYTES_MAX, GatewaySnapshot
from ingest.knowledge.gateway_keys import NOW_HEADER, bearer
from ingest.knowledge.keys import Keys
from ingest.metrics import begin_at_zero

PATH = "/v1/gateway/snapshot"
POLL_S_MIN, POLL_S_MAX = 1.0, 1.8  # At random, so that gateways that start together do not ask together.
CONNECT_S, ANSWER_S = 2.0, 4.0
# A worker of the service may know less than another for as long as its snapshot may be old; after a restore all do.
OLDER_MS = 10_000
_URL = re.compile(r"(https?)://(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253})(?::([0-9]{1,5}))?/?", re.ASCII)
_DIGEST, _CLOCK_DIGITS = 32, 15
_decoder = msgspec.json.Decoder(GatewaySnapshot)


class Outcome(StrEnum):
    """What a poll brought."""

    UNCHANGED = "unchanged"
    CHANGED = "changed"
    OLDER = "older"  # Of a lower revision; it is followed once no newer one has come for OLDER_MS.
    REFUSED = "refused"  # The service does not know this gateway's key.
    UNAVAILABLE = "unavailable"  # Another status.
    UNREACHABLE = "unreachable"
    DOUBTFUL = "doubtful"  # Not a snapshot, or one that contradicts itself.


begin_at_zero(metrics.polls, Outcome)
_CONFIRMED = {Outcome.UNCHANGED, Outcome.CHANGED}


class _Answer(NamedTuple):
    status: int
    tag: str
    service_ms: int
    body: bytes


class Poller:
    """One gateway's view of the service: the tag of what is on the board, and its revision."""

    def __init__(self, settings: AdmissionSettings, keys: Callable[[], Keys], writer: BoardWriter) -> None:
        """Take the address from the settings; raises CannotStart."""
        self._keys = keys
        self._writer = writer
        self._connect = _connector(settings)
        self._connection: http.client.HTTPConnection | None = None
        self._tag = ""
        self._revision = -1
        self._older_since_ms: int | None = None
        self.outcome: Outcome | None = None

    def run(self, ending: threading.Event) -> None:
        """Poll until the process ends; log when the service begins and ceases to confirm."""
        while True:
            before, self.outcome = self.outcome, self.poll()
            metrics.polls.labels(self.outcome).inc()
            if self.outcome not in _CONFIRMED and before != self.outcome:
                logs.warning("grants-unconfirmed", error=self.outcome)
            elif self.outcome in _CONFIRMED and before not in _CONFIRMED:
                logs.info("grants-confirmed", revision=self._revision)
            if ending.wait(random.uniform(POLL_S_MIN, POLL_S_MAX)):  # noqa: S311 (no secret)
                return

    def poll(self) -> Outcome:
        """Ask once, and put what came on the board."""
        asked_at_ms = board.now_ms()
        try:
            answer = self._ask()
        except (OSError, http.client.HTTPException):
            self.close()
            return Outcome.UNREACHABLE
        except ValueError:  # A number in its head is none.
            self.close()
            return Outcome.DOUBTFUL
        if answer.status == HTTPStatus.NOT_MODIFIED and self._tag:
            self._older_since_ms = None
            self._writer.confirm(asked_at_ms, answer.service_ms)
            return Outcome.UNCHANGED
        if answer.status != HTTPStatus.OK:
            self.close()  # Another worker of the service may know better.
            is_refused = answer.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
            return Outcome.REFUSED if is_refused else Outcome.UNAVAILABLE
        return self._take(answer, asked_at_ms)

    def _take(self, answer: _Answer, asked_at_ms: int) -> Outcome:
        snapshot = _read(answer.body)
        if snapshot is None:
            self.close()
            return Outcome.DOUBTFUL
        if snapshot.revision < self._revision:
            if self._older_since_ms is None:
                self._older_since_ms = asked_at_ms
            if asked_at_ms - self._older_since_ms < OLDER_MS:
                self.close()
                return Outcome.OLDER
        self._older_since_ms = None
        self._writer.write(answer.body)
        self._writer.confirm(asked_at_ms, answer.service_ms)
        self._tag, self._revision = answer.tag, snapshot.revision
        return Outcome.CHANGED

    def _ask(self) -> _Answer:
        """Return an answer that was whole within ANSWER_S."""
        if self._connection is None:
            self._connection = self._connect()
        try:
            return self._asked(self._connection)
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            self.close()  # The service had closed the kept connection: not worth a pause.
            self._connection = self._connect()
            return self._asked(self._connection)

    def _asked(self, connection: http.client.HTTPConnection) -> _Answer:
        headers = {"Authorization": f"Bearer {bearer(self._keys(), 'snapshot')}", "Cache-Control": "no-store"}
        if self._tag:
            headers["If-None-Match"] = self._tag
        connection.response_class = _Response
        connection.request("GET", PATH, None, headers)
        with connection.getresponse() as response:
            body = response.read(SNAPSHOT_BYTES_MAX + 1)
            if len(body) > SNAPSHOT_BYTES_MAX:
                raise ValueError
            if response.length:
                raise http.client.IncompleteRead(b"")
            is_good = response.status < HTTPStatus.BAD_REQUEST
            service_ms = _clock(response.getheader(NOW_HEADER, "")) if is_good else 0
            return _Answer(response.status, response.getheader("ETag") or "", service_ms, body)

    def close(self) -> None:
        """Close the connection; the next poll opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class _Response(http.client.HTTPResponse):
    """A response that has to be whole by a moment, however slowly its bytes come."""

    def __init__(
        self, sock: socket.socket, debuglevel: int = 0, method: str | None = None, url: str | None = None
    ) -> None:
        super().__init__(sock, debuglevel, method, url)
        self.fp.close()
        self.fp = io.BufferedReader(_Deadline(sock))


class _Deadline(io.RawIOBase):
    """Reads from a socket for ANSWER_S in all."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._raw = sock.makefile("rb", buffering=0)  # Its socket may be closed before the last byte.
        self._ends_at = time.monotonic() + ANSWER_S

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview, /) -> int | None:  # type: ignore[override]  # Narrower: the reader's own.
        self._sock.settimeout(max(0.001, self._ends_at - time.monotonic()))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


def _clock(given: str) -> int:
    """Return milliseconds since 1970, with up to 15 digits, which is until the year 33658; raises ValueError."""
    if not (given.isascii() and given.isdigit() and len(given) <= _CLOCK_DIGITS):
        raise ValueError
    return int(given)


def _read(body: bytes) -> GatewaySnapshot | None:
    """Return a snapshot in which every token is there once and has its tenant, or None."""
    try:
        snapshot = _decoder.decode(body)
    except msgspec.MsgspecError:
        return None
    tenants = {tenant.tenant_id for tenant in snapshot.tenants}
    tokens = {token.token_id for token in snapshot.tokens}
    is_whole = len(tenants) == len(snapshot.tenants) and len(tokens) == len(snapshot.tokens)
    is_sound = all(token.tenant_id in tenants and len(token.secret_sha256) == _DIGEST for token in snapshot.tokens)
    return snapshot if is_whole and is_sound else None


def check(settings: AdmissionSettings) -> None:
    """Raise CannotStart unless the settings say how to reach the service."""
    _connector(settings)


def _connector(settings: AdmissionSettings) -> Callable[[], http.client.HTTPConnection]:
    """Return what opens a connection to the service; raises CannotStart, without the address."""
    found = _URL.fullmatch(settings.gateway_service_url)
    if found is None:
        raise CannotStart(f"{PREFIX}GATEWAY_SERVICE_URL must be https://host or http://host, with a port if need be.")
    host, port = found[2].strip("[]"), int(found[3]) if found[3] else None
    if found[1] == "http":
        if not _is_here(host):  # Whoever is on the way could admit himself.
            raise CannotStart(f"{PREFIX}GATEWAY_SERVICE_URL must be https://: http:// is for this machine alone.")
        return lambda: http.client.HTTPConnection(host, port, timeout=CONNECT_S)
    context = _context(settings.gateway_service_ca_file)
    return lambda: http.client.HTTPSConnection(host, port, timeout=CONNECT_S, context=context)


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def trust(settings: AdmissionSettings) -> ssl.SSLContext | None:
    """Return what verifies the service's certificate, None if it needs none; raises CannotStart."""
    return _context(settings.gateway_service_ca_file) if settings.gateway_service_url.startswith("https:") else None


@cache
def _context(ca_file: str) -> ssl.SSLContext:
    """Make one for the process: it takes 30 ms, and some megabytes for the system's certificates."""
    try:
        return ssl.create_default_context(cafile=ca_file or None)
    except OSError:
        raise CannotStart(f"{PREFIX}GATEWAY_SERVICE_CA_FILE names a file that has no certificates.") from None
