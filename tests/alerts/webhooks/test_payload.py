"""The body of each event: ids, dates and whole numbers under names of ours, and no other text."""

import json
from datetime import UTC, date, datetime
from uuid import UUID

import pytest

from ingest.alerts.webhooks import payload
from ingest.store.webhooks.deliveries import Claim
from ingest.store.webhooks.kinds import EVENTS, EventKind

_AT = datetime(2026, 11, 28, 12, tzinfo=UTC)


@pytest.mark.parametrize("kind", EVENTS)
def test_the_body_of_each_event_has_ids_dates_and_whole_numbers_alone(kind: EventKind) -> None:
    row = EVENTS[kind]
    ids, numbers = [UUID(int=place) for place, _ in enumerate(row.ids, 1)], [*range(20_000, 20_000 + len(row.numbers))]
    claimed = Claim(1, UUID(int=8), UUID(int=9), "https://hooks.example.com/usage", kind, ids, numbers, 1, _AT)
    made = json.loads(payload.body(claimed))
    assert made.keys() == {"type", "timestamp", "data"}
    assert (made["type"], datetime.fromisoformat(made["timestamp"])) == (kind, _AT)
    for name, value in made["data"].items():
        if name.endswith("_id"):
            assert UUID(value) in ids
        elif name == "period_start":
            assert date.fromisoformat(value).year == 2024
        else:
            assert value in numbers
    assert len(made["data"]) == len(row.ids) + len(row.numbers)
