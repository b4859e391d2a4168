"""Refused bodies that are as costly to explain as their size allows, each odd in one way."""

import json
from collections.abc import Iterator, Mapping
from functools import cache

from schema.limits import BODY_BYTES_MAX, EVENTS_MAX
from tests.support import sample

EVENT = json.dumps(sample.event(), separators=(",", ":")).encode("ascii")
TAGS = b'{"team":"search"}'
_MANY = 350_000


def whole() -> bytes:
    """Return the largest good batch."""
    return batch([EVENT] * EVENTS_MAX)


def batch(events: list[bytes], more: bytes = b"") -> bytes:
    return b'{"events":[' + b",".join(events) + b"]" + more + b"}"


@cache  # Of 350,000, thrice; each process of a run of the tests makes these bodies.
def names(count: int, value: str = "1") -> bytes:
    return ",".join(f'"{place:x}":{value}' for place in range(count)).encode("ascii")


def changed(old: bytes, new: bytes) -> bytes:
    assert old in EVENT
    return EVENT.replace(old, new)


def _many() -> Iterator[tuple[str, bytes]]:
    wide, wrong = EVENT[:-1] + b"," + names(999) + b"}", changed(b":840", b":-1")
    yield "100 events of 999 unknown names", batch([wide] * 100)
    yield "as many such events as there is room for", batch([wide] * (BODY_BYTES_MAX // (len(wide) + 1) - 1))
    yield "5,000 events that are each wrong", batch([wrong] * EVENTS_MAX)
    yield "a wrong one in each hundred", batch(([EVENT] * 99 + [wrong]) * (EVENTS_MAX // 100))
    yield "5,000 unknown models", batch([changed(b"claude-opus-4-5", b"zzz")] * EVENTS_MAX)
    yield "an unknown name in each event", batch([EVENT[:-1] + b',"a":1}'] * EVENTS_MAX)
    yield "a field twice in each event", batch([EVENT[:-1] + b',"status":"ok"}'] * EVENTS_MAX)
    yield "one event of many names", batch([EVENT[:-1] + b"," + names(_MANY) + b"}"])
    yield "one event of a field again and again", batch([b'{"status":"ok"' + b',"status":"ok"' * 290_000 + b"}"])
    yield "many names at the top", batch([EVENT], b"," + names(_MANY))
    yield "events again and again", b'{"events":[]' + b',"events":[]' * 340_000 + b"}"
    yield "a stream of many names", batch([EVENT], b',"stream":{' + names(_MANY) + b"}")
    yield "a stream of one name", batch([EVENT], b',"stream":{"sequence":1' + b',"sequence":1' * 290_000 + b"}")
    yield "one reason again and again", batch([EVENT], b',"dropped":{"shutdown":1' + b',"shutdown":1' * 310_000 + b"}")
    yield "one tag set of many names", batch([changed(TAGS, b"{" + names(300_000, '"a"') + b"}")])
    yield "one tag again and again", batch([changed(TAGS, b'{"team":"search"' + b',"team":"search"' * 250_000 + b"}")])
    yield "100 tag sets of 1,000 names", batch([changed(TAGS, b"{" + names(1_000, '"a"') + b"}")] * 100)


def _others() -> Iterator[tuple[str, bytes]]:
    wrong = changed(b":840", b":-1")
    yield "numbers for events", batch([b"1"] * 2_000_000)
    yield "numbers for events, fewer", batch([b"1"] * 130_000)
    yield "empty arrays for events", batch([b"[]"] * 1_300_000)
    yield "an event of many commas", batch([EVENT[:-1] + b',"a":[' + b"1," * 130_000 + b"1]}"])
    yield "spaces", batch([b" " * (BODY_BYTES_MAX - 2_000) + wrong])
    yield "lines", batch([b"\n" * (BODY_BYTES_MAX - 2_000) + EVENT, b"1"])
    yield "one long string", batch([EVENT], b',"a":"' + b"a" * 4_000_000 + b'"')
    yield "one long string of colons", batch([EVENT], b',"a":"' + b":" * 4_000_000 + b'"')
    yield "one long string of escapes", batch([EVENT], b',"a":"' + b"\\u0041" * 690_000 + b'"')
    yield "one long string beyond ASCII", batch([EVENT], b',"a":"' + "é".encode() * 2_000_000 + b'"')
    yield "one long string of DEL", batch([EVENT], b',"a":"' + b"\x7f" * 4_000_000 + b'"')
    yield "one long model", batch([changed(b"claude-opus-4-5", b"sk-" * 1_300_000)])
    yield "one long number", batch([changed(b":840", b":" + b"9" * 4_000_000)])
    yield "one long fraction", batch([changed(b":840", b":0." + b"9" * 4_000_000)])
    yield "one long power", batch([changed(b":840", b":1" + b"0" * 4_000_000 + b"e-3")])
    yield "empty strings", batch([EVENT], b',"a":[""' + b',""' * 1_300_000 + b"]")
    yield "deep arrays", batch([EVENT], b',"a":' + b"[" * 2_000_000 + b"]" * 2_000_000)
    yield "deep objects", batch([EVENT], b',"a":' + b'{"a":' * 600_000 + b"1" + b"}" * 600_000)
    yield "as deep as is read", batch([EVENT], b',"a":' + b"[" * 500 + b"1" + b"]" * 500)
    yield "cut off", whole()[:-2]
    yield "not an object", b"[" + b"1," * 2_000_000 + b"1]"
    yield "900 names that are nearly keys", batch([EVENT[:-1] + b"," + names(900, f'"{"ey" * 10}"') + b"}"])


SHAPES: Mapping[str, bytes] = dict((*_many(), *_others()))
