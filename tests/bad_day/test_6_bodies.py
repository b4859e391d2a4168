"""Labels and compression of honest bodies: every way that the RFCs allow is accepted, bounded and not echoed."""

import gzip
import struct
import zlib
from collections.abc import Callable
from itertools import pairwise

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from ingest.serving import codings
from ingest.serving.errors import BadEncoding, BodyTooLarge, EncodingUnsupported, MediaTypeUnsupported
from schema.limits import BODY_BYTES_MAX
from tests.support import sample, wire
from tests.support.customers import Customer
from tests.support.service import Server
from tests.support.wire import Sender

Encode = Callable[[bytes], bytes]


def members(*sizes: int) -> Encode:
    """Return a function that writes parts of a body as gzip members, the last with the remainder."""

    def encode(body: bytes) -> bytes:
        parts, at = [], 0
        for size in (*sizes, len(body)):
            parts.append(gzip.compress(body[at : at + size], mtime=0))
            at += size
        return b"".join(parts)

    return encode


def bgzip(body: bytes) -> bytes:
    """Write as samtools does: members with an extra field, and an empty one at the end."""
    blocks = []
    for start in range(0, len(body) + 65_280, 65_280):
        raw = zlib.compressobj(6, zlib.DEFLATED, -15)
        data = raw.compress(body[start : start + 65_280]) + raw.flush()
        size = len(data) + 25
        head = b"\x1f\x8b\x08\x04\0\0\0\0\0\xff" + struct.pack("<H2sHH", 6, b"BC", 2, size)
        blocks.append(
            head
            + data
            + struct.pack("<II", zlib.crc32(body[start : start + 65_280]), len(body[start : start + 65_280]))
        )
    return b"".join(blocks)


def skippable(words: bytes, number: int = 0) -> bytes:
    return struct.pack("<II", 0x184D2A50 + number, len(words)) + words


def streamed(body: bytes) -> bytes:
    """Compress as a stream, without a known size."""
    frame = zstandard.ZstdCompressor(write_content_size=False, write_checksum=True).compressobj()
    return frame.compress(body) + frame.flush()


def _flushed(body: bytes) -> bytes:
    raw = zlib.compressobj(wbits=31)
    return b"".join([raw.compress(body[:50]), raw.flush(zlib.Z_SYNC_FLUSH), raw.compress(body[50:]), raw.flush()])


def _named(whole: bytes) -> bytes:
    return whole[:3] + bytes([8 | 16]) + whole[4:10] + b"batch.json\0a comment\0" + whole[10:]


GZIP: dict[str, Encode] = {
    "one member": gzip.compress,
    "two members": members(100),
    "cut inside a number": members(300, 1, 1, 1),
    "an empty member first": members(0, 50),
    "an empty member last": lambda body: gzip.compress(body) + gzip.compress(b""),
    "each byte a member": lambda body: b"".join(gzip.compress(body[at : at + 1]) for at in range(len(body))),
    "stored members": lambda body: gzip.compress(body[:9], 0) + gzip.compress(body[9:], 0),
    "bgzip": bgzip,
    "padded with zeros": lambda body: gzip.compress(body) + bytes(512),
    "members and padding": lambda body: members(7)(body) + bytes(7),
    "flushed again and again": _flushed,
    "a name and a comment": lambda body: _named(gzip.compress(body, mtime=0)),
}  # fmt: skip
ZSTD: dict[str, Encode] = {
    "one frame": zstandard.compress,
    "of unknown size": streamed,
    "two frames": lambda body: zstandard.compress(body[:99]) + zstandard.compress(body[99:]),
    "one of unknown size and one of known": lambda body: streamed(body[:99]) + zstandard.compress(body[99:]),
    "an empty frame first": lambda body: zstandard.compress(b"") + zstandard.compress(body),
    "a skippable frame first": lambda body: skippable(b"pzstd") + zstandard.compress(body),
    "a seek table last": lambda body: streamed(body) + skippable(bytes(17), 14),
    "skippable frames between": lambda body: (
        skippable(b"") + streamed(body[:9]) + skippable(b"x", 15) + streamed(body[9:])
    ),
    "each byte a frame": lambda body: b"".join(zstandard.compress(body[at : at + 1]) for at in range(len(body))),
}  # fmt: skip


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "X-GZip", " gzip ", "gzip,", ",gzip", "identity, gzip"])
@pytest.mark.parametrize("how", ["one member", "two members"])
def test_gzip_by_any_of_its_names_is_taken(sender: Sender, coding: str, how: str) -> None:
    answer = sender.post(GZIP[how](sample.body()), {"Content-Encoding": coding})
    assert answer.json == {"accepted": 1, "duplicates": 0}


