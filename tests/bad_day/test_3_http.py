"""Requests that two parsers could read differently, that are not HTTP/1.1, or that are odd but valid."""

import socket
import threading

import pytest

from tests.bad_day.requests import AMBIGUOUS, CHUNKED, LENGTH, ODD, OTHER_VERSIONS, STORED, TOO_LARGE
from tests.support import cluster, sample, wire
from tests.support.customers import Customer
from tests.support.service import Server
from tests.support.wire import Answer

CANARY = "zq7canary"
_NEXT = "GET /readyz HTTP/1.1\nHost: x\n\n"


@pytest.fixture(scope="module")
def token(tenants: dict[str, Customer]) -> str:
    return tenants["main"].token


def _encoded(of: str, token: str) -> tuple[bytes, str]:
    """Return a request's bytes, and the id of the event that it would store."""
    event = sample.event()
    body = sample.body(event).decode("ascii")
    text = of.replace("\r", "%CR%").replace("\n", "\r\n").replace("%CR%", "\r").replace("%LF%", "\n")
    for mark, meant in {
        "@": CANARY,
        "%AT%": "@",
        "%TOKEN%": token,
        "%SIZE%": str(len(body)),
        "%HEX%": f"{len(body):x}",
    }.items():
        text = text.replace(mark, meant)
    return text.replace("%BODY%", body).encode("latin-1"), str(event["event_id"])


def _told(bind: str, request: bytes) -> tuple[list[Answer], bool]:
    """Send a request and another one, and return all responses, and whether the connection was closed."""
    received, is_closed = bytearray(), False
    host, _, port = bind.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=wire.TIMEOUT_S) as connection:
        connection.sendall(request + _NEXT.replace("\n", "\r\n").encode("ascii"))
        while len(_answers(bytes(received))) < 2:
            part = connection.recv(65_536)
            if not part:
                is_closed = True
                break
            received += part
    return _answers(bytes(received)), is_closed


def _answers(received: bytes) -> list[Answer]:
    found = []
    while (answer := wire.parsed(received)).status:
        size = received.index(b"\r\n\r\n") + 4 + int(answer.headers["content-length"])
        if len(received) < size:
            break
        found.append(answer)
        received = received[size:]
    return found


def _is_stored(server: Server, event_id: str) -> bool:
    return bool(cluster.fetch(server.dsn, "SELECT 1 FROM events WHERE event_id = $1", event_id))


def _echoes(answer: Answer) -> bool:
    return CANARY.encode() in answer.body or CANARY in str(answer.headers)


@pytest.mark.parametrize("case", AMBIGUOUS)
def test_what_two_readers_could_read_in_two_ways_is_refused_and_the_connection_closed(
    case: str, server: Server, token: str
) -> None:
    request, event_id = _encoded(AMBIGUOUS[case], token)
    (answer, *others), is_closed = _told(server.bind, request)
    assert (answer.status, answer.problem) == (400, "bad-request")
    assert answer.headers["connection"] == "close"
    assert (others, is_closed) == ([], True), "what follows it is not read"
    assert not _is_stored(server, event_id)
    assert not _echoes(answer)


@pytest.mark.parametrize("case", OTHER_VERSIONS)
def test_other_versions_are_refused_and_the_connection_closed(case: str, server: Server, token: str) -> None:
    request, event_id = _encoded(OTHER_VERSIONS[case], token)
    (answer, *others), is_closed = _told(server.bind, request)
    assert (answer.status, answer.problem) == (505, "version-unsupported")
    assert (others, is_closed) == ([], True)
    assert not _is_stored(server, event_id)
    assert not _echoes(answer)


@pytest.mark.parametrize("case", TOO_LARGE)
def test_a_head_that_is_too_large_is_refused_and_the_connection_closed(case: str, server: Server, token: str) -> None:
    (answer, *others), is_closed = _told(server.bind, _encoded(TOO_LARGE[case], token)[0])
    assert (answer.status, answer.problem) == (431, "head-too-large")
    assert (others, is_closed) == ([], True)
    assert not _echoes(answer)


@pytest.mark.parametrize("case", STORED)
def test_what_is_odd_and_right_is_stored(case: str, server: Server, token: str) -> None:
    request, event_id = _encoded(STORED[case], token)
    (answer, *others), is_closed = _told(server.bind, request)
    assert (answer.status, answer.json) == (200, {"accepted": 1, "duplicates": 0})
    assert is_closed == ("HTTP/1.0" in case)
    assert [other.status for other in others] == ([] if is_closed else [200])
    assert _is_stored(server, event_id)


@pytest.mark.parametrize("case", ODD)
def test_what_is_odd_is_answered(case: str, server: Server, token: str) -> None:
    of, status, goes_on = ODD[case]
    (answer, *others), is_closed = _told(server.bind, _encoded(of, token)[0])
    assert answer.status == status
    assert status == 200 or answer.problem
    assert [other.status for other in others] == ([200] if goes_on else [])
    assert is_closed is not goes_on
    assert not _echoes(answer)


