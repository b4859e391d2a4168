"""A request in HTTP/2 frames (RFC 9113), which the service must not accept."""

import struct
from collections.abc import Mapping

_DATA, _HEADERS, _PRIORITY, _SETTINGS = 0, 1, 2, 4
_END_STREAM, _END_HEADERS = 1, 4
_STRING_BYTES_MAX = 126  # Longer strings need a longer prefix: RFC 7541, section 5.1.
_FRAME_BYTES_MAX = 16_384


def request(fields: Mapping[bytes, bytes], body: bytes) -> bytes:
    """Return the first stream of a connection, with pseudo-header fields first, as literals without indexing."""
    block = b"".join(b"\0" + _string(name) + _string(value) for name, value in fields.items())
    pieces = [body[at : at + _FRAME_BYTES_MAX] for at in range(0, len(body), _FRAME_BYTES_MAX)] or [b""]
    data = b"".join(_frame(_DATA, 0, 1, piece) for piece in pieces[:-1])
    return _frame(_HEADERS, _END_HEADERS, 1, block) + data + _frame(_DATA, _END_STREAM, 1, pieces[-1])


def priorities(count: int) -> bytes:
    """Return PRIORITY frames, which a server reads but which request nothing."""
    return _frame(_PRIORITY, 0, 1, bytes(4) + b"\x10") * count


def _string(text: bytes) -> bytes:
    assert len(text) <= _STRING_BYTES_MAX
    return bytes([len(text)]) + text


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


SETTINGS = _frame(_SETTINGS, 0, 0, b"")
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + SETTINGS
