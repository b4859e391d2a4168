"""Receives a request's body and sends its answer: ASGI over HTTP/1.1."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus

from starlette.types import Message

from ingest.serving.errors import BadRequest, ClientGone
from ingest.serving.http1 import Chunks, Fields, Head
from ingest.serving.wire import RECEIVE_BYTES, Wire

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_CLOSE = (b"connection", b"close")
_BODILESS = {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}
_PHRASES = {status.value: status.phrase.encode("ascii") for status in HTTPStatus}  # A provider may have others.
_CHUNKED = (b"transfer-encoding", b"chunked")
_LENGTH = b"content-length"
PIPELINED_BYTES_MAX = 32_768  # Read while an application waits for the sender's departure.
Frame = Callable[[bytes, bool], bytes]  # What is sent for a piece of an answer, the last one or not.


class Exchange:
    """One request of a connection; `fields` returns those of every answer."""

    def __init__(self, wire: Wire, head: Head, buffer: bytearray, fields: Callable[[], Fields]) -> None:
        self._wire = wire
        self._head = head
        self._buffer = buffer  # Received and not yet parsed.
        self._fields = fields
        self._left = head.length or 0
        self._chunks = Chunks() if head.length is None else None
        self._must_continue = head.expects_continue
        self._start: Message | None = None
        self._is_received = False  # `receive` has returned the end of the body.
        self.is_last = head.is_last
        self.is_broken = False  # The start of the next request is unknown.
        self._frame: Frame | None = None  # Of an answer that has begun and has not ended.

    @property
    def is_streaming(self) -> bool:
        """Return whether the answer has begun and has not ended."""
        return self._frame is not None

    @property
    def may_send_more(self) -> bool:
        """Return whether the sender may still send bytes that will not be parsed."""
        return self.is_broken or not self._has_all() or bool(self._buffer)

    def _has_all(self) -> bool:
        """Return whether the whole body was received."""
        return self._chunks.is_over if self._chunks is not None else not self._left

    async def receive(self) -> Message:
        """Return the next part of the body, or raise BadRequest; after the last one, wait until the sender has left."""
        if self._is_received:
            return await self._departure()
        while not self._has_all():
            if self._buffer and (body := self._take()):
                if self._buffer:
                    await asyncio.sleep(0)  # Many small chunks: yield to others after CHUNKS_MAX of them.
                return self._part(body)
            if self._has_all():
                break
            data = await self._more()
            if not data:
                return self._disconnect()
            if self._chunks is None:
                self._left -= len(data)
                return self._part(data)
            self._buffer += data
        return self._part(b"")

    async def _more(self) -> bytes:
        if self._must_continue:
            self._must_continue = False
            await self._write(_CONTINUE)
        return await self._receive(min(self._left or RECEIVE_BYTES, RECEIVE_BYTES))

    def _part(self, body: bytes) -> Message:
        self._is_received = self._has_all()
        return {"type": "http.request", "body": body, "more_body": not self._is_received}

    def _disconnect(self) -> Message:
        self.is_broken = self.is_last = True
        return {"type": "http.disconnect"}

    async def _departure(self) -> Message:
        """Wait until the sender closes; what it pipelines meanwhile is kept, up to a bound, for the next request."""
        while not self.is_broken:
            if len(self._buffer) >= PIPELINED_BYTES_MAX:
                await asyncio.get_running_loop().create_future()  # For ever: its end cannot be read any more.
            data = await self._receive(PIPELINED_BYTES_MAX)
            if not data:
                break
            self._buffer += data
        return self._disconnect()

    async def send(self, message: Message) -> None:
        """Send an answer of one message, or in chunks; raise ClientGone if one of several cannot be sent in time."""
        if message["type"] == "http.response.start":
            self._start = message
            return
        body = b"" if self._head.method == "HEAD" else message.get("body", b"")
        has_more = bool(message.get("more_body", False))
        if self._frame is not None:
            await self._stream(self._frame(body, not has_more), has_more=has_more)
            return
        start, self._start = self._start, None
        assert start is not None, "an answer without a start"
        fields = self._complete(start["headers"])
        if has_more:
            # HTTP/1.0 has no chunks: a close of the connection is the end of the answer, a reset is none.
            has_length = any(name == _LENGTH for name, _ in fields)
            is_chunked = self._head.reads_chunks and not has_length
            if not (is_chunked or has_length):
                self._wire.reset_at_close()  # Also if this process is killed.
            self._frame = _chunk if is_chunked and self._head.method != "HEAD" else _same
            head = _encoded(start["status"], [*fields, _CHUNKED] if is_chunked else fields)
            await self._write(head, self._frame(body, False))  # noqa: FBT003 (of a function's type)
            self._require_open()
        else:
            if self._head.method != "HEAD" and start["status"] not in _BODILESS:
                own = (_LENGTH, str(len(body)).encode())
                fields = [*(field for field in fields if field[0] != own[0]), own]
            elif start["status"] == HTTPStatus.NO_CONTENT:  # A length would have some readers wait for a body.
                fields = [field for field in fields if field[0] != _LENGTH]
            await self._write(_encoded(start["status"], fields), body)

    async def _stream(self, data: bytes, *, has_more: bool) -> None:
        self._require_open()
        if data:
            await self._write(data)
        self._require_open()
        if not has_more:
            self._frame = None
            self._wire.end_at_close()

    def _require_open(self) -> None:
        if self.is_broken:
            raise ClientGone

    def _complete(self, given: Fields) -> Fields:
        """Return the fields of an answer, with our own."""
        if not self._has_all():
            with suppress(BadRequest):  # Drop what came of it: if that is the rest, the connection can stay open.
                self._take()
        fields: Fields = list(given)
        self.is_last = self.is_last or not self._has_all() or _CLOSE in fields
        if self.is_last and _CLOSE not in fields:
            fields.append(_CLOSE)
        own = {name for name, _ in fields}
        return fields + [field for field in self._fields() if field[0] not in own]

    def _take(self) -> bytes:
        """Take the part of the body that is in the buffer."""
        if self._chunks is not None:
            try:
                return self._chunks.take(self._buffer)
            except BadRequest:
                self.is_broken = self.is_last = True
                raise
        body = bytes(memoryview(self._buffer)[: self._left])
        self._left -= len(body)
        del self._buffer[: len(body)]
        return body

    async def _receive(self, bytes_max: int) -> bytes:
        try:
            return await self._wire.receive(bytes_max)
        except OSError:
            return b""

    async def _write(self, head: bytes, body: bytes = b"") -> None:
        """Write, or cut the connection if that fails; the application need not handle it."""
        try:
            await self._wire.write(head, body)
        except (OSError, RuntimeError):  # uvloop raises RuntimeError if the connection was closed for another one.
            self.is_broken = self.is_last = True
            self._wire.cut()


def _chunk(piece: bytes, is_last: bool) -> bytes:  # noqa: FBT001 (called by its type alone)
    data = b"%x\r\n%b\r\n" % (len(piece), piece) if piece else b""
    return data + b"0\r\n\r\n" if is_last else data


def _same(piece: bytes, _is_last: bool) -> bytes:  # noqa: FBT001 (called by its type alone)
    """Return the piece: the answer's length was announced, or the end of the connection is its end."""
    return piece


def _encoded(status: int, fields: Fields) -> bytes:
    lines = b"".join(b"%b: %b\r\n" % field for field in fields)
    return b"HTTP/1.1 %d %b\r\n%b\r\n" % (status, _PHRASES.get(status, b""), lines)
