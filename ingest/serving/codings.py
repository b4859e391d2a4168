"""Checks Content-Type, and decompresses bodies: gzip (RFC 1952) and zstd (RFC 8878).

Other parts of containers and headers (file names, comments, skippable frames, parameters) are skipped unread.
"""

import re
import zlib
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import cache
from typing import Literal

import zstandard

from ingest.serving import steps
from ingest.serving.errors import BadEncoding, BodyTooLarge, EncodingUnsupported, MediaTypeUnsupported
from ingest.serving.steps import Steps
from schema.limits import BODY_BYTES_MAX

Coding = Literal["gzip", "zstd"]
Finish = Callable[[Steps[bytes]], Awaitable[bytes]]  # Runs all steps once it is their turn.
MEMBERS_MAX = 1_000  # Gzip members or zstd frames in one body.
_FIRST_BYTES = 262_144  # Most bodies have a single member, and zlib is slow after each stop.
_PIECE_BYTES = 65_536  # Of further members; small, because zlib copies all input that follows a member.
AT_ONCE_BYTES = 65_536  # Of output, before the first yield: this takes little time.
STEP_BYTES = 1_048_576  # Of output, between two rounds of the loop: 4 ms. One step is enough for most bodies.
_SMALL_STEPS = 8
_ZSTD_WINDOW_BYTES_MAX = 8 * 1024 * 1024  # RFC 8878, section 3.1.1.1.2, asks every decoder to support this.
_GZIP = 16 + zlib.MAX_WBITS
# RFC 9110, section 8.3.1: a semicolon may end the value. Some proxies join repeated headers with a comma.
_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 (the token of RFC 9110, section 5.6.2)
_PARAMETER = rf';[ \t]*(?:({_TOKEN})[ \t]*=[ \t]*({_TOKEN}|"(?:[^"\\]|\\.)*")[ \t]*)?'
_PARAMETERS = re.compile(_PARAMETER)
# Supersets of ASCII, to which bodies are limited; UTF-16, UTF-7, ISO-2022 and EBCDIC are not.
_CHARSET = re.compile(
    r"utf-?8|(?:us-)?ascii|ansi_x3\.4-1968|iso[-_]?8859-[0-9]{1,2}|latin-?[0-9]{1,2}|(?:windows|cp)-?125[0-9]"
    r"|gb18030|gbk|gb2312|big5|euc-(?:jp|kr|cn)|koi8-[ru]",
    re.IGNORECASE,
)


def media_type(content_types: Sequence[str], accepted: Sequence[str]) -> str:
    """Return the media type that every Content-Type has, in a superset of ASCII; raise MediaTypeUnsupported."""
    whole = ",".join(content_types)
    found = next((each for each in accepted if _values(each).fullmatch(whole)), None)
    if found is None:
        raise MediaTypeUnsupported
    for name, value in _PARAMETERS.findall(whole):
        if name.lower() == "charset" and not _CHARSET.fullmatch(value.strip("\"'")):
            raise MediaTypeUnsupported
    return found


@cache
def _values(media_type: str) -> re.Pattern[str]:
    value = rf"{re.escape(media_type)}[ \t]*(?:{_PARAMETER})*"
    return re.compile(rf"{value}(?:,[ \t]*{value})*", re.IGNORECASE)


def of(content_encodings: Sequence[str]) -> Coding | None:
    """Return the coding of a body, or None if it has none; raise EncodingUnsupported."""
    names = [name.strip().lower() for name in ",".join(content_encodings).split(",")]
    match [name for name in names if name not in {"", "identity"}]:  # RFC 9110, section 5.6.1.2, allows empty ones.
        case []:
            return None
        case ["gzip" | "x-gzip"]:  # RFC 9110, section 8.4.1.3: equivalent.
            return "gzip"
        case ["zstd"]:
            return "zstd"
        case _:
            raise EncodingUnsupported


async def decompressed(wire: bytes, coding: Coding, finish: Finish, bytes_max: int = BODY_BYTES_MAX) -> bytes:
    """Decompress a small body at once, and a large one in its turn: it may be a thousand times its size on the wire."""
    work = _gunzip(wire, bytes_max) if coding == "gzip" else _unzstd(wire, bytes_max)
    if (done := steps.advance(work)) is None:
        return await finish(work)
    body: bytes = done.value
    return body