@pytest.mark.parametrize("size", [1, 7, 100])
def test_a_request_that_comes_in_pieces_is_stored(size: int, server: Server, token: str) -> None:
    request, event_id = _encoded(f"{CHUNKED}\n5;a=b\n     \n%HEX%\n%BODY%\n0\nX-Note: a\n\n", token)
    host, _, port = server.bind.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=wire.TIMEOUT_S) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(0, len(request), size):
            connection.sendall(request[at : at + size])
        answer = wire.parsed(connection.recv(65_536))
    assert answer.json == {"accepted": 1, "duplicates": 0}
    assert _is_stored(server, event_id)


def test_a_sender_that_expects_it_is_told_to_go_on(server: Server, token: str) -> None:
    request, event_id = _encoded(f"{LENGTH}Expect: 100-Continue\n\n%BODY%", token)
    head, body = request.split(b"\r\n\r\n", 1)
    host, _, port = server.bind.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=wire.TIMEOUT_S) as connection:
        connection.sendall(head + b"\r\n\r\n")
        assert connection.recv(65_536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert wire.parsed(connection.recv(65_536)).status == 200
    assert _is_stored(server, event_id)


def test_a_sender_that_expects_it_hears_a_refusal_before_its_body(server: Server) -> None:
    request, _ = _encoded(f"{LENGTH}Expect: 100-continue\n\n", "nct_no")
    (answer, *others), is_closed = _told(server.bind, request)
    assert (answer.status, answer.problem, others, is_closed) == (401, "bad-token", [], True)


EARLY = {
    "no token": ("Content-Type: application/json\n", 401),
    "a media type": ("Authorization: Bearer %TOKEN%\nContent-Type: text/plain\n", 415),
    "a coding": ("Authorization: Bearer %TOKEN%\nContent-Type: application/json\nContent-Encoding: br\n", 415),
    "a size": ("Authorization: Bearer %TOKEN%\nContent-Type: application/json\n", 413),
}


@pytest.mark.parametrize("case", EARLY)
def test_an_early_refusal_reaches_a_sender_that_sends_all_of_its_body_first(
    case: str, server: Server, token: str
) -> None:
    """Closing a connection with unread data resets it, and the response would be lost."""
    (fields, status), size = EARLY[case], 8_000_000
    head = f"POST /v1/events HTTP/1.1\nHost: x\n{fields}Content-Length: {size}\n\n"
    received = _after_sending(server.bind, _encoded(head, token)[0] + b" " * size)
    answer = wire.parsed(received)
    assert (answer.status, answer.headers["connection"]) == (status, "close")
    assert answer.problem


def test_a_refusal_in_the_midst_of_chunks_reaches_the_sender(server: Server, token: str) -> None:
    chunk = b"10000\r\n" + b" " * 65_536 + b"\r\n"
    answer = wire.parsed(_after_sending(server.bind, _encoded(f"{CHUNKED}\n", token)[0] + chunk * 120 + b"0\r\n\r\n"))
    assert (answer.status, answer.problem) == (413, "wire-too-large")


def _after_sending(bind: str, request: bytes) -> bytes:
    """Return the bytes received by a sender that reads only after it has sent everything."""
    host, _, port = bind.rpartition(":")
    received = bytearray()
    with socket.create_connection((host, int(port)), timeout=wire.TIMEOUT_S) as connection:
        connection.sendall(request)
        while part := connection.recv(65_536):
            received += part
    return bytes(received)


def test_an_answer_that_is_read_slowly_comes_whole(server: Server) -> None:
    whole = _after_sending(server.bind, b"GET /openapi.json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    host, _, port = server.bind.rpartition(":")
    received = bytearray()
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1_024)
        connection.settimeout(wire.TIMEOUT_S)
        connection.connect((host, int(port)))
        connection.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        while part := connection.recv(500):
            received += part
    assert wire.parsed(bytes(received)).body == wire.parsed(whole).body


def test_requests_that_follow_each_other_are_answered_in_turn(server: Server, token: str) -> None:
    asked = [b"GET /livez", b"GET /nothing", b"HEAD /openapi.json", b"GET /v1/policy", b"POST /livez"] * 20
    requests = b"".join(line + b" HTTP/1.1\r\nHost: x\r\n\r\n" for line in asked)
    sent, batch = _encoded(f"{LENGTH}\n%BODY%", token), []
    host, _, port = server.bind.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=wire.TIMEOUT_S) as connection:
        sending = threading.Thread(target=connection.sendall, args=(requests + sent[0],))
        sending.start()
        with connection.makefile("rb") as answers:
            for line in [*asked, b"POST /v1/events"]:
                batch.append(int(answers.readline().split()[1]))
                fields = dict(field.lower().split(b": ") for field in iter(lambda: answers.readline().strip(), b""))
                if not line.startswith(b"HEAD"):
                    answers.read(int(fields[b"content-length"]))
        sending.join()
    assert batch == [200, 404, 200, 401, 405] * 20 + [200]
    assert _is_stored(server, sent[1])


def test_no_text_of_a_request_reaches_the_log(server: Server, token: str) -> None:
    for of in (*AMBIGUOUS.values(), *OTHER_VERSIONS.values(), *TOO_LARGE.values()):
        if "@" in of:
            _told(server.bind, _encoded(of, token)[0])
    log = server.log.read_text()
    assert CANARY not in log
    assert '"event":"bug"' not in log
