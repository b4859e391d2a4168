"""The body of a delivery: the event's type, its time, and its ids and numbers by their names."""

from datetime import UTC, datetime

import orjson

from ingest.knowledge import day_numbers
from ingest.store.webhooks.deliveries import Claim
from ingest.store.webhooks.kinds import EVENTS

_DAY = "_day"


def body(claimed: Claim) -> bytes:
    """Return the same bytes for each attempt at a delivery."""
    row = EVENTS[claimed.kind]
    ids = {name: str(found) for name, found in zip(row.ids, claimed.ids, strict=True)}
    numbers = dict(_named(name, number) for name, number in zip(row.numbers, claimed.numbers, strict=True))
    return orjson.dumps({"type": claimed.kind, "timestamp": _time(claimed.created_at), "data": ids | numbers})


def _named(name: str, number: int) -> tuple[str, object]:
    if name.endswith(_DAY):
        return name.removesuffix(_DAY), day_numbers.day(number).isoformat()
    return name, number


def _time(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
