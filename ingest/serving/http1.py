"""Parses heads and chunks of HTTP/1.1, and refuses what two parsers could read differently.

As strict as RFC 9112 allows. Pure: from bytes to types. Raises BadRequest, HeadTooLarge or VersionUnsupported.
"""

import re
from typing import NamedTuple
from urllib.parse import unquote

from ingest.serving.errors import BadRequest, HeadTooLarge, VersionUnsupported

HEAD_BYTES_MAX = 16_384
FIELDS_MAX = 100
EMPTY_LINES_MAX = 4  # Before a request: some senders add one after a body (RFC 9112, section 2.2).
LINE_BYTES_MAX = 512  # Of a chunk size with its extensions, or a trailer.
UNUSED_BYTES_MAX = 8_192  # Of all extensions and trailers of a body.
CHUNKS_MAX = 100  # Parsed at once, in half a millisecond: a chunk may have one byte.
_DIGITS_MAX = 15  # Of a length.

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]"
_VALUE = rb"[\t -~\x80-\xff]*"  # RFC 9110, section 5.5: obs-text is allowed, control characters are not.
_FIELDS = rb"((?:" + _TOKEN + rb"+:" + _VALUE + rb"\r\n)*)\r\n"
_HEAD = re.compile(rb"(" + _TOKEN + rb"{1,32}) ([!-~]+) HTTP/([0-9]\.[0-9])\r\n" + _FIELDS)
_TRAILERS = re.compile(_FIELDS)
_EMPTY_LINES = re.compile(rb"(?:\r\n){0,%d}" % EMPTY_LINES_MAX)
# Never in a head, so refused before its end arrives: control characters, a line end of one character.
_NEVER = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|(?<!\r)\n|\r(?=[^\n])")
_LENGTH = re.compile(rb"[0-9]{1,%d}" % _DIGITS_MAX)
_HOST = re.compile(rb"(?:[A-Za-z0-9._~!$&'()*+,;=%-]*|\[[0-9A-Fa-f:.]+\])(?::[0-9]{0,5})?")
_ABSOLUTE = re.compile(rb"(?i:https?)://([^/?]+)(.*)")
_QUOTED = rb'"(?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*"'
_CHUNK = re.compile(
    rb"([0-9A-Fa-f]{1,8})((?:[\t ]*;[\t ]*" + _TOKEN + rb"+(?:[\t ]*=[\t ]*(?:" + _TOKEN + rb"+|" + _QUOTED + rb"))?)*)"
)

Fields = list[tuple[bytes, bytes]]
_OF_FRAMING = frozenset({b"connection", b"content-length", b"expect", b"host", b"transfer-encoding"})


class Head(NamedTuple):
    """A request without its body."""

    method: str
    raw_path: bytes
    query: bytes
    fields: Fields  # Names in lower case.
    length: int | None  # Of the body; None if it comes in chunks.
    expects_continue: bool
    is_last: bool  # The connection closes after its answer.
    reads_chunks: bool = True

    @property
    def path(self) -> str:
        path = self.raw_path.decode("ascii")
        return unquote(path) if "%" in path else path


def take_head(buffer: bytearray) -> Head | None:
    """Take a request's head off the buffer, or return None while it is incomplete."""
    lines = _EMPTY_LINES.match(buffer)
    start = lines.end() if lines is not None else 0
    if buffer.startswith(b"\r\n", start):
        raise BadRequest
    end = buffer.find(b"\r\n\r\n", start)
    size = (end + 4 if end >= 0 else len(buffer)) - start
    # A whole head of good size is matched by a stricter pattern.
    if (end < 0 or size > HEAD_BYTES_MAX) and _NEVER.search(buffer, start, start + size):
        raise BadRequest
    if size > HEAD_BYTES_MAX:
        raise HeadTooLarge
    if end < 0:
        return None
    head = _head(bytes(buffer[start : end + 4]))
    del buffer[: end + 4]
    return head


def _head(whole: bytes) -> Head:
    match = _HEAD.fullmatch(whole)
    if match is None:
        raise BadRequest
    method, target, version, lines = match.groups()
    if version not in {b"1.0", b"1.1"}:
        raise VersionUnsupported
    fields = _fields(lines)
    of_framing = [field for field in fields if field[0] in _OF_FRAMING]
    hosts = _all(of_framing, b"host")
    if len(hosts) > 1 or (version == b"1.1" and not hosts) or not all(_HOST.fullmatch(host) for host in hosts):
        raise BadRequest
    path, query = _path(method, target)
    options = {each.strip().lower() for value in _all(of_framing, b"connection") for each in value.split(b",")}
    return Head(
        method=method.decode("ascii"),
        raw_path=path,
        query=query,
        fields=fields,
        length=_length(of_framing, version),
        expects_continue=version == b"1.1"
        and b"100-continue" in {each.lower() for each in _all(of_framing, b"expect")},
        is_last=version == b"1.0" or b"close" in options or method == b"CONNECT",
        reads_chunks=version == b"1.1",
    )