@pytest.mark.parametrize("how", GZIP)
def test_gzip_however_it_was_made_is_taken(sender: Sender, how: str) -> None:
    answer = sender.post(GZIP[how](sample.body()), {"Content-Encoding": "gzip"})
    assert (answer.status, answer.json) == (200, {"accepted": 1, "duplicates": 0})


@pytest.mark.parametrize("how", ZSTD)
def test_zstd_however_it_was_made_is_taken(sender: Sender, how: str) -> None:
    answer = sender.post(ZSTD[how](sample.body()), {"Content-Encoding": "Zstd"})
    assert (answer.status, answer.json) == (200, {"accepted": 1, "duplicates": 0})


@pytest.mark.parametrize("coding", ["", "identity", "Identity", "identity, identity", " , "])
def test_no_coding_by_any_of_its_names_is_none(sender: Sender, coding: str) -> None:
    assert sender.post(sample.body(), {"Content-Encoding": coding}).status == 200


@pytest.mark.parametrize(
    "coding",
    ["gzip, gzip", "gzip, zstd", "x-gzip, gzip", "deflate", "br", "utf-8", "gzip;q=1", "x-zstd", "*", "gzip zstd"],
)
def test_other_codings_are_unsupported(sender: Sender, coding: str) -> None:
    answer = sender.post(gzip.compress(sample.body()), {"Content-Encoding": coding})
    assert (answer.status, answer.problem) == (415, "encoding-unsupported")


BROKEN: dict[str, tuple[str, Encode]] = {
    "a second member that is cut off": ("gzip", lambda body: gzip.compress(body) + gzip.compress(b"")[:-1]),
    "a second member with a wrong sum": ("gzip", lambda body: members()(body) + gzip.compress(b"x")[:-8] + bytes(8)),
    "words behind a member": ("gzip", lambda body: members(9)(body) + b"Marjolein"),
    "words behind the padding": ("gzip", lambda body: gzip.compress(body) + bytes(100) + b"Marjolein"),
    "padding before the first": ("gzip", lambda body: bytes(4) + gzip.compress(body)),
    "a member behind the padding": ("gzip", lambda body: gzip.compress(body[:9]) + bytes(4) + gzip.compress(body[9:])),
    "only padding": ("gzip", lambda body: bytes(len(body))),
    "too many members": ("gzip", lambda body: gzip.compress(b"") * codings.MEMBERS_MAX + gzip.compress(body)),
    "a second frame that is cut off": ("zstd", lambda body: zstandard.compress(body) + zstandard.compress(b"x")[:-1]),
    "a skippable frame that is cut off": ("zstd", lambda body: streamed(body) + skippable(b"Marjolein")[:-1]),
    "words behind a frame": ("zstd", lambda body: streamed(body) + b"Marjolein"),
    "zeros behind a frame": ("zstd", lambda body: streamed(body) + bytes(8)),
    "too many frames": ("zstd", lambda body: skippable(b"") * codings.MEMBERS_MAX + zstandard.compress(body)),
    "gzip behind zstd": ("zstd", lambda body: zstandard.compress(body[:9]) + gzip.compress(body[9:])),
    "a huge window in a second frame": ("zstd", lambda body: zstandard.compress(body[:9]) + _wide(body[9:])),
}  # fmt: skip


def _wide(body: bytes) -> bytes:
    parameters = zstandard.ZstdCompressionParameters(window_log=27)
    frame = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    return frame.compress(body) + frame.flush()


@pytest.mark.parametrize("what", BROKEN)
def test_what_is_no_whole_coding_is_refused(sender: Sender, what: str) -> None:
    coding, encode = BROKEN[what]
    answer = sender.post(encode(sample.body()), {"Content-Encoding": coding})
    assert (answer.status, answer.problem) == (400, "bad-encoding")
    assert b"Marjolein" not in answer.body


