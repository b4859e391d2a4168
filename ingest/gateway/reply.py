"""The answer to a client: its head with the first bytes, then pieces, then an end."""

from collections.abc import Callable

from starlette.types import Send

from ingest.gateway.fields import CLOSE, Fields


class Reply:
    """Sends an answer; one that has begun and is not ended is cut by the connection, never presented as whole."""

    __slots__ = ("_closes", "_send", "has_begun")

    def __init__(self, send: Send, closes: Callable[[], bool]) -> None:
        self._send = send
        self._closes = closes  # Whether this answer shall be the last of its connection.
        self.has_begun = False

    async def whole(self, status: int, fields: Fields, body: bytes) -> None:
        """Send an answer of one piece."""
        await self._start(status, fields)
        await self.end(body)

    async def begin(self, status: int, fields: Fields, piece: bytes) -> None:
        """Send a head, and the first piece of several."""
        await self._start(status, fields)
        await self.more(piece)

    async def more(self, piece: bytes) -> None:
        self.has_begun = True
        await self._send({"type": "http.response.body", "body": piece, "more_body": True})

    async def end(self, piece: bytes) -> None:
        self.has_begun = True
        await self._send({"type": "http.response.body", "body": piece})

    async def _start(self, status: int, fields: Fields) -> None:
        if self._closes():
            fields = [*fields, CLOSE]
        await self._send({"type": "http.response.start", "status": status, "headers": fields})
