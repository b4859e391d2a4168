"""Compresses bodies: a spool keeps gzip, which every Python reads; a body is sent as zstd if a library is there."""

import gzip
import sys
import zlib
from collections.abc import Callable
from typing import Literal

Coding = Literal["zstd", "gzip", "identity"]
_GZIP_LEVEL = 4
_ZSTD_LEVEL = 3


def _zstd() -> Callable[[bytes], bytes] | None:
    if sys.version_info >= (3, 14):
        try:
            from compression import zstd  # noqa: PLC0415 - a Python may be built without it.
        except ImportError:
            return None
        return lambda data: zstd.compress(data, _ZSTD_LEVEL)
    try:
        import zstandard  # noqa: PLC0415 - optional.
    except ImportError:
        return None
    return lambda data: zstandard.ZstdCompressor(_ZSTD_LEVEL).compress(data)


_compress_zstd = _zstd()
BEST: Coding = "gzip" if _compress_zstd is None else "zstd"
WORSE: dict[Coding, Coding] = {"zstd": "gzip", "gzip": "identity"}  # If the server refuses a coding.


def pack(data: bytes) -> bytes:
    """Return bytes as a spool keeps them."""
    return gzip.compress(data, _GZIP_LEVEL, mtime=0)


def unpack(packed: bytes) -> bytes:
    """Return the bytes that `pack` packed; raises ValueError if they are damaged."""
    try:
        return gzip.decompress(packed)
    except (OSError, EOFError, zlib.error):
        raise ValueError from None


def wire(beginning: bytes, packed: bytes, coding: Coding) -> bytes:
    """Return a body as sent: its beginning, and its end as the spool keeps it; raises ValueError."""
    if coding == "gzip":
        return pack(beginning) + packed  # Two members are one body (RFC 1952, section 2.2).
    body = beginning + (unpack(packed) if packed else b"")
    return _compress_zstd(body) if coding == "zstd" and _compress_zstd is not None else body
