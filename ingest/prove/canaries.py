"""Canaries: random words made for one run, one per case, and a search that finds them in many encodings."""

import base64
import codecs
import hashlib
import string
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

MARKER_LETTERS = 10  # 47 random bits: no chance match in a terabyte.
NUMBER_LETTERS = 4
NUMBERS_MAX = 26**NUMBER_LETTERS
END = "z"  # In some encodings the last letter depends on what follows, so it carries no information.
FIND_BYTES = 512  # Longer than any form of a canary; a reader of pieces overlaps them by this much.
_LETTERS = string.ascii_lowercase


class Find(NamedTuple):
    """A canary found where none may be; the canary is empty if too little of it is left to identify the case."""

    form: str
    canary: str


class Form(NamedTuple):
    """A way to write a canary. `encode` returns the bytes that do not depend on the text around it."""

    name: str
    encode: Callable[[bytes], bytes]
    is_cased: bool = False  # Case matters, as in base64.


def _base64(text: bytes, *, shift: int) -> bytes:
    """Encode a text at one of its three alignments, without outer characters that depend on its neighbours."""
    whole = base64.b64encode(bytes(shift) + text + b"\0\0")
    return whole[-(-shift * 8 // 6) : (shift + len(text)) * 8 // 6]


def _base32(text: bytes, *, shift: int) -> bytes:
    """Encode a text at one of its five alignments."""
    whole = base64.b32encode(bytes(shift) + text + b"\0\0\0\0")
    return whole[-(-shift * 8 // 5) : (shift + len(text)) * 8 // 5]


def _each(text: bytes, *, letter: str, between: str = "") -> bytes:
    return between.join(letter.format(code) for code in text).encode()


def _uuid(text: bytes) -> bytes:
    digits = text.hex()
    parts = (digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])
    return "-".join(part for part in parts if part).encode()


def rot13(text: bytes) -> bytes:
    return codecs.encode(text.decode("ascii"), "rot13").encode()


def full_width(text: str) -> str:
    """Map printable ASCII to U+FF01 to U+FF5E."""
    return "".join(chr(ord(letter) + 0xFEE0) if "!" <= letter <= "~" else letter for letter in text)


FORMS = (
    Form("plain", bytes),
    Form("reversed", lambda text: text[::-1]),
    Form("rot13", rot13),
    Form("hex", lambda text: text.hex().encode()),
    Form("uuid", _uuid),
    *(Form(f"base64+{shift}", partial(_base64, shift=shift), is_cased=True) for shift in range(3)),
    *(Form(f"base32+{shift}", partial(_base32, shift=shift)) for shift in range(5)),
    Form("percent", partial(_each, letter="%{:02x}")),
    Form("quoted-printable", partial(_each, letter="={:02x}")),
    Form("entity", partial(_each, letter="&#{};")),
    Form("hex-entity", partial(_each, letter="&#x{:02x};")),
    Form("u-escape", partial(_each, letter="\\u{:04x}")),
    Form("x-escape", partial(_each, letter="\\x{:02x}")),
    Form("octal-escape", partial(_each, letter="\\{:03o}")),
    # In a JSON string the backslash is doubled.
    Form("u-escape in JSON", partial(_each, letter="\\\\u{:04x}")),
    Form("x-escape in JSON", partial(_each, letter="\\\\x{:02x}")),
    Form("octal-escape in JSON", partial(_each, letter="\\\\{:03o}")),
    Form("codes", partial(_each, letter="{}", between=",")),
    Form("spaced", lambda text: " ".join(text.decode()).encode()),
    Form("dashed", lambda text: "-".join(text.decode()).encode()),
    Form("dotted", lambda text: ".".join(text.decode()).encode()),
    Form("utf-16", lambda text: text.decode().encode("utf-16-le")[:-1]),
    Form("utf-32", lambda text: text.decode().encode("utf-32-le")[:-3]),
    Form("full-width", lambda text: full_width(text.decode()).encode()),
)


class Canaries:
    """All canaries of a run: each has the run's marker and its own number, in lower-case letters."""

    def __init__(self, secret: bytes) -> None:
        digest = int.from_bytes(hashlib.sha256(b"canaries of " + secret).digest(), "big")
        self.marker = _letters(digest, MARKER_LETTERS)
        self._made = 0
        needles = [(form, form.encode(self.marker.encode())) for form in FORMS]
        self._cased = [(form, needle) for form, needle in needles if form.is_cased]
        self._folded = [(form, needle.lower()) for form, needle in needles if not form.is_cased]

    def make(self) -> str:
        """Return the next canary."""
        assert self._made < NUMBERS_MAX
        self._made += 1
        return self._canary(self._made - 1)

    def find(self, data: bytes) -> Iterator[Find]:
        """Yield the first canary in every form."""
        folded = data.lower()
        for form, needle in self._folded:
            if (at := folded.find(needle)) >= 0:
                yield self._named(form, folded[max(0, at - FIND_BYTES) : at + FIND_BYTES])
        for form, needle in self._cased:
            if (at := data.find(needle)) >= 0:
                yield self._named(form, data[max(0, at - FIND_BYTES) : at + FIND_BYTES])

    def _canary(self, number: int) -> str:
        return self.marker + _letters(number, NUMBER_LETTERS) + END

    def _named(self, form: Form, around: bytes) -> Find:
        """Read the number letter by letter; a form may leave several candidates until the next letter."""
        read = [self.marker]
        for letters in (*[_LETTERS] * NUMBER_LETTERS, END):
            longer = [start + letter for start in read for letter in letters]
            read = [canary for canary in longer if _folded(form, form.encode(canary.encode())) in around]
        return Find(form.name, read[0] if read else "")


def _folded(form: Form, written: bytes) -> bytes:
    return written if form.is_cased else written.lower()


def _letters(number: int, count: int) -> str:
    letters = []
    for _ in range(count):
        number, rest = divmod(number, len(_LETTERS))
        letters.append(_LETTERS[rest])
    return "".join(reversed(letters))
