"""Refused bodies that are as costly to explain as their size allows, each odd in one way."""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import count

from schema.event import NAMES as FIELDS
from schema.event import STRINGS
from schema.limits import BODY_BYTES_MAX, EVENTS_MAX, LISTED_MAX
from tests.support import columns, sample

EVENT = json.dumps(sample.event(), separators=(",", ":")).encode("ascii")
TAGS = b'{"team":"search"}'
_MANY = 350_000
Make = Callable[[], bytes]


def whole() -> bytes:
    """Return the largest good batch."""
    return batch([EVENT] * EVENTS_MAX)


def batch(events: list[bytes], more: bytes = b"") -> bytes:
    return b'{"events":[' + b",".join(events) + b"]" + more + b"}"


@cache  # Of 350,000, thrice.
def names(count: int, value: str = "1") -> bytes:
    return ",".join(f'"{place:x}":{value}' for place in range(count)).encode("ascii")


def changed(old: bytes, new: bytes) -> bytes:
    assert old in EVENT
    return EVENT.replace(old, new)


def _many() -> Mapping[str, Make]:
    wide, wrong = EVENT[:-1] + b"," + names(999) + b"}", changed(b":840", b":-1")
    return {
        "100 events of 999 unknown names": lambda: batch([wide] * 100),
        "as many such events as there is room for": lambda: batch([wide] * (BODY_BYTES_MAX // (len(wide) + 1) - 1)),
        "5,000 events that are each wrong": lambda: batch([wrong] * EVENTS_MAX),
        "a wrong one in each hundred": lambda: batch(([EVENT] * 99 + [wrong]) * (EVENTS_MAX // 100)),
        "5,000 unknown models": lambda: batch([changed(b"claude-opus-4-5", b"zzz")] * EVENTS_MAX),
        "an unknown name in each event": lambda: batch([EVENT[:-1] + b',"a":1}'] * EVENTS_MAX),
        "a field twice in each event": lambda: batch([EVENT[:-1] + b',"status":"ok"}'] * EVENTS_MAX),
        "one event of many names": lambda: batch([EVENT[:-1] + b"," + names(_MANY) + b"}"]),
        "one event of a field again and again": lambda: batch([b'{"status":"ok"' + b',"status":"ok"' * 290_000 + b"}"]),
        "many names at the top": lambda: batch([EVENT], b"," + names(_MANY)),
        "events again and again": lambda: b'{"events":[]' + b',"events":[]' * 340_000 + b"}",
        "a stream of many names": lambda: batch([EVENT], b',"stream":{' + names(_MANY) + b"}"),
        "a stream of one name": lambda: batch([EVENT], b',"stream":{"sequence":1' + b',"sequence":1' * 290_000 + b"}"),
        "one reason again and again": lambda: batch(
            [EVENT], b',"dropped":{"shutdown":1' + b',"shutdown":1' * 310_000 + b"}"
        ),
        "one tag set of many names": lambda: batch([changed(TAGS, b"{" + names(300_000, '"a"') + b"}")]),
        "one tag again and again": lambda: batch(
            [changed(TAGS, b'{"team":"search"' + b',"team":"search"' * 250_000 + b"}")]
        ),
        "100 tag sets of 1,000 names": lambda: batch([changed(TAGS, b"{" + names(1_000, '"a"') + b"}")] * 100),
    }


def _others() -> Mapping[str, Make]:
    wrong = changed(b":840", b":-1")
    return {
        "numbers for events": lambda: batch([b"1"] * 2_000_000),
        "numbers for events, fewer": lambda: batch([b"1"] * 130_000),
        "empty arrays for events": lambda: batch([b"[]"] * 1_300_000),
        "an event of many commas": lambda: batch([EVENT[:-1] + b',"a":[' + b"1," * 130_000 + b"1]}"]),
        "spaces": lambda: batch([b" " * (BODY_BYTES_MAX - 2_000) + wrong]),
        "lines": lambda: batch([b"\n" * (BODY_BYTES_MAX - 2_000) + EVENT, b"1"]),
        "one long string": lambda: batch([EVENT], b',"a":"' + b"a" * 4_000_000 + b'"'),
        "one long string of colons": lambda: batch([EVENT], b',"a":"' + b":" * 4_000_000 + b'"'),
        "one long string of escapes": lambda: batch([EVENT], b',"a":"' + b"\\u0041" * 690_000 + b'"'),
        "one long string beyond ASCII": lambda: batch([EVENT], b',"a":"' + "é".encode() * 2_000_000 + b'"'),
        "one long string of DEL": lambda: batch([EVENT], b',"a":"' + b"\x7f" * 4_000_000 + b'"'),
        "one long model": lambda: batch([changed(b"claude-opus-4-5", b"sk-" * 1_300_000)]),
        "one long number": lambda: batch([changed(b":840", b":" + b"9" * 4_000_000)]),
        "one long fraction": lambda: batch([changed(b":840", b":0." + b"9" * 4_000_000)]),
        "one long power": lambda: batch([changed(b":840", b":1" + b"0" * 4_000_000 + b"e-3")]),
        "empty strings": lambda: batch([EVENT], b',"a":[""' + b',""' * 1_300_000 + b"]"),
        "deep arrays": lambda: batch([EVENT], b',"a":' + b"[" * 2_000_000 + b"]" * 2_000_000),
        "deep objects": lambda: batch([EVENT], b',"a":' + b'{"a":' * 600_000 + b"1" + b"}" * 600_000),
        "as deep as is read": lambda: batch([EVENT], b',"a":' + b"[" * 500 + b"1" + b"]" * 500),
        "cut off": lambda: whole()[:-2],
        "not an object": lambda: b"[" + b"1," * 2_000_000 + b"1]",
        "900 names that are nearly keys": lambda: batch([EVENT[:-1] + b"," + names(900, f'"{"ey" * 10}"') + b"}"]),
    }


@cache
def _good() -> dict[str, object]:
    return columns.columns([json.loads(EVENT)] * EVENTS_MAX)


def _listed(terms: Sequence[object] = (), tag_sets: Sequence[object] = (), **lists: object) -> bytes:
    """Return a batch in columns that differs from the largest good one in these lists."""
    good = _good()
    assert isinstance(good["columns"], dict)
    whole = {
        "terms": terms or good["terms"],
        "tag_sets": tag_sets or good["tag_sets"],
        "columns": good["columns"] | lists,
    }
    return json.dumps(whole, separators=(",", ":")).encode("ascii")


def _terms(form: str) -> bytes:
    """Return a batch in columns, of which every event has six strings of its own."""
    places = {
        name: list(range(start, start + EVENTS_MAX)) for start, name in zip(count(0, EVENTS_MAX), STRINGS, strict=False)
    }
    return _listed([form % place for place in range(LISTED_MAX)], **places)


def _in_columns() -> Mapping[str, Make]:
    start, events = b'{"terms":["ok"],"tag_sets":[{}],"columns":{', range(EVENTS_MAX)
    return {
        "columns, the last number wrong": lambda: _listed(input_tokens=[812] * (EVENTS_MAX - 1) + [-1]),
        "columns, all wrong": lambda: _listed(**dict.fromkeys(FIELDS, [True] * EVENTS_MAX)),
        "a column of many numbers": lambda: start + b'"input_tokens":[' + b"1," * 2_000_000 + b"1]}}",
        "a column of many costs": lambda: start + b'"cost_nanousd":[' + b"1000000000," * 370_000 + b"1]}}",
        "a column of one long number": lambda: start + b'"provider":[' + b"9" * 4_000_000 + b"]}}",
        "a column of many ids": lambda: start + b'"event_id":[' + b'"%s",' % (b"0" * 36) * 107_000 + b'""]}}',
        "a column of empty strings": lambda: start + b'"event_id":[""' + b',""' * 1_300_000 + b"]}}",
        "a column again and again": lambda: start + b'"provider":[]' + b',"provider":[]' * 290_000 + b"}}",
        "columns of many names": lambda: start + names(_MANY) + b"}}",
        "empty tag sets": lambda: b'{"tag_sets":[{}' + b",{}" * 1_300_000 + b"]}",
        "empty terms": lambda: b'{"terms":[""' + b',""' * 1_300_000 + b"]}",
        "numbers for terms": lambda: b'{"terms":[1' + b",1" * 2_000_000 + b"]}",
        "terms again and again": lambda: b'{"terms":[]' + b',"terms":[]' * 350_000 + b"}",
        "30,000 unknown terms": lambda: _terms("zzz%d"),
        "30,000 spelled terms": lambda: _terms("openrouter/azure/gpt-4o-%d"),
        "5,000 unknown tags": lambda: _listed(
            tag_sets=[{"team": f"zzz{place}"} for place in events], tags=list(events)
        ),
        # CPython's hash of each is 0, so a set of them takes a time that grows with the square of their number.
        "places that collide": lambda: _listed(tags=[(2**61 - 1) * place for place in events]),
    }


_SHAPES = {**_many(), **_others(), **_in_columns()}
NAMES = tuple(_SHAPES)


@cache  # Each is asked for several times; together they are 150 MB, so a process that runs none makes none.
def body(name: str) -> bytes:
    """Return a shape's body."""
    return _SHAPES[name]()
