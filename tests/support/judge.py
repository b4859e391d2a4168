"""Judges a body by the gates, the oracle and an explanation, which have to agree."""

import json
import re
import struct
from typing import get_args
from uuid import UUID

from ingest.intake.explain import explain
from schema import limits
from schema.decode import Decoded, Refused, decode
from schema.event import (
    DROP_REASONS,
    KINDS,
    STATUS_CODES,
    STOP_REASON_CODES,
    Batch,
    Event,
    Status,
    StopReason,
    Stream,
)
from schema.rules import RULES
from schema.vocabulary import Mode
from tests.fuzz import oracle
from tests.support import columns
from tests.support.gauge import VOCABULARIES, window

_KEY_IDS = VOCABULARIES[Mode.REFUSE].tag_keys
CONTRACT = {*Batch.__struct_fields__, *Event.__struct_fields__, *Stream.__struct_fields__, *DROP_REASONS}
_WORDS_OF_OURS = {None, "unknown", "null", *get_args(Status), *get_args(StopReason)}


def is_accepted(body: bytes) -> bool:
    """Return whether the gates accept a body; assert that they agree with the oracle, and explain refusals."""
    now = window()
    try:
        decoded = decode(body, VOCABULARIES[Mode.REFUSE], now)
    except Refused:
        assert not oracle.accepts(body, now)
        assert_explained(body)
        return False
    assert oracle.accepts(body, now)
    assert_means_the_same(body, decoded)
    return True


def assert_explained(body: bytes) -> None:
    violations = explain(body, VOCABULARIES[Mode.REFUSE], window()).violations
    assert 0 < len(violations) <= limits.VIOLATIONS_MAX
    for rule, pointer, use in violations:
        assert use in _WORDS_OF_OURS
        assert rule in RULES.keys() - {"size.unexplained"}
        parts = pointer.split("/")
        assert parts[0] == ""
        assert all(part in CONTRACT or part == "*" or re.fullmatch("[0-9]+", part) for part in parts[1:]), pointer


def assert_means_the_same(body: bytes, decoded: Decoded) -> None:
    """No part of an accepted body is dropped or changed."""
    read = json.loads(body)
    events = columns.events(read) if "columns" in read else read.get("events", [])
    assert len(decoded.tags) == len(events)
    numbers = spelled_out(decoded).numbers
    for place, event in enumerate(events):
        assert decoded.event_ids[16 * place : 16 * place + 16] == UUID(event["event_id"]).bytes
        values = {name: column[place] for name, column in numbers.items()}
        assert values == {name: _stored(name, value) for name, value in event.items() if name in values}
        tags = {VOCABULARIES[Mode.REFUSE].tag_values[_KEY_IDS[key]][value] for key, value in event["tags"].items()}
        assert set(struct.unpack(">4h", decoded.tag_sets[decoded.tags[place]].packed)) - {0} == tags - {0}


def spelled_out(decoded: Decoded) -> Decoded:
    """Return a batch with codes in place of places, as it is if it comes in rows."""
    coded = {name: [table[place] for place in decoded.numbers[name]] for name, table in decoded.tables.items()}
    tag_sets = [decoded.tag_sets[place] for place in decoded.tags]
    numbers = {name: list(column) for name, column in decoded.numbers.items()} | coded
    return decoded._replace(numbers=numbers, tables={}, tags=range(len(tag_sets)), tag_sets=tag_sets)


def _stored(name: str, value: object) -> object:
    if name in KINDS:
        return VOCABULARIES[Mode.REFUSE].kinds[KINDS[name]].find(str(value))
    if name in {"status", "stop_reason"}:
        return (
            STATUS_CODES[str(value)] if name == "status" else STOP_REASON_CODES[None if value is None else str(value)]
        )
    return value if value is not None else 0 if name == "http_status" else -1
