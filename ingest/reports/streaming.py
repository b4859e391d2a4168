"""Sends an answer piece by piece, no faster than the sender of the request takes it, and not for ever."""

import asyncio
import zlib
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ingest.errors import Overloaded, Stopping
from ingest.reports import metrics
from ingest.serving.errors import ClientGone

STREAM_S = 900.0  # The sender goes on after the last row that it has.
PIECE_BYTES = 65_536  # A sender has 20 s for each: `ANSWER_S` of serving.wire.
_GZIP = 16 + zlib.MAX_WBITS
_LEVEL = 3  # A third more bytes than 6, in a third of the time.

Pieces = AsyncGenerator[bytes, None]


class Stream(Response):
    """An answer of pieces. What fails before the first one is a problem; later it cuts the connection."""

    def __init__(self, pieces: Pieces, headers: Mapping[str, str]) -> None:
        super().__init__()
        self._pieces = pieces
        self.raw_headers = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        self._has_begun = False

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Answer a request."""
        ending: metrics.Ending = "failed"
        try:
            async with aclosing(self._pieces), asyncio.timeout(STREAM_S):
                await self._send(scope, send)
            ending = "whole"
        except TimeoutError:
            ending = "gone"
            raise ClientGone if self._has_begun else Overloaded from None
        except (ClientGone, asyncio.CancelledError):
            ending = "gone"
            raise
        finally:
            metrics.export_streams.labels(ending).inc()

    async def _send(self, scope: Scope, send: Send) -> None:
        piece: bytes | None = await anext(self._pieces, None)
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        self._has_begun = True
        while piece is not None and scope["method"] != "HEAD":
            for at in range(0, len(piece), PIECE_BYTES):
                if scope["app"].state.tasks.is_stopping:
                    raise Stopping
                part = piece[at : at + PIECE_BYTES]
                await send({"type": "http.response.body", "body": part, "more_body": True})
                metrics.export_bytes.inc(len(part))
            piece = await anext(self._pieces, None)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def gzipped(pieces: Pieces) -> Pieces:
    """Yield pieces in gzip."""
    deflater = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    async with aclosing(pieces):
        async for piece in pieces:
            if packed := await asyncio.to_thread(deflater.compress, piece):
                yield packed
    yield deflater.flush()
