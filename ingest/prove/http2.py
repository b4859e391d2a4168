"""HTTP/2 by hand, as far as sending one request and reading its status goes (RFC 9113, RFC 7541)."""

import struct
from collections.abc import Iterator

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _SETTINGS, _CONTINUATION = 0, 1, 4, 9
_SEVEN_BITS = 0x7F
_END_STREAM, _END_HEADERS = 1, 4
_FRAME_BYTES_MAX = 16_384
_STATUSES = {0x88: 200, 0x89: 204, 0x8A: 206, 0x8B: 304, 0x8C: 400, 0x8D: 404, 0x8E: 500}
_STATUS_NAMES = frozenset(range(0x48, 0x4F)) | frozenset(range(0x08, 0x0F)) | frozenset(range(0x18, 0x1F))
_HUFFMAN = {"00000": "0", "00001": "1", "00010": "2"} | {
    f"{code:06b}": str(digit) for digit, code in enumerate(range(0x19, 0x20), 3)
}
Fields = tuple[tuple[bytes, bytes], ...]


def request(fields: Fields, body: bytes, trailers: Fields = ()) -> bytes:
    """Give the bytes of a connection with one request, pseudo-header fields first."""
    whole = PREFACE + _frame(_SETTINGS, 0, 0, b"") + b"".join(_headers(fields))
    for start in range(0, len(body), _FRAME_BYTES_MAX):
        piece = body[start : start + _FRAME_BYTES_MAX]
        is_last = start + _FRAME_BYTES_MAX >= len(body) and not trailers
        whole += _frame(_DATA, _END_STREAM * is_last, 1, piece)
    return whole + (b"".join(_headers(trailers, _END_STREAM)) if trailers else b"")


def status(said: bytes) -> int:
    """Give the status of the first answer, or 0."""
    for kind, payload in _frames(said):
        fields = payload.lstrip(bytes(range(0x20, 0x40)))  # Updates of the table's size may come first.
        if kind == _HEADERS and len(fields) > 1:
            return _STATUSES.get(fields[0]) or _written(fields)
    return 0


def _written(fields: bytes) -> int:
    value = fields[2 : 2 + (fields[1] & 0x7F)]
    if fields[0] not in _STATUS_NAMES or not value:
        return 0
    if not fields[1] & 0x80:
        return int(value) if value.isdigit() else 0
    bits, digits, code = f"{int.from_bytes(value, 'big'):0{len(value) * 8}b}", "", ""
    for bit in bits:
        code += bit
        if code in _HUFFMAN:
            digits, code = digits + _HUFFMAN[code], ""
    return int(digits[:3] or 0)


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def _headers(fields: Fields, flags: int = 0) -> Iterator[bytes]:
    """Literal fields without indexing; more than one frame where they are long."""
    block = b"".join(b"\0" + _string(name) + _string(value) for name, value in fields)
    pieces = [block[at : at + _FRAME_BYTES_MAX] for at in range(0, len(block), _FRAME_BYTES_MAX)]
    for number, piece in enumerate(pieces):
        kind = _CONTINUATION if number else _HEADERS
        is_last = number == len(pieces) - 1
        yield _frame(kind, (0 if number else flags) | (_END_HEADERS * is_last), 1, piece)


def _string(text: bytes) -> bytes:
    """RFC 7541, section 5.1: lengths from 127 on continue in groups of seven bits."""
    size = len(text)
    if size < _SEVEN_BITS:
        return bytes([size]) + text
    head, size = b"\x7f", size - _SEVEN_BITS
    while size > _SEVEN_BITS:
        head, size = head + bytes([size % 0x80 + 0x80]), size // 0x80
    return head + bytes([size]) + text


def _frames(said: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 9 < len(said):
        size = int.from_bytes(said[at : at + 3], "big")
        yield said[at + 3], said[at + 9 : at + 9 + size]
        at += 9 + size
