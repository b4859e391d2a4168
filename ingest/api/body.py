"""Reads a body within bounds: of bytes on the wire, of bytes once decompressed, of time."""

import asyncio
import random
import zlib

import zstandard
from starlette.requests import Request

from ingest.errors import (
    BadEncoding,
    BodyTooLarge,
    EncodingUnsupported,
    MediaTypeUnsupported,
    SlowBody,
    WireTooLarge,
)
from ingest.room import Hold
from schema.limits import BODY_BYTES_MAX, WIRE_BYTES_MAX

BODY_TIMEOUT_S = 15.0
BODY_SPREAD_S = 5.0  # A thousand slow senders who began together are not answered in one moment: others would wait.
_ZSTD_WINDOW_BYTES_MAX = 8 * 1024 * 1024  # What RFC 8878, section 3.1.1.1.2, asks every decoder to support.
_GZIP = 16 + zlib.MAX_WBITS
_MEDIA_TYPES = {"application/json", "application/json;charset=utf-8"}


class ClientGone(Exception):
    """The connection ended inside the body: there is nobody to answer."""


def announced(request: Request) -> int:
    """Give how many bytes of a body may come, before any is read."""
    size = int(request.headers.get("content-length", WIRE_BYTES_MAX))  # The server has checked that it is a number.
    return min(size, WIRE_BYTES_MAX)


async def read(request: Request, hold: Hold) -> bytes:
    """Give the decompressed body, whose bytes are held as they come; raises what the headers or the bytes deserve."""
    media_types = request.headers.getlist("content-type")
    if len(media_types) != 1 or media_types[0].lower().replace(" ", "") not in _MEDIA_TYPES:
        raise MediaTypeUnsupported
    codings = request.headers.getlist("content-encoding")
    coding = codings[0].strip().lower() if codings else "identity"
    if len(codings) > 1 or coding not in {"identity", "gzip", "zstd"}:
        raise EncodingUnsupported
    if int(request.headers.get("content-length", "0")) > WIRE_BYTES_MAX:
        raise WireTooLarge
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S + random.random() * BODY_SPREAD_S):  # noqa: S311 (no secret)
            wire = await _receive(request, hold)
    except TimeoutError:
        raise SlowBody from None
    if coding == "identity":
        return wire
    body = gunzip(wire) if coding == "gzip" else unzstd(wire)
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


def gunzip(wire: bytes) -> bytes:
    """Inflate one gzip member (RFC 1952) of bounded size."""
    inflater = zlib.decompressobj(_GZIP)
    try:
        body = inflater.decompress(wire, BODY_BYTES_MAX + 1)
    except zlib.error:
        raise BadEncoding from None
    if len(body) > BODY_BYTES_MAX:
        raise BodyTooLarge
    if not inflater.eof or inflater.unused_data:
        raise BadEncoding
    return body


def unzstd(wire: bytes) -> bytes:
    """Decompress one zstd frame (RFC 8878) of bounded size and window."""
    decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES_MAX)
    try:
        size = zstandard.frame_content_size(wire)
        if size > BODY_BYTES_MAX:
            raise BodyTooLarge
        if size >= 0:
            return decompressor.decompress(wire, allow_extra_data=False)
        with decompressor.stream_reader(wire) as reader:
            if len(reader.read(BODY_BYTES_MAX + 1)) > BODY_BYTES_MAX:
                raise BodyTooLarge
        # Only this one tells a frame that was cut off, and only that one can be bounded.
        whole = decompressor.decompressobj()
        body = whole.decompress(wire)
    except zstandard.ZstdError:
        raise BadEncoding from None
    if not whole.eof or whole.unused_data:
        raise BadEncoding
    return body
