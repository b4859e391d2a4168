"""`/metrics` and untrusted clients: it echoes nothing, and no client can block it."""

import contextlib
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as prometheus_text

from ingest.serving import exposition
from tests.support import service
from tests.support import wire as http
from tests.support.cluster import Cluster
from tests.support.service import Server

CANARY = "zq7canary"
_ASK = "GET /metrics HTTP/1.1\r\nHost: x\r\n"
# Requests, with `@` for the canary, and the status of their responses.
ASKED = {
    "metrics": ("GET /metrics HTTP/1.1\nHost: x\n\n", 200),
    "a query": ("GET /metrics?name=@ HTTP/1.1\nHost: x\n\n", 200),
    "HEAD": ("HEAD /metrics HTTP/1.1\nHost: x\n\n", 200),
    "HTTP/1.0": ("GET /metrics HTTP/1.0\n\n", 200),
    "an Accept of words": ("GET /metrics HTTP/1.1\nHost: x\nAccept: @/@;version=@\n\n", 200),
    "an Accept with a parameter": (
        "GET /metrics HTTP/1.1\nHost: x\nAccept: application/openmetrics-text;version=@;escaping=@\n\n", 200),
    "an Accept of text with a parameter": (
        "GET /metrics HTTP/1.1\nHost: x\nAccept: text/plain;version=1.0.0;escaping=@\n\n", 200),
    "an Accept with a bad version": (
        "GET /metrics HTTP/1.1\nHost: x\nAccept: application/openmetrics-text;version=a.b.c\n\n", 200),
    "an Accept-Encoding of words": ("GET /metrics HTTP/1.1\nHost: x\nAccept-Encoding: @, gzip\n\n", 200),
    "an upgrade": ("GET /metrics HTTP/1.1\nHost: x\nConnection: Upgrade\nUpgrade: h2c\n\n", 200),
    "a body": ("GET /metrics HTTP/1.1\nHost: x\nContent-Length: 9\n\n@", 200),
    "another path": ("GET /@ HTTP/1.1\nHost: x\n\n", 404),
    "the root": ("GET / HTTP/1.1\nHost: x\n\n", 404),
    "the API": ("POST /v1/events HTTP/1.1\nHost: x\nContent-Length: 0\n\n", 404),
    "POST": ("POST /metrics HTTP/1.1\nHost: x\nContent-Length: 0\n\n", 405),
    "a method of words": ("@ /metrics HTTP/1.1\nHost: x\n\n", 405),
    "CONNECT": ("CONNECT @:443 HTTP/1.1\nHost: @\n\n", 404),
    "OPTIONS": ("OPTIONS * HTTP/1.1\nHost: x\n\n", 404),
    "a version of words": ("GET /metrics HTTP/@\n\n", 400),
    "another version": ("GET /metrics HTTP/9.9\nHost: x\n\n", 505),
    "a method that is no token": ("@[ /metrics HTTP/1.1\nHost: x\n\n", 400),
    "HTTP/2": ("PRI * HTTP/2.0\n\nSM\n\n@", 505),
    "HTTP/0.9": ("GET /metrics\n\n", 400),
    "words": ("@ @ @ @\n\n", 400),
    "no host": ("GET /metrics HTTP/1.1\n\n", 400),
    "two lengths": ("GET /metrics HTTP/1.1\nHost: x\nContent-Length: 5\nContent-Length: 4\n\nhello", 400),
    "a long head": (f"GET /metrics HTTP/1.1\nHost: x\nX-Note: {'@' * 2_000}\n\n", 431),
    "bytes": ("\x16\x03\x01\x00@", 400),
}  # fmt: skip
_BODIES = {word: status for status, word in exposition._FACES.values()}  # noqa: SLF001 (what it may say)


@pytest.fixture(scope="module")
def site(postgres: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    log: Path = tmp_path_factory.mktemp("metrics") / "serve.log"
    with service.serving(postgres.migrated(), log, workers=1) as server:
        yield server


def _opened(server: Server) -> socket.socket:
    host, _, port = server.metrics_bind.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=http.TIMEOUT_S)


