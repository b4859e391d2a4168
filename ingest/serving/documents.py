"""Answers with documents that are polled: whole, or 304 if unchanged; plain or gzip (RFC 9110)."""

import hashlib
import zlib
from functools import lru_cache
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from ingest.serving.steps import Steps

PLAIN_MAX = 16  # Documents cached inflated, of some 300 KB each.
_PIECE_BYTES = 32_768
_GZIP = 16 + zlib.MAX_WBITS
_VARY = "Accept-Encoding, Authorization"


class Document(NamedTuple):
    """A document, compressed; it is inflated for senders that do not accept gzip."""

    tag: str  # Of its content.
    compressed: bytes


def compress(plain: bytes) -> Steps[Document]:
    """Compress a document, with a yield after each piece."""
    deflater = zlib.compressobj(6, zlib.DEFLATED, _GZIP)
    parts = []
    for start in range(0, len(plain), _PIECE_BYTES):
        parts.append(deflater.compress(plain[start : start + _PIECE_BYTES]))
        yield
    parts.append(deflater.flush())
    return Document(hashlib.sha256(plain).hexdigest()[:32], b"".join(parts))


def is_known(request: Request, tag: str) -> bool:
    """Return whether the sender has this content, in either coding (RFC 9110, section 13.1.2)."""
    named = ",".join(request.headers.getlist("if-none-match"))
    known = {each.strip().removeprefix("W/") for each in named.split(",")}
    return bool(known & {"*", f'"{tag}"', f'"{tag}-gzip"'})


def response(request: Request, document: Document) -> Response:
    """Return the answer with the document."""
    is_gzip = takes_gzip(request)
    headers = _headers(document.tag, is_gzip=is_gzip)
    if is_gzip:
        return Response(document.compressed, 200, headers | {"Content-Encoding": "gzip"}, "application/json")
    return Response(_inflated(document.compressed), 200, headers, "application/json")


def not_modified(request: Request, tag: str) -> Response:
    """Return the answer for a sender that has this content."""
    return Response(status_code=304, headers=_headers(tag, is_gzip=takes_gzip(request)))


@lru_cache(maxsize=PLAIN_MAX)
def _inflated(compressed: bytes) -> bytes:
    """Inflate once for concurrent requests: each answer is in memory until its sender has read it."""
    return zlib.decompress(compressed, _GZIP)


def _headers(tag: str, *, is_gzip: bool) -> dict[str, str]:
    return {"ETag": f'"{tag}-gzip"' if is_gzip else f'"{tag}"', "Vary": _VARY}


def takes_gzip(request: Request) -> bool:
    """Read Accept-Encoding (RFC 9110, section 12.5.3) for gzip, the only coding."""
    weights = {}
    for each in ",".join(request.headers.getlist("accept-encoding")).lower().split(","):
        name, _, weight = each.replace(" ", "").replace("\t", "").partition(";q=")
        weights[name] = weight.strip("0.") != "" or weight == ""
    return weights.get("gzip", weights.get("x-gzip", weights.get("*", False)))
