"""Parses answers of HTTP/1.1 and 1.0, and refuses what two parsers could read differently.

Pure: from bytes to types. Raises BadAnswer.
"""

import functools
import re
from typing import NamedTuple

from ingest.gateway.upstream.errors import BadAnswer

HEAD_BYTES_MAX = 65_536
FIELDS_MAX = 200
INFORMATIONAL_MAX = 8  # Answers of status 1xx before the final one.
LINE_BYTES_MAX = 512  # Of a chunk's size with its extensions, or a trailer.
UNUSED_BYTES_MAX = 65_536  # Of all extensions and trailers of an answer.

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]"
_VALUE = rb"[\t -~\x80-\xff]*"
_FIELDS = rb"((?:" + _TOKEN + rb"+:" + _VALUE + rb"\r\n)*)"
_HEAD = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9]{2})(?: " + _VALUE + rb")?\r\n" + _FIELDS + rb"\r\n")
_START = b"HTTP/1."
_NEVER = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|(?<!\r)\n|\r(?=[^\n])")
_LENGTH = re.compile(rb"[0-9]{1,15}")
_SIZE = re.compile(rb"[0-9A-Fa-f]{1,8}")
_EXTENSIONS = re.compile(rb"[0-9A-Fa-f]{1,8}[\t ]*;[\t -~\x80-\xff]*")
_TRAILER = re.compile(_TOKEN + rb"+:" + _VALUE)

_LINE_END = b"\r\n"
Fields = list[tuple[bytes, bytes]]

_BODILESS = (204, 304)
_SWITCHING = 101  # Never asked for.
_FINAL = 200


class Head(NamedTuple):
    """The beginning of an answer."""

    status: int
    fields: Fields  # Names in lower case.
    length: int | None  # Of the body; None if it comes in chunks or until the connection closes.
    is_chunked: bool
    is_last: bool  # No answer follows on this connection.

    @property
    def is_final(self) -> bool:
        return self.status >= _FINAL


def parsed(data: bytes, seen: int) -> tuple[Head, int] | None:
    """Return the head at the beginning of these bytes and its size, or None while it is incomplete.

    The first `seen` bytes were given before.
    """
    end = data.find(b"\r\n\r\n", max(0, seen - 3))
    size = end + 4 if end >= 0 else len(data)
    if size > HEAD_BYTES_MAX:
        raise BadAnswer
    if end < 0:
        # Refuse at once what can become no head: a sender of garbage need not end it.
        if not (data.startswith(_START) or _START.startswith(data)) or _NEVER.search(data, max(0, seen - 1)):
            raise BadAnswer
        return None
    match = _HEAD.match(data)
    if match is None or match.end() != size:
        raise BadAnswer
    version, status, lines = match.groups()
    return _head(int(status), lines, is_old=version == b"0"), size


def _head(status: int, lines: bytes, *, is_old: bool) -> Head:
    fields: Fields = []
    lengths: list[bytes] = []
    codings: list[bytes] = []
    options: list[bytes] = []
    for line in lines.split(b"\r\n")[:-1]:
        name, _, value = line.partition(b":")
        name, value = name.lower(), value.strip(b"\t ")
        fields.append((name, value))
        if name == b"content-length":
            lengths.append(value)
        elif name == b"transfer-encoding":
            codings.append(value.lower())
        elif name == b"connection":
            options += [each.strip().lower() for each in value.split(b",")]
    if len(fields) > FIELDS_MAX or status == _SWITCHING:
        raise BadAnswer
    length = _length(lengths, codings, is_old=is_old)
    if status < _FINAL or status in _BODILESS:
        return Head(status, fields, 0, is_chunked=False, is_last=is_old or b"close" in options)
    is_open = length is not None or bool(codings)
    is_kept = is_open and b"close" not in options and (not is_old or b"keep-alive" in options)
    return Head(status, fields, length, bool(codings), is_last=not is_kept)


