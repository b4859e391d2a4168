"""Examines one refused value: the rule it breaks, the word to send instead, and its needless escapes."""

import re
from collections.abc import Generator
from typing import Protocol

import msgspec

from ingest.intake.synonyms import is_nothing, word_for
from schema.event import Word
from schema.limits import VALUE_BYTES_MAX

_INTEGER = re.compile(rb"-?[0-9]+\Z")
_INTEGER_BYTES_MAX = 20
# Some encoders escape needlessly: PHP and others escape slashes; .NET, Go and Gson whatever HTML could misread.
_NEEDLESS = {b"\\/": b"/"} | {
    escape: character.encode()
    for character in "&'+/<=>`"
    for escape in (f"\\u{ord(character):04x}".encode(), f"\\u{ord(character):04X}".encode())
}


class Decoder(Protocol):
    def decode(self, buf: bytes, /) -> object: ...


def plain(body: bytes) -> Generator[None, None, bytes]:
    """Undo needless escapes, so that a known term that contains one is not reported as unknown."""
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
    """Return a JSON string's contents as written, cut to the length that the rules read; None if it is not a string."""
    if raw[:1] != b'"':
        return None
    return raw[1 : min(len(raw) - 1, 1 + VALUE_BYTES_MAX)].decode("utf-8", "replace")


def shape(decoder: Decoder, raw: bytes) -> str:
    """Return the rule that a value breaks; trying an example of each type shows which types its field takes."""
    if raw[:1] == b'"':
        takes_words = passes(decoder, b'"ok"') or passes(decoder, b'"end_turn"')
        return "shape.unknown-value" if takes_words else "shape.wrong-type"
    takes_integers = passes(decoder, b"0") or passes(decoder, b"200")
    is_integer = _INTEGER.match(raw[:VALUE_BYTES_MAX])
    return "shape.out-of-range" if takes_integers and is_integer else "shape.wrong-type"


def word(decoder: Decoder, name: str, raw: bytes) -> Word | None:
    """Return the contract's word for a value that its field cannot take, if the meaning is clear."""
    value = text(raw)
    # Some senders write -1 for no time or cost, and 0 for no HTTP status.
    is_none = _INTEGER.match(raw[:_INTEGER_BYTES_MAX]) is not None and int(raw[:_INTEGER_BYTES_MAX]) <= 0
    if (is_none or (value is not None and is_nothing(value))) and passes(decoder, b"null"):
        return "null"
    if raw == b"null" and passes(decoder, b'"unknown"'):
        return "unknown"
    return word_for(name, value) if value is not None else None
