"""Takes the beginning of a text that stands as a JSON string in a body, without reading the rest of it."""

import json

_QUOTE = ord('"')
_ESCAPE_BYTES_MAX = 6  # Of `\u00e9`.


def beginning(raw: memoryview, bytes_max: int) -> bytes:
    """Return at most so many bytes of a string's text as UTF-8; nothing if it is not a string."""
    if not raw or raw[0] != _QUOTE:
        return b""
    inner = raw[1 : min(len(raw) - 1, 1 + bytes_max)].tobytes()
    if inner.isascii() and b"\\" not in inner:  # It stands for itself.
        return inner
    if len(inner) < len(raw) - 2:
        inner = inner[: _whole(inner)]
    # json accepts half a pair of surrogates, which the cut may have made; the half is dropped with other wrong bytes.
    text: str = json.loads(f'"{inner.decode("utf-8", "ignore")}"')
    return text.encode("utf-8", "ignore")


def _whole(inner: bytes) -> int:
    """Return the length without an escape that the cut went through."""
    last = inner.rfind(b"\\", -_ESCAPE_BYTES_MAX)
    run = last + 1 - len(inner[: last + 1].rstrip(b"\\"))
    if run % 2 == 0:  # None, or pairs, each of which stands for a backslash.
        return len(inner)
    needed = _ESCAPE_BYTES_MAX if inner[last + 1 : last + 2] == b"u" else 2
    return len(inner) if len(inner) - last >= needed else last
