"""What the kit writes and reads of HTTP/2, against the library that the server uses."""

import h2.config
import h2.connection
import h2.events
import pytest

from ingest.prove import http2

_FIELDS = (
    (b":method", b"POST"),
    (b":scheme", b"http"),
    (b":path", b"/x"),
    (b":authority", b"h"),
    (b"n", b"v" * 20_000),
)


def _server() -> h2.connection.H2Connection:
    return h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding=None))


def test_a_request_is_read_as_it_was_written() -> None:
    events = _server().receive_data(http2.request(_FIELDS, b"b" * 40_000, ((b"t", b"w"),)))
    (asked,) = [event for event in events if isinstance(event, h2.events.RequestReceived)]
    body = [event.data or b"" for event in events if isinstance(event, h2.events.DataReceived)]
    (ended,) = [event for event in events if isinstance(event, h2.events.TrailersReceived)]
    assert tuple(asked.headers or ()) == _FIELDS
    assert b"".join(body) == b"b" * 40_000
    assert list(ended.headers or ()) == [(b"t", b"w")]


@pytest.mark.parametrize("status", [200, 204, 301, 400, 401, 404, 405, 413, 415, 422, 429, 500, 503, 506, 578, 599])
def test_the_status_of_an_answer_is_read(status: int) -> None:
    server = _server()
    server.receive_data(http2.request(_FIELDS[:4], b"b"))
    server.send_headers(1, [(":status", str(status)), ("content-type", "text/plain")])
    assert http2.status(server.data_to_send()) == status


@pytest.mark.parametrize(
    "said", [b"", b"\0" * 9, b"\0\0\1\1\4\0\0\0\1\x88", b"HTTP/1.1 400 no\r\n\r\n", b"\0\0\2\1\4\0\0\0\1H\x82"]
)
def test_what_is_no_answer_has_no_status(said: bytes) -> None:
    assert http2.status(said) in {0, 200}
