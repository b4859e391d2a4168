"""The whole body wrapped, encoded or compressed, and the metadata of its containers."""

import base64
import gzip
import io
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from itertools import islice

import zstandard

from ingest.prove.case import Case, Headers, Request, ignored
from ingest.prove.cases import apis, dress, duplicates, keys, places, types
from ingest.prove.kit import Kit, text
from ingest.prove.words import SENTENCES

Encode = Callable[[bytes], bytes]
_GZIP: Headers = ((b"Content-Encoding", b"gzip"),)
_ZSTD: Headers = ((b"Content-Encoding", b"zstd"),)
_FORM: Headers = ((b"Content-Type", b"application/x-www-form-urlencoded"),)
_MULTIPART: Headers = ((b"Content-Type", b"multipart/form-data; boundary=x"),)
_PART = b'--x\r\nContent-Disposition: form-data; name="events"; filename="a.json"\r\n\r\n%s\r\n--x--\r\n'
_EVERY = 40  # One body in 40 of a family is sent compressed.
_COMPRESSED = (
    places.unknown_places, types.wrong_types, duplicates.duplicate_names, keys.keys_everywhere, apis.api_shapes,
    dress.dressed_identifiers,
)  # fmt: skip


def _gzip(body: bytes) -> bytes:
    return gzip.compress(body, mtime=0)  # A fixed time, so that a seed repeats a run.