def gunzip(wire: bytes) -> bytes:
    """Inflate gzip members of bounded number and size; zeros after the last are padding, as for gzip(1)."""
    return steps.finish(_gunzip(wire, BODY_BYTES_MAX))


def unzstd(wire: bytes) -> bytes:
    """Decompress zstd frames of bounded number, size and window; skip skippable ones."""
    return steps.finish(_unzstd(wire, BODY_BYTES_MAX))


def _gunzip(wire: bytes, bytes_max: int) -> Steps[bytes]:
    view, at, size = memoryview(wire), 0, 0
    members: list[bytes] = []
    # RFC 1952: a member ends with its size. If that is wrong, the first step still stops at its bound.
    if is_large := int.from_bytes(wire[-4:], "little") > AT_ONCE_BYTES:
        yield
    step_bytes = STEP_BYTES if is_large else AT_ONCE_BYTES
    for _ in range(MEMBERS_MAX):
        member, at = yield from _member(view, at, bytes_max - size, step_bytes)
        step_bytes = STEP_BYTES
        members.append(member)
        size += len(member)
        if at == len(wire) or (wire[at] == 0 and wire.count(0, at) == len(wire) - at):
            return b"".join(members)
    raise BadEncoding


def _member(view: memoryview, at: int, bytes_max: int, step_bytes: int) -> Steps[tuple[bytes, int]]:
    """Inflate the member that begins at an offset; return it and the offset of its end."""
    inflater = zlib.decompressobj(_GZIP)
    parts: list[bytes] = []
    piece_bytes = _PIECE_BYTES if at else _FIRST_BYTES
    while True:
        piece = view[at : at + piece_bytes]
        try:
            parts.append(inflater.decompress(piece, min(step_bytes, bytes_max + 1)))
        except zlib.error:
            raise BadEncoding from None
        bytes_max -= len(parts[-1])
        if bytes_max < 0:
            raise BodyTooLarge
        if inflater.eof:
            return b"".join(parts), at + len(piece) - len(inflater.unused_data)
        if not piece and not parts[-1]:
            raise BadEncoding
        at += len(piece) - len(inflater.unconsumed_tail)
        if len(parts) % _SMALL_STEPS == 0 or len(parts[-1]) == step_bytes:
            yield
            step_bytes = STEP_BYTES


def _unzstd(wire: bytes, bytes_max: int) -> Steps[bytes]:
    decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES_MAX)
    try:
        size = zstandard.frame_content_size(wire)
        if size > bytes_max:
            raise BodyTooLarge
        if not 0 < size <= AT_ONCE_BYTES:
            yield
        if size > 0:
            with suppress(zstandard.ZstdError):  # Most bodies are one frame that has its size in its header.
                return decompressor.decompress(wire, allow_extra_data=False)
        size = 0
        with decompressor.stream_reader(wire, read_across_frames=True) as reader:
            while read := len(reader.read(STEP_BYTES)):
                size += read
                if size > bytes_max:
                    raise BodyTooLarge
                yield
        return (yield from _frames(wire, decompressor))
    except zstandard.ZstdError:
        raise BadEncoding from None


def _frames(wire: bytes, decompressor: zstandard.ZstdDecompressor) -> Steps[bytes]:
    """Decompress frames known to be small: this reader alone notices a truncated frame, but it has no size limit."""
    view, at = memoryview(wire), 0
    parts: list[bytes] = []
    for _ in range(MEMBERS_MAX):
        frame = decompressor.decompressobj()
        while not frame.eof:
            piece = view[at : at + _PIECE_BYTES]
            if not piece:
                raise BadEncoding
            parts.append(frame.decompress(piece))
            at += len(piece) - len(frame.unused_data)
            if len(parts) % _SMALL_STEPS == 0 or len(parts[-1]) >= STEP_BYTES:
                yield
        if at == len(wire):
            return b"".join(parts)
    raise BadEncoding