def _length(lengths: list[bytes], codings: list[bytes], *, is_old: bool) -> int | None:
    """Return the body's length, None if nothing says it: RFC 9112, section 6.3, in its strictest reading."""
    if codings:
        if lengths or is_old or codings != [b"chunked"]:
            raise BadAnswer
        return None
    if not lengths:
        return None
    if len(lengths) > 1 or not _LENGTH.fullmatch(lengths[0]):
        raise BadAnswer
    return int(lengths[0])


class Fixed:
    """A body of a known length."""

    def __init__(self, length: int) -> None:
        self._left = length
        self.is_over = not length
        self.has_more = False  # Bytes came after the end.

    def feed(self, data: bytes) -> bytes:
        """Return what of these bytes is the body's."""
        size = len(data)
        if size > self._left:
            self.has_more = True
            data = data[: self._left]
            size = self._left
        self._left -= size
        self.is_over = not self._left
        return data


class Endless:
    """A body that ends with its connection."""

    is_over: bool = False
    has_more: bool = False

    def feed(self, data: bytes) -> bytes:
        return data


@functools.lru_cache(4_096)
def _size_of(line: bytes) -> int:
    """Return the size that a line without extensions is, or -1."""
    return int(line, 16) if _SIZE.fullmatch(line) else -1


class Chunked:
    """A body in chunks: RFC 9112, section 7.1. Extensions and trailers are bounded and dropped."""

    def __init__(self) -> None:
        self.is_over = False
        self.has_more = False
        self._rest = b""  # An incomplete line.
        self._left = 0  # Bytes to come of the current chunk, with the line end after it.
        self._is_last = False  # Only trailers follow.
        self._unused = 0

    def feed(self, data: bytes) -> bytes:
        """Return what of these bytes is the body's."""
        if self._rest:
            data = self._rest + data
            self._rest = b""
        parts: list[bytes] = []
        at, size = 0, len(data)
        while at < size and not self.is_over:
            if self._left:
                at = self._data(data, at, parts)
                continue
            end = data.find(_LINE_END, at, at + LINE_BYTES_MAX)
            if end < 0:
                self._keep(data[at : at + LINE_BYTES_MAX])
                break
            line = data[at:end]
            at = end + len(_LINE_END)
            # Most chunks come whole, and have plain sizes that came before.
            found = -1 if self._is_last else _size_of(line)
            if found > 0 and data.startswith(_LINE_END, at + found):
                parts.append(data[at : at + found])
                at += found + len(_LINE_END)
            else:
                self._line(line)
        self.has_more = self.is_over and at < size
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _data(self, data: bytes, at: int, parts: list[bytes]) -> int:
        """Take the current chunk's bytes; return the offset after them."""
        left = self._left
        part = data[at : at + left]
        ours = part[: max(0, left - len(_LINE_END))]
        line_end = part[len(ours) :]
        if not _LINE_END[-left:].startswith(line_end):
            raise BadAnswer
        if ours:
            parts.append(ours)
        self._left -= len(part)
        return at + len(part)

    def _keep(self, rest: bytes) -> None:
        if len(rest) >= LINE_BYTES_MAX or _NEVER.search(rest):
            raise BadAnswer
        self._rest = rest

    def _line(self, line: bytes) -> None:
        if self._is_last:
            self._trailer(line)
        elif (found := _size_of(line)) >= 0:
            self._size(found)
        elif _EXTENSIONS.fullmatch(line):
            size = line.partition(b";")[0].strip(b"\t ")
            self._count(len(line) - len(size))
            self._size(int(size, 16))
        else:
            raise BadAnswer

    def _size(self, size: int) -> None:
        self._left = size + len(_LINE_END) if size else 0
        self._is_last = not size

    def _trailer(self, line: bytes) -> None:
        if line and not _TRAILER.fullmatch(line):
            raise BadAnswer
        self._count(len(line))
        self.is_over = not line

    def _count(self, unused: int) -> None:
        self._unused += unused
        if self._unused > UNUSED_BYTES_MAX:
            raise BadAnswer


Body = Fixed | Chunked | Endless


def body_of(head: Head) -> Body:
    """Return what reads the body of this answer."""
    if head.is_chunked:
        return Chunked()
    return Endless() if head.length is None else Fixed(head.length)