_BODIES: Mapping[str, tuple[Encode, Headers]] = {
    "a form": (lambda body: b"events=" + body, _FORM),
    "a multipart form": (lambda body: _PART % body, _MULTIPART),
    "a form said to be JSON": (lambda body: b"events=" + body, ()),
    "a multipart form said to be JSON": (lambda body: _PART % body, ()),
    "text": (bytes, ((b"Content-Type", b"text/plain"),)),
    "protobuf": (lambda body: b"\x0a" + b"\x7f" + body, ((b"Content-Type", b"application/x-protobuf"),)),
    "a byte order mark": (lambda body: b"\xef\xbb\xbf" + body, ()),
    "UTF-16": (lambda body: body.decode().encode("utf-16"), ()),
    "UTF-16, little end first": (lambda body: body.decode().encode("utf-16-le"), ()),
    "UTF-16, big end first": (lambda body: body.decode().encode("utf-16-be"), ()),
    "UTF-32": (lambda body: body.decode().encode("utf-32"), ()),
    "UTF-16 by its charset": (
        lambda body: body.decode().encode("utf-16"), ((b"Content-Type", b"application/json; charset=utf-16"),)
    ),
    "Latin-1": (lambda body: body[:-2] + b'\xe9"}', ()),
    "cut UTF-8": (lambda body: body[:-2] + b"\xe2\x82" + body[-2:], ()),
    "overlong UTF-8": (lambda body: body.replace(b'"', b"\xc0\xa2", 2), ()),
    "a lone surrogate": (lambda body: body[:-2] + b"\xed\xa0\x80" + body[-2:], ()),
    "an escaped surrogate": (lambda body: body[:-2] + b',"\\ud800":1' + body[-2:], ()),
    "a NUL at the end": (lambda body: body + b"\0", ()),
    "base64": (base64.b64encode, ()),
    "hex": (lambda body: body.hex().encode(), ()),
    "a JSON string": (lambda body: text(body.decode()), ()),
    "a JSON list": (lambda body: b"[" + body + b"]", ()),
    "two documents": (lambda body: body + body, ()),
    "lines": (lambda body: body + b"\n" + body + b"\n", ((b"Content-Type", b"application/x-ndjson"),)),
    "lines said to be JSON": (lambda body: body + b"\n" + body + b"\n", ()),
    "an event stream": (lambda body: b"data: " + body + b"\n\n", ((b"Content-Type", b"text/event-stream"),)),
    "a sequence": (lambda body: b"\x1e" + body + b"\n", ()),
    "a guarded document": (lambda body: b")]}',\n" + body, ()),
    "a callback": (lambda body: b"f(" + body + b")", ()),
    "JSON and a comment": (lambda body: body + b"/* note */", ()),
    "single quotes": (lambda body: body.replace(b'"', b"'"), ()),
    "a trailing comma": (lambda body: body[:-1] + b",}", ()),
    "half": (lambda body: body[: len(body) * 2 // 3], ()),
    "XML": (lambda body: b"<events>" + body + b"</events>", ((b"Content-Type", b"application/xml"),)),
    "gzip without its header": (_gzip, ()),
    "gzip cut": (lambda body: _gzip(body)[:-9], _GZIP),
    "gzip said to be zstd": (_gzip, _ZSTD),
    "zstd said to be gzip": (zstandard.compress, _GZIP),
    "gzip twice": (lambda body: _gzip(_gzip(body)), _GZIP),
    "gzip and gzip": (lambda body: _gzip(_gzip(body)), ((b"Content-Encoding", b"gzip, gzip"),)),
    "deflate": (zlib.compress, ((b"Content-Encoding", b"deflate"),)),
    "JSON said to be gzip": (bytes, _GZIP),
    "JSON said to be brotli": (bytes, ((b"Content-Encoding", b"br"),)),
}  # fmt: skip


def wrapped_bodies(kit: Kit) -> Iterator[Case]:
    for how, (encode, headers) in _BODIES.items():
        for number, sentence in enumerate(SENTENCES):
            canary = kit.canary()
            body = encode(kit.batch([{"note": sentence.format(canary), **kit.event()}]))
            yield Case(f"{how}, text {number}", canary, Request(body, headers))


def compressed_bodies(kit: Kit) -> Iterator[Case]:
    """Yield a sample of other families' bodies, as gzip and as zstd."""
    codings: tuple[tuple[str, Encode, Headers], ...] = ("gzip", _gzip, _GZIP), ("zstd", zstandard.compress, _ZSTD)
    for place, family in enumerate(_COMPRESSED):
        for name, encode, headers in codings:
            for case in islice(family(kit), place, None, _EVERY):
                yield case._replace(name=f"{case.name}, {name}", request=Request(encode(case.request.body), headers))


def container_metadata(kit: Kit) -> Iterator[Case]:
    """Yield a good batch in a container that holds other data as well."""
    for what, (hold, headers) in _CONTAINERS.items():
        for number, sentence in enumerate(SENTENCES):
            canary = kit.canary()
            body = hold(kit.body(), sentence.format(canary).encode())
            yield ignored(f"{what}, text {number}", canary, Request(body, headers))


def _gzip_with(flag: int, field: bytes, body: bytes) -> bytes:
    """Return gzip with extra header fields (RFC 1952, section 2.3), as the flags declare."""
    whole = _gzip(body)
    return whole[:3] + bytes([flag]) + whole[4:10] + field + whole[10:]


def _skippable(words: bytes) -> bytes:
    """Return a skippable frame (RFC 8878, section 3.1.2)."""
    return struct.pack("<II", 0x184D2A50, len(words)) + words


def _named(body: bytes, words: bytes) -> bytes:
    whole = io.BytesIO()
    with gzip.GzipFile(filename=words.decode().replace("/", "-"), mode="wb", fileobj=whole, mtime=0) as file:
        file.write(body)
    return whole.getvalue()


_CONTAINERS: Mapping[str, tuple[Callable[[bytes, bytes], bytes], Headers]] = {
    "gzip's file name": (_named, _GZIP),
    "gzip's comment": (lambda body, words: _gzip_with(16, words + b"\0", body), _GZIP),
    "gzip's extra field": (
        lambda body, words: _gzip_with(4, struct.pack("<H2sH", len(words) + 4, b"no", len(words)) + words, body), _GZIP
    ),
    "after gzip": (lambda body, words: _gzip(body) + words, _GZIP),
    "a second gzip member": (lambda body, words: _gzip(body) + _gzip(words), _GZIP),
    "an empty gzip member's name": (lambda body, words: _gzip(body) + _named(b"", words), _GZIP),
    "a skippable frame before": (lambda body, words: _skippable(words) + zstandard.compress(body), _ZSTD),
    "a skippable frame after": (lambda body, words: zstandard.compress(body) + _skippable(words), _ZSTD),
    "a second zstd frame": (lambda body, words: zstandard.compress(body) + zstandard.compress(words), _ZSTD),
    "after zstd": (lambda body, words: zstandard.compress(body) + words, _ZSTD),
}  # fmt: skip
