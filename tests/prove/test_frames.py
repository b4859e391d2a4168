"""The kit's HTTP/2 frames are valid, by the HTTP/2 library that Hypercorn brings."""

import h2.config
import h2.connection
import h2.events

from ingest.prove import frames
from ingest.prove.case import Request
from tests.prove.policies import kit


def test_a_good_batch_in_frames_is_one_that_a_server_of_http2_would_read() -> None:
    server = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding=None))
    body = kit().body()
    request = Request(body, ((b"x-note", b"v"),), frames=frames.PREFACE + frames.priorities(3))
    events = server.receive_data(request.encoded(b"host", b"token"))
    (asked,) = [event for event in events if isinstance(event, h2.events.RequestReceived)]
    data = [event.data or b"" for event in events if isinstance(event, h2.events.DataReceived)]
    fields = dict(asked.headers or ())
    assert (fields[b":path"], fields[b"authorization"]) == (b"/v1/events", b"Bearer token")
    assert fields[b"x-note"] == b"v"
    assert b"".join(data) == body
