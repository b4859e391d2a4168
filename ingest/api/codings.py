"""How a body may be labelled and compressed: JSON in a charset that ASCII is part of, gzip (RFC 1952), zstd (RFC 8878).

Whatever else containers and headers hold (file names, comments, skippable frames, parameters) is passed over unread.
"""

import re
import zlib
from collections.abc import Sequence
from contextlib import suppress
from typing import Literal

import zstandard

from ingest.errors import BadEncoding, BodyTooLarge, EncodingUnsupported, MediaTypeUnsupported
from schema.limits import BODY_BYTES_MAX

Coding = Literal["gzip", "zstd"]
MEMBERS_MAX = 1_000  # Members of gzip or frames of zstd in one body.
_PIECE_BYTES = 65_536  # What follows a member is copied, so not all of it is handed over at once.
_ZSTD_WINDOW_BYTES_MAX = 8 * 1024 * 1024  # What RFC 8878, section 3.1.1.1.2, asks every decoder to support.
_GZIP = 16 + zlib.MAX_WBITS
# RFC 9110, section 8.3.1: a semicolon may have no parameter after it. Some joins repeat the header, with a comma.
_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 (the token of RFC 9110, section 5.6.2)
_PARAMETER = rf';[ \t]*(?:({_TOKEN})[ \t]*=[ \t]*({_TOKEN}|"(?:[^"\\]|\\.)*")[ \t]*)?'
_JSON = rf"application/json[ \t]*(?:{_PARAMETER})*"
_MEDIA_TYPE = re.compile(rf"{_JSON}(?:,[ \t]*{_JSON})*", re.IGNORECASE)
_PARAMETERS = re.compile(_PARAMETER)
# ASCII bytes mean the same in all of these; a body has no other bytes. Not so UTF-16, UTF-7, ISO-2022 or EBCDIC.
_CHARSET = re.compile(
    r"utf-?8|(?:us-)?ascii|ansi_x3\.4-1968|iso[-_]?8859-[0-9]{1,2}|latin-?[0-9]{1,2}|(?:windows|cp)-?125[0-9]"
    r"|gb18030|gbk|gb2312|big5|euc-(?:jp|kr|cn)|koi8-[ru]",
    re.IGNORECASE,
)


def require_json(content_types: Sequence[str]) -> None:
    """Raise MediaTypeUnsupported unless every Content-Type is application/json, in a charset that ASCII is part of."""
    whole = ",".join(content_types)
    if not _MEDIA_TYPE.fullmatch(whole):
        raise MediaTypeUnsupported
    for name, value in _PARAMETERS.findall(whole):
        if name.lower() == "charset" and not _CHARSET.fullmatch(value.strip("\"'")):
            raise MediaTypeUnsupported


def of(content_encodings: Sequence[str]) -> Coding | None:
    """Give the one coding of a body, or None for none; raises EncodingUnsupported."""
    names = [name.strip().lower() for name in ",".join(content_encodings).split(",")]
    match [name for name in names if name not in {"", "identity"}]:  # RFC 9110, section 5.6.1.2, on empty ones.
        case []:
            return None
        case ["gzip" | "x-gzip"]:  # RFC 9110, section 8.4.1.3: the same.
            return "gzip"
        case ["zstd"]:
            return "zstd"
        case _:
            raise EncodingUnsupported


def decompressed(wire: bytes, coding: Coding) -> bytes:
    return gunzip(wire) if coding == "gzip" else unzstd(wire)


def gunzip(wire: bytes) -> bytes:
    """Inflate gzip members of bounded number and size; zeros after the last are padding, as gzip(1) has it."""
    view, at, size = memoryview(wire), 0, 0
    parts: list[bytes] = []
    for _ in range(MEMBERS_MAX):
        inflater = zlib.decompressobj(_GZIP)
        while not inflater.eof:
            piece = view[at : at + _PIECE_BYTES]
            if not piece:
                raise BadEncoding
            try:
                parts.append(inflater.decompress(piece, BODY_BYTES_MAX + 1 - size))
            except zlib.error:
                raise BadEncoding from None
            size += len(parts[-1])
            if size > BODY_BYTES_MAX:
                raise BodyTooLarge
            at += len(piece) - len(inflater.unused_data)
        if at == len(wire) or (wire[at] == 0 and wire.count(0, at) == len(wire) - at):
            return b"".join(parts)
    raise BadEncoding


def unzstd(wire: bytes) -> bytes:
    """Decompress zstd frames of bounded number, size and window; skippable ones are skipped."""
    decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES_MAX)
    try:
        size = zstandard.frame_content_size(wire)
        if size > BODY_BYTES_MAX:
            raise BodyTooLarge
        if size > 0:
            with suppress(zstandard.ZstdError):  # Most often there is one frame, which says its size.
                return decompressor.decompress(wire, allow_extra_data=False)
        with decompressor.stream_reader(wire, read_across_frames=True) as reader:
            if len(reader.read(BODY_BYTES_MAX + 1)) > BODY_BYTES_MAX:
                raise BodyTooLarge
        return _frames(wire, decompressor)
    except zstandard.ZstdError:
        raise BadEncoding from None


def _frames(wire: bytes, decompressor: zstandard.ZstdDecompressor) -> bytes:
    """Decompress what is known to be small: only this tells a frame that was cut off, and it cannot be bounded."""
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
        if at == len(wire):
            return b"".join(parts)
    raise BadEncoding
