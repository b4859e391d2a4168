"""The provider that is measured against: `python -m bench.gateway.upstream PORT`. Its answers are made beforehand.

A request is answered by what is in its body: a stream if it asks for one, and one that begins and does not end if it
asks for HOLD_TOKENS.
"""

import asyncio
import gc
import json
import sys

import uvloop

from bench.gateway.answering import Answering
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


class Answerer(Answering):
    """Answers with bytes that are ready."""

    def answer(self, transport: asyncio.Transport, _head: bytes, body: bytes) -> None:
        body = body.replace(b" ", b"")
        if b'"stream":true' not in body:
            transport.write(JSON)
        elif b'"max_tokens":%d' % HOLD_TOKENS in body:
            transport.write(STREAM[0])
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