SPACES = b" " * (BODY_BYTES_MAX // 2)


@pytest.mark.parametrize(
    ("decode", "whole", "over"),
    [
        (codings.gunzip, gzip.compress(SPACES) * 2, gzip.compress(b" ")),
        (codings.unzstd, zstandard.compress(SPACES) * 2, zstandard.compress(b" ")),
        (codings.unzstd, streamed(SPACES) + streamed(SPACES), streamed(b" ")),
    ],
    ids=["gzip", "zstd", "streamed zstd"],
)
def test_the_members_together_keep_the_bound(decode: Encode, whole: bytes, over: bytes) -> None:
    assert len(decode(whole)) == BODY_BYTES_MAX
    with pytest.raises(BodyTooLarge):
        decode(whole + over)
    with pytest.raises(BodyTooLarge):
        decode(over + whole * 400)


@given(body=st.binary(max_size=400), cuts=st.lists(st.integers(0, 400), max_size=5), tail=st.integers(0, 9))
def test_members_are_what_python_reads(body: bytes, cuts: list[int], tail: int) -> None:
    edges = [0, *sorted(cuts), len(body) + 400]
    parts = [body[start:end] for start, end in pairwise(edges)]
    whole = b"".join(map(gzip.compress, parts)) + bytes(tail)
    assert codings.gunzip(whole) == gzip.decompress(whole) == body
    assert codings.unzstd(b"".join(zstandard.compress(part) for part in parts)) == body


@given(whole=st.binary(max_size=200), cut=st.integers(1, 60))
def test_any_bytes_and_any_cut_are_refused_or_read_whole(whole: bytes, cut: int) -> None:
    for decode, encode in ((codings.gunzip, gzip.compress), (codings.unzstd, streamed)):
        with pytest.raises((BadEncoding, BodyTooLarge)):
            decode(b"\xff" + whole)
        coded = encode(whole) + encode(whole[::-1])
        with pytest.raises(BadEncoding):
            decode(coded[: -min(cut, len(encode(whole[::-1])) - 1)])


JSON = [
    "application/json",
    "Application/JSON",
    "application/json;",
    "application/json ;",
    "application/json; ",
    "application/json;;",
    "application/json; charset=utf-8",
    "application/json;charset=UTF-8;",
    'application/json; charset="utf-8"',
    'application/json; charset="UTF-8" ; ',
    "application/json; charset='utf-8'",
    "application/json; charset = utf8",
    "application/json; Charset=US-ASCII",
    "application/json; charset=ascii",
    "application/json; charset=ISO-8859-1",
    'application/json; charset="iso-8859-15"',
    "application/json; charset=windows-1252",
    "application/json; charset=cp1252",
    "application/json; charset=latin1",
    "application/json; charset=GB18030",
    "application/json; odata.metadata=minimal",
    'application/json; profile="https://example.com/a;charset=utf-16,b"; charset=utf-8',
    "application/json; charset=utf-8; version=1",
    "application/json, application/json",
    "application/json; charset=utf-8, application/json",
]
OTHERS = [
    "",
    "text/json",
    "application/x-json",
    "application/cloudevents+json",
    "application/vnd.api+json; charset=utf-8",
    "application/json-seq",
    "application/json charset=utf-8",
    "application/json; charset",
    "application/json; charset=",
    'application/json; charset=""',
    'application/json; charset="utf-8',
    "application/json; charset=utf-16",
    "application/json; charset=UTF-16LE",
    "application/json; charset=utf-32",
    "application/json; charset=utf-7",
    "application/json; charset=iso-2022-jp",
    "application/json; charset=cp037",
    "application/json; charset=utf-8; charset=utf-16",
    "application/json, text/plain",
    "text/plain, application/json",
    "application/json; charset=utf-16, application/json",
    "application/json; =utf-8",
    "application/json\u00e9",
    "*/*",
    "application/*",
]


@pytest.mark.parametrize("media_type", JSON)
def test_json_however_it_is_labelled_is_taken(sender: Sender, media_type: str) -> None:
    assert sender.post(sample.body(), {"Content-Type": media_type}).status == 200


@pytest.mark.parametrize("media_type", OTHERS)
def test_other_media_types_are_unsupported(sender: Sender, media_type: str) -> None:
    answer = sender.post(sample.body(), {"Content-Type": media_type})
    assert (answer.status, answer.problem) == (415, "media-type-unsupported")


@pytest.mark.parametrize(("second", "status"), [("application/json", b"200"), ("text/plain", b"415")])
def test_a_content_type_that_comes_twice_says_json_twice(
    server: Server, tenants: dict[str, Customer], second: str, status: bytes
) -> None:
    body = sample.body()
    head = (
        f"POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {tenants['main'].token}\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nContent-Type: {second}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    assert wire.raw(server.bind, head.encode() + body)[9:12] == status


@given(st.text('applicationjson/;= \t"\\,charset', max_size=300))
def test_no_label_takes_long_to_read(label: str) -> None:
    for text in (label, "application/json" + label * 30, "application/json" + "; " * 8_000 + label):
        try:
            codings.media_type([text], ("application/json",))
        except MediaTypeUnsupported:
            continue
        assert text.lower().startswith("application/json")


@given(st.lists(st.text(max_size=20), max_size=4))
def test_any_encoding_header_is_one_coding_or_none(values: list[str]) -> None:
    try:
        found = codings.of(values)
    except EncodingUnsupported:
        return
    assert found in {None, "gzip", "zstd"}
