"""Finds the top-level "model" of a request in its bytes, so that it can be replaced and no other byte changes.

msgspec decodes in C, but does not say at which offset. So candidates are found by a pattern; if there are several, a
marker is inserted before each and msgspec says which markers are at the top. Nothing is scanned in Python.
"""

import re
import secrets
from collections.abc import Sequence
from itertools import islice

import msgspec

from ingest.gateway.reading.errors import Malformed

CANDIDATES_MAX = 4_096
Span = tuple[int, int]

# A quote within a string follows a backslash, so that these match keys alone. One that ends in `\"model"` is matched
# too: a marker before that quote becomes a part of the key, so it is not at the top.
_KEY = re.compile(rb'"model"[ \t\r\n]*:[ \t\r\n]*')
_ESCAPED_KEY = re.compile(
    rb'"(?:m|\\u006[dD])(?:o|\\u006[fF])(?:d|\\u0064)(?:e|\\u0065)(?:l|\\u006[cC])"[ \t\r\n]*:[ \t\r\n]*'
)
_ESCAPE = rb"\u006"  # Of every letter of "model".
# Possessive: a pattern that could go back would keep 60 bytes for each escape, 1.7 GB of a name of 30 MB.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)

_MARKER = secrets.token_hex(16)  # No client can guess it, and it is sent to nobody.


class _Marked(msgspec.Struct, rename={"at": _MARKER}):
    at: int = -1


_marked = msgspec.json.Decoder(_Marked)


class TooManyCandidates(Exception):
    """There are more keys named "model" than are compared."""


def find(body: bytes) -> Span:
    """Return the offsets of the name with its quotes, in a JSON object with a string as "model".

    Raises Malformed if the object has two, and TooManyCandidates.
    """
    pattern = _ESCAPED_KEY if _ESCAPE in body else _KEY
    keys = [match.span() for match in islice(pattern.finditer(body), CANDIDATES_MAX + 1)]
    if len(keys) > CANDIDATES_MAX:
        raise TooManyCandidates
    last = len(keys) - 1 if len(keys) == 1 else _last_at_top(body, keys)
    if _last_at_top(body, keys[:last]) >= 0:
        raise Malformed("two-models")
    found = _STRING.match(body, keys[last][1])
    assert found is not None  # The object was decoded.
    return found.span()


def replaced(body: bytes, span: Span, model: str) -> tuple[memoryview, bytes, memoryview]:
    """Return the body with another model, in parts; they share the memory of the body."""
    view = memoryview(body)
    return view[: span[0]], msgspec.json.encode(model), view[span[1] :]


def _last_at_top(body: bytes, keys: Sequence[Span]) -> int:
    """Return the index of the last of these keys that is at the top of the object, or -1."""
    if not keys:
        return -1
    view, done = memoryview(body), 0
    parts: list[bytes | memoryview] = []
    for index, (start, _) in enumerate(keys):
        parts += [view[done:start], b'"%b":%d,' % (_MARKER.encode(), index)]
        done = start
    return _marked.decode(b"".join([*parts, view[done:]])).at
