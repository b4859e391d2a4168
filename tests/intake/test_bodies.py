"""Bodies in transit: codings, media types, sizes, speed."""

import gzip
import socket
import time
import zlib

import pytest
import zstandard

from ingest.serving.body import BODY_SPREAD_S, BODY_TIMEOUT_S
from schema.limits import BODY_BYTES_MAX
from tests.support import corpus, sample, wire
from tests.support.customers import Customer
from tests.support.service import Server
from tests.support.wire import Sender


@pytest.mark.parametrize("coding", ["gzip", "GZIP", "zstd", "identity"])
def test_a_coded_body_is_stored(sender: Sender, coding: str) -> None:
    answer = sender.post(corpus.coding(coding)(sample.body()), {"Content-Encoding": coding})
    assert (answer.status, answer.json["accepted"]) == (200, 1)


@pytest.mark.parametrize(
    "media_type",
    ["application/json", "application/JSON", "application/json; charset=utf-8", "application/json;charset=UTF-8"],
)
def test_json_by_any_of_its_names_is_taken(sender: Sender, media_type: str) -> None:
    assert sender.post(sample.body(), {"Content-Type": media_type}).status == 200


def test_a_body_in_chunks_is_taken(sender: Sender) -> None:
    assert sender.post_in_chunks("/v1/events", sample.body()).status == 200


def test_a_body_as_large_as_allowed_is_taken(sender: Sender) -> None:
    body = sample.body()
    assert sender.post(body + b" " * (BODY_BYTES_MAX - len(body))).status == 200


def test_a_coded_body_as_large_as_allowed_is_taken(sender: Sender) -> None:
    body = sample.body()
    whole = gzip.compress(body + b" " * (BODY_BYTES_MAX - len(body)))
    assert sender.post(whole, {"Content-Encoding": "gzip"}).status == 200


def test_a_zstd_frame_with_a_huge_window_is_refused(sender: Sender) -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=27)
    coded = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    answer = sender.post(coded.compress(sample.body()) + coded.flush(), {"Content-Encoding": "zstd"})
    assert (answer.status, answer.problem) == (400, "bad-encoding")


def test_two_content_encoding_headers_are_refused(server: Server, tenants: dict[str, Customer]) -> None:
    answer = wire.raw(server.bind, _request(tenants, "Content-Encoding: gzip\r\nContent-Encoding: gzip\r\n"))
    assert b"encoding-unsupported" in answer


def test_two_content_types_are_refused(server: Server, tenants: dict[str, Customer]) -> None:
    answer = wire.raw(server.bind, _request(tenants, "Content-Type: text/plain\r\n"))
    assert b"media-type-unsupported" in answer


def test_two_tokens_are_refused(server: Server, tenants: dict[str, Customer]) -> None:
    answer = wire.raw(server.bind, _request(tenants, f"Authorization: Bearer {tenants['other'].token}\r\n"))
    assert b"no-token" in answer


def test_raw_deflate_named_gzip_is_refused(sender: Sender) -> None:
    answer = sender.post(zlib.compress(sample.body()), {"Content-Encoding": "gzip"})
    assert answer.problem == "bad-encoding"


@pytest.mark.parametrize(
    "request_line",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03Marjolein",
        b"Marjolein says\r\n\r\n",
        b"POST /v1/events HTTP/9.9\r\n\r\n",
    ],
)
def test_what_is_no_http_is_not_answered_with_its_own_words(server: Server, request_line: bytes) -> None:
    log_start = server.log.stat().st_size
    assert b"Marjolein" not in wire.raw(server.bind, request_line)
    assert b"Marjolein" not in server.log.read_bytes()[log_start:]


@pytest.mark.parametrize("length", ["Marjolein", "-1", "1e3", "99999999999999999999999"])
def test_a_strange_content_length_harms_nobody(
    server: Server, sender: Sender, tenants: dict[str, Customer], length: str
) -> None:
    request = (
        f"POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {tenants['main'].token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    )
    answer = wire.raw(server.bind, request.encode())
    assert answer[9:12] in {b"400", b"413"}
    assert b"Marjolein" not in answer
    assert sender.get("/livez").status == 200


LATEST_S = BODY_TIMEOUT_S + BODY_SPREAD_S


# Slow because it waits for BODY_TIMEOUT_S, which is a constant: no deployment may lengthen it.
def test_a_slow_body_is_refused_in_time(server: Server, tenants: dict[str, Customer]) -> None:
    host, _, port = server.bind.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=LATEST_S + 10) as connection:
        started = time.monotonic()
        connection.sendall(_request(tenants, "")[:-100])
        answer = b""
        while part := connection.recv(65_536):
            answer += part
    assert BODY_TIMEOUT_S - 1 < time.monotonic() - started < LATEST_S + 5
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"slow-body" in answer


def test_a_sender_that_goes_away_harms_nobody(server: Server, sender: Sender, tenants: dict[str, Customer]) -> None:
    host, _, port = server.bind.rpartition(":")
    log_start = server.log.stat().st_size
    for _ in range(5):
        with socket.create_connection((host, int(port)), timeout=5) as connection:
            connection.sendall(_request(tenants, "")[:-100])
    assert sender.post(sample.body()).status == 200
    assert b'"bug"' not in server.log.read_bytes()[log_start:]


def _request(tenants: dict[str, Customer], headers: str) -> bytes:
    body = sample.body()
    head = (
        f"POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {tenants['main'].token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n{headers}\r\n"
    )
    return head.encode() + body
