"""Reads a request's body within bounds on time and on bytes, as sent and once decompressed."""

import asyncio
import random

from starlette.requests import Request

from ingest.serving import codings
from ingest.serving.body_memory import Hold
from ingest.serving.errors import ClientGone, SlowBody, WireTooLarge
from schema.limits import WIRE_BYTES_MAX

BODY_TIMEOUT_S = 15.0
BODY_SPREAD_S = 5.0  # At most, and random: slow senders that time out in one moment would delay others.


def announced(request: Request) -> int:
    """Return the most bytes that a body may have on the wire, before any is read."""
    size = int(request.headers.get("content-length", WIRE_BYTES_MAX))  # The server has checked that it is a number.
    return min(size, WIRE_BYTES_MAX)


async def read(request: Request, hold: Hold, finish: codings.Finish) -> bytes:
    """Return the decompressed body, reserving memory as it arrives; raise an IngestError or ClientGone."""
    codings.require_json(request.headers.getlist("content-type"))
    coding = codings.of(request.headers.getlist("content-encoding"))
    if int(request.headers.get("content-length", "0")) > WIRE_BYTES_MAX:
        raise WireTooLarge
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S + random.random() * BODY_SPREAD_S):  # noqa: S311 (no secret)
            wire = await _receive(request, hold)
    except TimeoutError:
        raise SlowBody from None
    if coding is None:
        return wire
    body = await codings.decompressed(wire, coding, finish)
    hold(len(wire) + len(body))
    return body


async def _receive(request: Request, hold: Hold) -> bytes:
    parts = []
    size = 0
    while True:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        hold(size)
        if size > WIRE_BYTES_MAX:
            raise WireTooLarge
        if not message.get("more_body", False):
            return parts[0] if len(parts) == 1 else b"".join(parts)
