"""A canary is found in every encoding, wherever it is, and identifies its case."""

import base64
import codecs
import urllib.parse
from collections.abc import Callable
from uuid import UUID

import pytest

from ingest.prove.canaries import FIND_BYTES, FORMS, Canaries, full_width

_canaries = Canaries(b"of these tests")
_CANARY = [_canaries.make() for _ in range(1_000)][777]
_WRITINGS: dict[str, Callable[[str], bytes]] = {
    "plain": str.encode,
    "capitals": lambda text: text.upper().encode(),
    "reversed": lambda text: text[::-1].encode(),
    "rot13": lambda text: codecs.encode(text, "rot13").encode(),
    "hex": lambda text: text.encode().hex().encode(),
    "capital hex": lambda text: base64.b16encode(text.encode()),
    "uuid": lambda text: str(UUID(bytes=(text + "x").encode())).encode(),
    "base32": lambda text: base64.b32encode(text.encode()),
    "base32 after one": lambda text: base64.b32encode(b"a" + text.encode() + b"bcd"),
    "base32 after two": lambda text: base64.b32encode(b"ab" + text.encode() + b"cd"),
    "base32 after three": lambda text: base64.b32encode(b"abc" + text.encode() + b"d"),
    "base32 after four": lambda text: base64.b32encode(b"abcd" + text.encode()),
    "base64": lambda text: base64.b64encode(text.encode()),
    "base64 after one": lambda text: base64.b64encode(b"\xff" + text.encode() + b"\xff"),
    "base64 after two": lambda text: base64.b64encode(b"\xff\xff" + text.encode() + b"\xff"),
    "base64 in the middle": lambda text: base64.urlsafe_b64encode(
        b"some words before " + text.encode() + b" and after"
    ),
    "percent": lambda text: "".join(f"%{ord(letter):02X}" for letter in text).encode(),
    "entities": lambda text: "".join(f"&#{ord(letter)};" for letter in text).encode(),
    "hex entities": lambda text: "".join(f"&#x{ord(letter):X};" for letter in text).encode(),
    "escapes": lambda text: "".join(f"\\u{ord(letter):04X}" for letter in text).encode(),
    "UTF-16": lambda text: text.encode("utf-16-le"),
    "UTF-16, big end first": lambda text: text.encode("utf-16-be"),
    "UTF-32": lambda text: text.encode("utf-32"),
    "full width": lambda text: full_width(text).encode(),
    "spaced": lambda text: " ".join(text).encode(),
    "quoted": lambda text: urllib.parse.quote(text).encode(),
}


@pytest.mark.parametrize("writing", _WRITINGS)
@pytest.mark.parametrize("before", [0, 1, 2, 3, 100, 5_000])
def test_a_canary_is_found_in_every_writing_and_place(writing: str, before: int) -> None:
    data = b"\xff" * before + _WRITINGS[writing](_CANARY) + b"\xff" * 5_000
    assert [find.canary for find in _canaries.find(data)] == [_CANARY]


def test_every_form_is_found_as_it_writes() -> None:
    for form in FORMS:
        written = form.encode(_CANARY.encode())
        assert len(written) < FIND_BYTES
        assert form.name in {find.form for find in _canaries.find(b"{" + written + b"}")}


def test_nothing_is_found_where_nothing_is() -> None:
    others = Canaries(b"of another run")
    data = b" ".join(form.encode(others.make().encode()) for form in FORMS)
    assert list(_canaries.find(data)) == []


def test_a_marker_without_its_number_is_found_and_names_no_case() -> None:
    assert [find.canary for find in _canaries.find(_canaries.marker.encode())] == [""]
