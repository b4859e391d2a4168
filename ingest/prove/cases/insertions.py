"""Text inserted between any two tokens of a good body."""

import re
from collections.abc import Callable, Iterator

from ingest.prove.case import Case, refused
from ingest.prove.kit import Kit

_TOKEN = re.compile(rb'"[^"]*"|[{}\[\]:,]|[^"{}\[\]:,]+')
_PIECES = {
    "bare": "@",
    "a string": '"@"',
    "a string and a comma": '"@",',
    "a comma and a string": ',"@"',
    "a comment": "/*@*/",
    "a line comment": "//@\n",
    "a hash comment": "#@\n",
    "a member": '"@":"@",',
    "a later member": ',"@":"@"',
    "markup": "<!--@-->",
}


def insertions(kit: Kit) -> Iterator[Case]:
    yield from between_tokens(kit, kit.body)


def between_tokens(kit: Kit, make: Callable[[], bytes]) -> Iterator[Case]:
    """Yield each piece between any two tokens of a body, which is made anew for each, with tokens of one length."""
    ends = [0, *(token.end() for token in _TOKEN.finditer(make()))]
    for place, end in enumerate(ends):
        for what, piece in _PIECES.items():
            canary = kit.canary()
            body = make()
            yield refused(
                f"{what} after token {place}", canary, body[:end] + piece.replace("@", canary).encode() + body[end:]
            )