def _told(server: Server, request: bytes) -> bytes:
    """Return all that comes back to a sender that then sends nothing more."""
    received = bytearray()
    with _opened(server) as probe:
        probe.sendall(request)
        probe.shutdown(socket.SHUT_WR)
        while part := probe.recv(65_536):
            received += part
    return bytes(received)


def _scraped(server: Server, accept: str = "*/*") -> http.Answer:
    return http.parsed(_told(server, f"{_ASK}Accept: {accept}\r\nConnection: close\r\n\r\n".encode("ascii")))


@pytest.mark.parametrize("case", ASKED)
def test_every_answer_is_one_of_a_few_and_holds_nothing_of_what_was_asked(case: str, site: Server) -> None:
    asked, status = ASKED[case]
    received = _told(site, asked.replace("\n", "\r\n").replace("@", CANARY).encode("latin-1"))
    answer = http.parsed(received)
    assert answer.status == status
    assert CANARY.encode() not in received
    assert status == 200 or _BODIES[answer.body] == status
    assert not {"server", "date"} & answer.headers.keys()
    log = site.log.read_text()
    assert CANARY not in log
    assert "Traceback" not in log


@pytest.mark.parametrize(
    ("accept", "media_type", "parse"),
    [
        ("*/*", exposition.TEXT, prometheus_text),
        ("text/plain;version=0.0.4", exposition.TEXT, prometheus_text),
        ("application/openmetrics-text;version=1.0.0,text/plain;q=0.5", exposition.OPENMETRICS, openmetrics),
        ("APPLICATION/OPENMETRICS-TEXT", exposition.OPENMETRICS, openmetrics),
    ],
)
def test_the_format_is_one_of_two(accept: str, media_type: bytes, parse: object, site: Server) -> None:
    answer = _scraped(site, accept)
    assert answer.headers["content-type"] == media_type.decode()
    assert callable(parse)
    assert {"ingest_workers", "ingest_problems"} <= {family.name for family in parse(answer.body.decode())}


def test_a_kept_connection_is_asked_again(site: Server) -> None:
    with _opened(site) as probe, probe.makefile("rb") as answers:
        for _ in range(3):
            probe.sendall(f"{_ASK}\r\n".encode("ascii"))
            assert answers.readline() == b"HTTP/1.1 200 OK\r\n"
            fields = dict(field.lower().split(b": ") for field in iter(lambda: answers.readline().strip(), b""))
            assert b"ingest_workers 1" in answers.read(int(fields[b"content-length"]))


def test_half_requests_and_scrapers_that_do_not_read_hold_nobody_up(site: Server) -> None:
    """There are more than the limit, so those that have waited longest are closed."""
    threads = _threads(site)
    with contextlib.ExitStack() as opened:
        for number in range(3 * exposition.CONNECTIONS_MAX):
            probe = opened.enter_context(_opened(site))
            with contextlib.suppress(OSError):
                probe.sendall([b"", b"GET /met", f"{_ASK}\r\n".encode("ascii") * 20][number % 3])
        began_at = time.monotonic()
        assert _scraped(site).status == 200
        assert time.monotonic() - began_at < http.TIMEOUT_S / 2
        assert _threads(site) == threads
        assert len(list(Path(f"/proc/{site.process.pid}/fd").iterdir())) < 3 * exposition.CONNECTIONS_MAX


def test_it_says_nothing_in_the_log(site: Server) -> None:
    before = len(site.log.read_text().splitlines())
    for _ in range(20):
        _scraped(site)
        _told(site, b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n")
        _told(site, b"\x00\x01")
    said = [json.loads(line) for line in site.log.read_text().splitlines()[before:]]
    assert {line["event"] for line in said} & {"bug", "library", "task-restarted"} == set()
    assert len(said) < 10, "workers and others may have said something meanwhile"


def _threads(server: Server) -> int:
    return len(list(Path(f"/proc/{server.process.pid}/task").iterdir()))
