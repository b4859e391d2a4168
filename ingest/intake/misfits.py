"""A refused value, looked at by itself: the rule it breaks, the word to send instead, what its escapes stand for."""

import re
from collections.abc import Generator
from typing import Protocol

import msgspec

from ingest.intake.synonyms import is_nothing, word_for
from schema.event import Word
from schema.limits import VALUE_BYTES_MAX

_INTEGER = re.compile(rb"-?[0-9]+\Z")
_INTEGER_BYTES_MAX = 20
# What some encoders escape for no need: PHP and others slashes, .NET, Go and Gson what HTML could misread.
_NEEDLESS = {b"\\/": b"/"} | {
    escape: character.encode()
    for character in "&'+/<=>`"
    for escape in (f"\\u{ord(character):04x}".encode(), f"\\u{ord(character):04X}".encode())
}


class Decoder(Protocol):
    def decode(self, buf: bytes, /) -> object: ...


def plain(body: bytes) -> Generator[None, None, bytes]:
    """Undo needless escapes: what they stand in is then explained as what it says, and no term is called unknown."""
    if b"\\" in body and b"\\\\" not in body:
        for escape, character in _NEEDLESS.items():
            body = body.replace(escape, character)
            yield
    return body


def passes(decoder: Decoder, raw: bytes) -> bool:
    try:
        decoder.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return True


def text(raw: bytes) -> str | None:
    """Give a JSON string's contents as written, cut to what the rules read; None if it is no string."""
    if raw[:1] != b'"':
        return None
    return raw[1 : min(len(raw) - 1, 1 + VALUE_BYTES_MAX)].decode("utf-8", "replace")


def shape(decoder: Decoder, raw: bytes) -> str:
    """Give the rule that a value breaks which its field cannot take: that is found by offering it one of each."""
    if raw[:1] == b'"':
        takes_words = passes(decoder, b'"ok"') or passes(decoder, b'"end_turn"')
        return "shape.unknown-value" if takes_words else "shape.wrong-type"
    takes_integers = passes(decoder, b"0") or passes(decoder, b"200")
    is_integer = _INTEGER.match(raw[:VALUE_BYTES_MAX])
    return "shape.out-of-range" if takes_integers and is_integer else "shape.wrong-type"


def word(decoder: Decoder, name: str, raw: bytes) -> Word | None:
    """Give the contract's word for a value that its field cannot take, where it is clear what was meant."""
    value = text(raw)
    # -1 for a time or a cost and 0 for an HTTP status stand for none.
    is_none = _INTEGER.match(raw[:_INTEGER_BYTES_MAX]) is not None and int(raw[:_INTEGER_BYTES_MAX]) <= 0
    if (is_none or (value is not None and is_nothing(value))) and passes(decoder, b"null"):
        return "null"
    if raw == b"null" and passes(decoder, b'"unknown"'):
        return "unknown"
    return word_for(name, value) if value is not None else None
