"""The provider that is measured against: `python -m bench.gateway.upstream PORT`. Its answers are made beforehand.

A request is answered by what is in its body: a stream if it asks for one, and one that begins and does not end if it
asks for HOLD_TOKENS.
"""

import asyncio
import gc
import json
import sys
from typing import cast

import uvloop

from ingest.demo.provider import shapes

EVENTS = 63  # Of a stream.
EVENTS_AT_ONCE = 8  # Arrive together.
HOLD_TOKENS = 7
_FRAME_EVENTS = 6  # Of a stream, beside its deltas.
_ASKED = {"model": "claude-opus-4-5-20251101"}
_JSON_BYTES = 1_600


def _json() -> bytes:
    answer = json.loads(shapes.message(_ASKED, shapes.USAGE))
    words = shapes.WORDS * 40
    answer["content"][0]["text"] = words[: _JSON_BYTES - len(shapes.text_of(answer))]
    body = shapes.text_of(answer)
    head = (
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nrequest-id: req_011Sample\r\ncontent-length: %d\r\n\r\n"
    )
    return head % len(body) + body


def _stream() -> list[bytes]:
    events = shapes.message_events(_ASKED, shapes.USAGE, EVENTS - _FRAME_EVENTS)
    chunks = [b"%x\r\n%b\r\n" % (len(event), event) for event in events]
    fields = b"content-type: text/event-stream\r\nrequest-id: req_011Sample\r\ntransfer-encoding: chunked\r\n"
    head = b"HTTP/1.1 200 OK\r\n" + fields + b"\r\n"
    first = head + chunks[0]
    rest = chunks[1:]
    pieces = [b"".join(rest[at : at + EVENTS_AT_ONCE]) for at in range(0, len(rest), EVENTS_AT_ONCE)]
    return [first, *pieces[:-1], pieces[-1] + b"0\r\n\r\n"]


JSON, STREAM = _json(), _stream()


class Answerer(asyncio.Protocol):
    """Answers each request once its body is there."""

    def __init__(self) -> None:
        self._received = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self._received[:end]).lower()
        size = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
        if len(self._received) < end + 4 + size:
            return
        body = bytes(self._received[end + 4 :]).replace(b" ", b"")
        self._received.clear()
        assert self._transport is not None
        if b'"stream":true' not in body:
            self._transport.write(JSON)
        elif b'"max_tokens":%d' % HOLD_TOKENS in body:
            self._transport.write(STREAM[0])
        else:
            self._send(0)

    def _send(self, at: int) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        self._transport.write(STREAM[at])
        if at + 1 < len(STREAM):
            asyncio.get_running_loop().call_soon(self._send, at + 1)


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Answerer, "127.0.0.1", port, backlog=4_096)
    gc.freeze()
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))
