"""Reads a request's body within bounds on time and on bytes, as sent and once decompressed."""

import asyncio
import random
from typing import NamedTuple

from starlette.requests import Request

from ingest.serving import codings
from ingest.serving.body_memory import Hold
from ingest.serving.errors import ClientGone, SlowBody, WireTooLarge
from schema.limits import BODY_BYTES_MAX, WIRE_BYTES_MAX

BODY_TIMEOUT_S = 15.0
BODY_SPREAD_S = 5.0  # At most, and random: slow senders that time out in one moment would delay others.


class Form(NamedTuple):
    """The bodies that a door reads: their media types, and the most bytes on the wire and once decompressed."""

    media_types: tuple[str, ...]
    wire_bytes_max: int = WIRE_BYTES_MAX
    bytes_max: int = BODY_BYTES_MAX


JSON = Form(("application/json",))


def media_type(request: Request, form: Form) -> str:
    """Return which of the form's media types a request has; raises MediaTypeUnsupported."""
    return codings.media_type(request.headers.getlist("content-type"), form.media_types)


def announced(request: Request, form: Form) -> int:
    """Return the most bytes that a body may have on the wire, before any is read."""
    # The server has checked that it is a number.
    return min(int(request.headers.get("content-length", form.wire_bytes_max)), form.wire_bytes_max)


async def read(request: Request, form: Form, hold: Hold, finish: codings.Finish) -> bytes:
    """Return the decompressed body, reserving memory as it arrives; raise an IngestError or ClientGone."""
    media_type(request, form)
    coding = codings.of(request.headers.getlist("content-encoding"))
    wire = await receive(request, form, hold)
    if coding is None:
        return wire
    body = await codings.decompressed(wire, coding, finish, form.bytes_max)
    hold(len(wire) + len(body))
    return body


async def receive(request: Request, form: Form, hold: Hold) -> bytes:
    """Return the body as it was sent, reserving memory as it arrives; raise an IngestError or ClientGone."""
    media_type(request, form)
    if int(request.headers.get("content-length", "0")) > form.wire_bytes_max:
        raise WireTooLarge
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S + random.random() * BODY_SPREAD_S):  # noqa: S311 (no secret)
            return await _receive(request, form.wire_bytes_max, hold)
    except TimeoutError:
        raise SlowBody from None


async def _receive(request: Request, bytes_max: int, hold: Hold) -> bytes:
    parts = []
    size = 0
    while True:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        hold(size)
        if size > bytes_max:
            raise WireTooLarge
        if not message.get("more_body", False):
            return parts[0] if len(parts) == 1 else b"".join(parts)
