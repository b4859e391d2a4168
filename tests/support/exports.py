"""A tenant with data of every kind, for tests of exports, and PostgreSQL's own view of its rows."""

import asyncio
import json
import random
from collections.abc import Mapping
from datetime import UTC, datetime

from ingest.store import batches, connections
from ingest.store.batches import Entry
from ingest.store.usage import rollups
from tests.support import cluster, customers, entries, sample

# The ids of tests.support.gauge.
_WORDS = """
INSERT INTO nocontent.vocabulary (tenant_id, kind, term_id, parent_id, term, learned, revision)
SELECT $1::integer, 4, key_id, 0, term, false, 0 FROM unnest($2::smallint[], $3::text[]) AS key (key_id, term)
UNION ALL
SELECT $1::integer, 5, term_id, parent_id, term, false, 0
FROM unnest($4::smallint[], $5::smallint[], $6::text[]) AS value (term_id, parent_id, term)
"""
_VARIED: tuple[Mapping[str, object], ...] = (
    {},
    {"cost_nanousd": None, "tags": {}},
    {"baseline_cost_nanousd": None, "tags": {"team": "editor", "region": "eu"}},
    {"ttft_ms": None, "http_status": None, "stop_reason": None, "status": "error", "streamed": False},
    {"routed_model": "gpt-5", "provider": "openai", "cached": True, "fallback": True, "retried": True},
)
_BATCH = 500


def words(dsn: str, tenant_id: int) -> None:
    """Add the tags that events of `tests.support.entries` name."""
    keys = list(enumerate(customers.TAGS, 1))
    values = [
        (key_id * 100 + place, key_id, value)
        for key_id, key in keys
        for place, value in enumerate(("unknown", *customers.TAGS[key]))
    ]

    async def add() -> None:
        async with cluster.operator(dsn) as connection:
            await connection.execute(
                _WORDS, tenant_id, *map(list, zip(*keys, strict=True)), *map(list, zip(*values, strict=True))
            )

    asyncio.run(add())


def store(dsn: str, tenant_id: int, count: int, *, days: int = 3) -> None:
    """Store events of the last days, as a writer does."""
    asyncio.run(_store(dsn, [_entry(tenant_id, min(_BATCH, count - place), days) for place in range(0, count, _BATCH)]))


def _entry(tenant_id: int, count: int, days: int) -> Entry:
    now_ms, chance = sample.now_ms(), random.Random(count)
    events = []
    for place in range(count):
        changed = {"input_tokens": chance.randrange(9_000), **_VARIED[place % len(_VARIED)]}
        at_ms = now_ms - chance.randrange(days * sample.DAY_MS)
        events.append(sample.event(event_id=sample.uuid7(at_ms), **changed))
    return entries.entry(*events, tenant_id=tenant_id)


async def _store(dsn: str, made: list[Entry]) -> None:
    async with connections.connected(dsn, "nocontent_writer") as connection:
        for each in made:
            await batches.store(connection, [each])


_ANNOTATE = """
INSERT INTO nocontent.annotations (occurred_at, event_id, tenant_id, reason)
SELECT occurred_at, event_id, tenant_id, 1 FROM nocontent.events WHERE tenant_id = {tenant_id}
ORDER BY event_id LIMIT 7
"""
_RECOUNT = """
INSERT INTO nocontent.usage_marks (tenant_id, first, last, events, xid)
VALUES ({tenant_id}, now() - interval '9 days', now(), 0, NULL)
"""


def annotate(dsn: str, tenant_id: int) -> None:
    """Annotate some events, and ask for the sums without them."""
    for statement in (_ANNOTATE, _RECOUNT):
        cluster.run(dsn, statement.format(tenant_id=tenant_id))


def roll_up(dsn: str) -> None:
    """Add all marked rows to the sums."""

    async def run() -> None:
        async with connections.connected(dsn, "nocontent_biller") as connection:
            while not (await rollups.roll_up(connection)).is_done:
                pass

    asyncio.run(run())


_EVENTS = """
SELECT view.*, event.task_category AS task_category_id, event.provider AS provider_id,
    event.requested_model AS requested_model_id, event.routed_model AS routed_model_id, nullif(tag_1, 0) AS tag_1,
    nullif(tag_2, 0) AS tag_2, nullif(tag_3, 0) AS tag_3, nullif(tag_4, 0) AS tag_4
FROM nocontent.readable_events view JOIN nocontent.events event USING (tenant_id, occurred_at, event_id)
WHERE tenant_id = $1 ORDER BY occurred_at, event_id
"""


def events(dsn: str, tenant_id: int) -> list[dict[str, object]]:
    """Return the events that there are, by PostgreSQL's own view."""
    found = [dict(row) for row in cluster.fetch(dsn, _EVENTS, tenant_id)]
    for row in found:
        del row["tenant_id"], row["annotation"]  # Annotations come and go: they have a file of their own.
        at = row["occurred_at"]
        assert isinstance(at, datetime)
        row["occurred_at"] = at.astimezone(UTC)
        row["event_id"] = str(row["event_id"])
        row["tags"] = json.loads(str(row["tags"]))
    return found
