"""Bodies that cost more to read than to send: deep ones, bombs, unknown terms, and tags in many spellings."""

import itertools
import json
import os
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from schema.limits import BODY_BYTES_MAX, EVENTS_MAX, WIRE_BYTES_MAX
from tests.soak import template
from tests.soak.template import Template
from tests.support import sample

DEPTH = 200_000
BOMB_BYTES = 10 * 1024**3
SPACES = 20_000
CHUNKED = "Transfer-Encoding: chunked\r\n"
_GZIP = 16 + zlib.MAX_WBITS
_GZIP_BLOCK_BYTES = 64 * 1024**2
_ZSTD_BLOCK_BYTES = 128 * 1024  # The most that a block may hold.
_ATTACK_NUMBER = 1 << 44  # Above those of every honest batch.


class Payload(NamedTuple):
    """A body, its header lines, and the number of units it counts for."""

    body: bytes
    headers: str
    units: int


def deep() -> Iterator[Payload]:
    """Return deep arrays and objects, as the body, as the events, as a field and as an unknown field."""
    arrays, objects = "[" * DEPTH + "]" * DEPTH, '{"a":' * DEPTH + "1" + "}" * DEPTH
    event = json.dumps(sample.event())
    bodies = [
        *(f'{{"events":{nest}}}' for nest in (arrays, objects)),
        *(f'{{"events":[{event[:-1]},"note":{nest}}}]}}' for nest in (arrays, objects)),
        *(event.join(('{"events":[', "]}")).replace('{"team": "search"}', nest) for nest in (arrays, objects)),
        arrays,
        "[" * DEPTH,
    ]
    return itertools.cycle([Payload(body.encode("ascii"), "", 1) for body in bodies])


def bombs() -> Iterator[Payload]:
    """Return bombs of gzip and zstd: too long for the wire, cut so that they fit, and short."""
    gzip, zstd = gzip_bomb(BOMB_BYTES), zstd_bomb(BOMB_BYTES)
    return itertools.cycle([
        Payload(gzip, "Content-Encoding: gzip\r\n", 1),
        Payload(gzip[:WIRE_BYTES_MAX], "Content-Encoding: gzip\r\n", 1),
        Payload(zstd, "Content-Encoding: zstd\r\n", 1),
        Payload(sized_zstd_bomb(BOMB_BYTES), "Content-Encoding: zstd\r\n", 1),
    ])  # fmt: skip


def tiny_chunks() -> Iterator[Payload]:
    """Yield good batches, with some spaces, in chunks of a byte."""
    while True:
        chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in sample.body() + b" " * SPACES)
        yield Payload(chunks + b"0\r\n\r\n", CHUNKED, 1)


def gzip_bomb(size: int) -> bytes:
    """Return zeros of a size as gzip, with the checksum of a part, because no reader gets that far."""
    deflater = zlib.compressobj(9, zlib.DEFLATED, _GZIP)
    head = deflater.compress(bytes(_GZIP_BLOCK_BYTES)) + deflater.flush(zlib.Z_FULL_FLUSH)
    # After a full flush the next block stands for itself, so it can be repeated.
    block = deflater.compress(bytes(_GZIP_BLOCK_BYTES)) + deflater.flush(zlib.Z_FULL_FLUSH)
    return head + block * (size // _GZIP_BLOCK_BYTES - 1) + deflater.flush()


def zstd_bomb(size: int) -> bytes:
    """Return zeros of a size as one zstd frame without its content size (RFC 8878, section 3.1.1)."""
    return b"\x28\xb5\x2f\xfd" + b"\x00\x58" + _zstd_blocks(size)  # A window of 2 MiB.


def sized_zstd_bomb(size: int) -> bytes:
    """Return zeros of a size as one zstd frame with its content size."""
    return b"\x28\xb5\x2f\xfd" + b"\xc0\x58" + size.to_bytes(8, "little") + _zstd_blocks(size)


def _zstd_blocks(size: int) -> bytes:
    """Return blocks that repeat one byte, the last one marked as last."""
    repeated, is_last = 1 << 1, 1
    block = (_ZSTD_BLOCK_BYTES << 3 | repeated).to_bytes(3, "little") + b"\0"
    last = (_ZSTD_BLOCK_BYTES << 3 | repeated | is_last).to_bytes(3, "little") + b"\0"
    return block * (size // _ZSTD_BLOCK_BYTES - 1) + last


def large_batches() -> Iterator[Payload]:
    """Return good batches of the largest size."""
    return _stamped(template.good(EVENTS_MAX))


def unknown_models() -> Iterator[Payload]:
    """Return batches of the largest size, in which every event has a new model."""
    return _stamped(template.of_unknown_models(EVENTS_MAX))


def _stamped(made: Template) -> Iterator[Payload]:
    numbers = itertools.count(_ATTACK_NUMBER + (int.from_bytes(os.urandom(4), "big") << 8))
    return (Payload(made.stamp(number, sample.now_ms()), "", made.events) for number in numbers)


def padded_tags() -> Iterator[Payload]:
    """Yield good events as long as a body may be, no two with the same spelling of tags."""
    for number in itertools.count():
        body = sample.body()
        spaces = b" " * (BODY_BYTES_MAX - len(body) - number % 100_000)
        yield Payload(body.replace(b'"tags":{', b'"tags":{' + spaces), "", 1)