def _fields(lines: bytes) -> Fields:
    split = [line.partition(b":") for line in lines.split(b"\r\n")[:-1]]
    if len(split) > FIELDS_MAX:
        raise HeadTooLarge
    return [(name.lower(), value.strip(b"\t ")) for name, _, value in split]


def _all(fields: Fields, name: bytes) -> list[bytes]:
    return [value for found, value in fields if found == name]


def _path(method: bytes, target: bytes) -> tuple[bytes, bytes]:
    """Return path and query of a target in any of its four forms: RFC 9112, section 3.2."""
    if method == b"CONNECT":
        if not _HOST.fullmatch(target):
            raise BadRequest
        return target, b""
    if target == b"*" and method == b"OPTIONS":
        return target, b""
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is not None:
        if not _HOST.fullmatch(absolute[1]):
            raise BadRequest
        target = absolute[2] if absolute[2].startswith(b"/") else b"/" + absolute[2]
    if not target.startswith(b"/") or b"#" in target:
        raise BadRequest
    path, _, query = target.partition(b"?")
    return path, query


def _length(fields: Fields, version: bytes) -> int | None:
    """Return the length of the body, or None if chunked: RFC 9112, section 6.3, in its strictest reading."""
    lengths, codings = _all(fields, b"content-length"), _all(fields, b"transfer-encoding")
    if codings:
        if lengths or version == b"1.0" or [coding.lower() for coding in codings] != [b"chunked"]:
            raise BadRequest
        return None
    if not lengths:
        return 0
    if len(lengths) > 1 or not _LENGTH.fullmatch(lengths[0]):
        raise BadRequest
    return int(lengths[0])


class Chunks:
    """Takes a body in chunks off a buffer: RFC 9112, section 7.1. Extensions and trailers are checked and dropped."""

    def __init__(self) -> None:
        self.is_over = False
        self._left = 0  # Bytes to come of the current chunk.
        self._is_between = False  # After a chunk's data, before the end of their line.
        self._is_last = False
        self._unused = 0

    def take(self, buffer: bytearray) -> bytes:
        """Return the data of up to CHUNKS_MAX chunks in the buffer; b"" if there is none yet, or at the end."""
        parts: list[bytes] = []
        at = 0
        while not self.is_over and len(parts) < CHUNKS_MAX:
            moved = self._step(buffer, at, parts)
            if moved == at:
                break
            at = moved
        del buffer[:at]
        return b"".join(parts)

    def _step(self, buffer: bytearray, at: int, parts: list[bytes]) -> int:
        """Parse one piece; return the offset of the next, or `at` if more bytes are needed."""
        if self._left:
            part = bytes(buffer[at : at + self._left])
            self._left -= len(part)
            self._is_between = not self._left
            parts.append(part)
            return at + len(part)
        if self._is_between:
            if not b"\r\n".startswith(bytes(buffer[at : at + 2])):
                raise BadRequest
            is_whole = len(buffer) >= at + 2
            self._is_between = not is_whole
            return at + 2 * is_whole
        return self._line(buffer, at)

    def _line(self, buffer: bytearray, at: int) -> int:
        end = buffer.find(b"\r\n", at, at + LINE_BYTES_MAX)
        if end < 0:
            if len(buffer) - at >= LINE_BYTES_MAX or _NEVER.search(buffer, at):
                raise BadRequest
            return at
        line = bytes(buffer[at:end])
        if self._is_last:
            self._trailer(line)
        else:
            self._size(line)
        if self._unused > UNUSED_BYTES_MAX:
            raise BadRequest
        return end + 2

    def _size(self, line: bytes) -> None:
        match = _CHUNK.fullmatch(line)
        if match is None:
            raise BadRequest
        self._left = int(match[1], 16)
        self._is_last = self._left == 0
        self._unused += len(match[2])

    def _trailer(self, line: bytes) -> None:
        if line and not _TRAILERS.fullmatch(line + b"\r\n\r\n"):
            raise BadRequest
        self._unused += len(line)
        self.is_over = not line
