"""One request of a connection, and a good answer to it."""

import asyncio
import contextlib
import json
from typing import NamedTuple

from ingest.demo.provider import shapes
from ingest.demo.provider.shapes import Json

JSON_HEAD = "content-type: application/json\r\nrequest-id: req_011NoContentSample00000001\r\n"
SSE_HEAD = "content-type: text/event-stream; charset=utf-8\r\nrequest-id: req_011NoContentSample00000001\r\n"


class Received(NamedTuple):
    """A request as it arrived."""

    method: str
    target: str
    fields: list[tuple[str, str]]  # Names in lower case.
    body: bytes

    def field(self, name: str) -> str:
        return next((value for found, value in self.fields if found == name), "")


class Manner(NamedTuple):
    """How to answer."""

    usage: Json
    pieces: int  # Deltas of a streamed text.


class Exchange:
    """One request and its answer."""

    def __init__(
        self, request: Received, manner: Manner, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._request = request
        self._manner = manner
        self._reader = reader
        self._writer = writer
        self._asked: Json = _decoded(request.body)
        self._is_chat = "chat/completions" in request.target

    async def answer(self) -> None:
        """Answer well."""
        if not self._asked.get("stream"):
            await self.json(200, self._whole())
            return
        await self.send(head(200, SSE_HEAD + "transfer-encoding: chunked\r\n"))
        for event in self.events():
            await self.chunk(event)
        await self.send(b"0\r\n\r\n")

    def events(self) -> list[bytes]:
        if self._is_chat:
            return shapes.chat_chunks(self._asked, self._manner.pieces)
        return shapes.message_events(self._asked, self._manner.usage, self._manner.pieces)

    def _whole(self) -> bytes:
        path = self._request.target.partition("?")[0]
        if path.endswith("/count_tokens"):
            return shapes.text_of({"input_tokens": self._manner.usage["input_tokens"]})
        if path.startswith("/v1/models"):
            one = {
                "type": "model",
                "id": "claude-haiku-4-5",
                "display_name": "Sample",
                "created_at": "2025-10-01T00:00:00Z",
            }
            several = {"data": [one], "has_more": False, "first_id": one["id"], "last_id": one["id"]}
            return shapes.text_of(several if path.endswith("/models") else {**one, "id": path.rpartition("/")[2]})
        return shapes.chat(self._asked) if self._is_chat else shapes.message(self._asked, self._manner.usage)

    def fault(self, status: int, kind: str = "", details: Json | None = None) -> bytes:
        """Return an error whose message repeats the request."""
        echoed = self._request.body.decode("utf-8", "replace")
        if self._is_chat:
            return shapes.chat_error(status, echoed, kind or None)
        return shapes.error(status, echoed, kind, details)

    async def json(self, status: int, body: bytes, more: str = "") -> None:
        await self.send(head(status, f"{JSON_HEAD}{more}content-length: {len(body)}\r\n") + body)

    async def chunk(self, data: bytes) -> None:
        await self.send(b"%x\r\n%b\r\n" % (len(data), data))

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def wait_gone(self) -> None:
        """Wait until the client leaves."""
        while await self._reader.read(1):
            pass
        raise ConnectionResetError

    def reset(self) -> None:
        self._writer.transport.abort()


async def receive(reader: asyncio.StreamReader) -> Received | None:
    """Return the next request, or None at the end."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError):
        return None
    first, *lines = head.decode("latin-1").split("\r\n")[:-2]
    fields = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    method, target, _ = first.split(" ", 2)
    known = dict(fields)
    if known.get("transfer-encoding") == "chunked":
        body = b""
        while size := int(await reader.readline(), 16):
            body += (await reader.readexactly(size + 2))[:-2]
        await reader.readline()
    else:
        body = await reader.readexactly(int(known.get("content-length", "0")))
    return Received(method, target, fields, body)


def _decoded(body: bytes) -> Json:
    with contextlib.suppress(ValueError, RecursionError):
        found = json.loads(body)
        if isinstance(found, dict):
            return found
    return {}


def head(status: int, fields: str) -> bytes:
    return f"HTTP/1.1 {status} Sample\r\n{fields}\r\n".encode("latin-1")
