"""Forms and queries within bounds: long, slow, broken and huge ones."""

import contextlib
import socket
import time
from urllib.parse import urlencode

import pytest
from starlette.requests import Request

from ingest.console import forms
from ingest.console.errors import BadQuery
from ingest.console.services import FORMS_BYTES_MAX
from ingest.serving import body
from tests.support.console import FORM, Console, text
from tests.support.wire import parsed

SAME = {"Sec-Fetch-Site": "same-origin"}


def asking(query: bytes) -> Request:
    return Request({"type": "http", "query_string": query, "headers": []})


def test_a_query_is_read_with_names_that_come_twice() -> None:
    found = forms.query_of(asking(b"by=model&by=tag%3Ateam&from=2026-11-01&empty="))
    assert found["by"] == "tag:team"
    assert found.all("by") == ["model", "tag:team"]
    assert (found.text("from"), found.text("empty"), found.text("none")) == ("2026-11-01", "", "")
    assert found.pairs(without="by") == [("from", "2026-11-01"), ("empty", "")]


@pytest.mark.parametrize(
    "query",
    [
        b"a=" + b"x" * 4_096,
        b"&".join(b"a=1" for _ in range(201)),
        b"a=%ff",
        b"a=%00",
        b"a%00=1",
        b"a=%1b",
        "ä=1".encode(),
    ],
)
def test_a_query_that_no_link_of_ours_has_is_refused(query: bytes) -> None:
    with pytest.raises(BadQuery):
        forms.query_of(asking(query))


@pytest.mark.parametrize(
    ("form", "headers", "status"),
    [
        (b"a=" + b"x" * 65_536, {}, 413),
        (b"&".join(b"a=1" for _ in range(300)), {}, 400),
        (b"a=%ff", {}, 400),
        (b"a=%00", {}, 400),
        ("a=ä".encode(), {}, 400),
        (b"{}", {"Content-Type": "application/json"}, 415),
        (b"a=1", {"Content-Type": None}, 415),
        (b"--x\r\n", {"Content-Type": "multipart/form-data; boundary=x"}, 415),
        (b"a=1", {"Content-Encoding": "gzip"}, 400),
    ],
)
def test_a_form_that_no_page_of_ours_sends_is_refused(
    running: Console, form: bytes, headers: dict[str, str | None], status: int
) -> None:
    visitor = running.stranger()
    answer = visitor.request("POST", "/sign-in", form, SAME | headers)
    assert answer.status == status
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    visitor.close()


def test_a_form_without_an_end_is_refused_before_it_is_read(running: Console) -> None:
    host, _, port = running.bind.rpartition(":")
    head = f"POST /sign-in HTTP/1.1\r\nHost: a\r\nSec-Fetch-Site: same-origin\r\nContent-Type: {FORM}\r\n"
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(f"{head}Content-Length: 9999999999\r\n\r\n".encode())
        assert parsed(connection.recv(65_536)).status == 413
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + b"8000\r\n" + b"x" * 0x8000 + b"\r\n")
        connection.sendall(b"8001\r\n" + b"x" * 0x8001 + b"\r\n")
        assert parsed(connection.recv(65_536)).status == 413


def test_slow_forms_are_cut_and_hold_nobody_up(running: Console) -> None:
    """Slow, because it waits for the time-out of a body: 15 to 20 s."""
    host, _, port = running.bind.rpartition(":")
    own = f"Host: a\r\nSec-Fetch-Site: same-origin\r\nContent-Type: {FORM}\r\n"
    head = f"POST /sign-in HTTP/1.1\r\n{own}Content-Length: 99\r\n\r\n"
    began_at = time.monotonic()
    slow = [socket.create_connection((host, int(port)), timeout=30) for _ in range(50)]
    for connection in slow:
        connection.sendall(head.encode() + b"a=1")
    with running.visitor("owner") as owner:
        asked_at = time.monotonic()
        assert owner.get("/account").status == 200
        assert time.monotonic() - asked_at < 5
    for connection in slow:
        assert parsed(connection.recv(65_536)).status == 408
        connection.close()
    assert time.monotonic() - began_at < body.BODY_TIMEOUT_S + body.BODY_SPREAD_S + 3


def test_unfinished_forms_of_strangers_leave_memory_to_those_who_are_signed_in(running: Console) -> None:
    host, _, port = running.bind.rpartition(":")
    own = f"Host: a\r\nSec-Fetch-Site: same-origin\r\nContent-Type: {FORM}\r\n"
    form = f"POST /sign-in HTTP/1.1\r\n{own}Content-Length: 65536\r\n\r\na={'x' * 64_000}".encode()
    with running.visitor("owner") as owner, contextlib.ExitStack() as stack:
        long = {"token": owner.token(), "name": "x" * 65_000}
        for _ in range(FORMS_BYTES_MAX // 64_000 + 20):
            stack.enter_context(socket.create_connection((host, int(port)), timeout=30)).sendall(form)
        with contextlib.closing(running.stranger()) as stranger:
            assert stranger.submit("/sign-in", long).status == 503
        assert owner.submit("/account/sign-out-everywhere", long).status == 303


def test_what_was_typed_is_shown_again_without_its_markup(running: Console) -> None:
    visitor = running.stranger()
    typed = '"><script>alert(1)</script>&<b>'
    answer = visitor.submit("/sign-in", {"organisation": typed, "email": typed, "password": typed})
    assert answer.status == 422
    assert "<script>" not in answer.body.decode()
    assert "<b>" not in answer.body.decode()
    assert answer.body.decode().count("&lt;script&gt;") == 2  # Not the password.
    assert "do not belong together" in text(answer)
    visitor.close()


def test_a_long_form_within_the_bound_is_read(running: Console) -> None:
    visitor = running.stranger()
    form = {"organisation": "acme", "email": "x" * 30_000, "password": "y" * 30_000}
    assert len(urlencode(form)) < forms.FORM_BYTES_MAX
    assert visitor.submit("/sign-in", form).status == 422
    visitor.close()
