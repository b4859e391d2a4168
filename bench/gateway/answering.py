"""A server that costs next to nothing: it answers each request of a connection once its body is there."""

import asyncio
from abc import ABC, abstractmethod
from typing import cast


class Answering(asyncio.Protocol, ABC):
    """Reads heads with a length and bodies; a server says by `answer` what it sends."""

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
        body = bytes(self._received[end + 4 :])
        self._received.clear()
        assert self._transport is not None
        self.answer(self._transport, head, body)

    @abstractmethod
    def answer(self, transport: asyncio.Transport, head: bytes, body: bytes) -> None:
        """Send the answer to a request; its head is in lower case."""
