"""From a body to a row and back: SELECT returns what was sent."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Context
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.knowledge.snapshot import Snapshot
from ingest.store import batches, connections, rows, summary
from ingest.store.connections import Connection
from ingest.store.snapshot import refresh
from schema.decode import decode
from schema.vocabulary import Mode
from tests.support import customers, sample
from tests.support.cluster import operator
from tests.support.customers import CustomerSpec
from tests.support.events import random_event
from tests.support.gauge import VOCABULARIES, window

_READABLE = "SELECT * FROM readable_events ORDER BY event_id"


@pytest.fixture
async def analyst(database: str) -> AsyncIterator[Connection]:
    async with connections.connected(database, "nocontent_analyst") as connection:
        yield connection


async def stored(database: str, analyst: Connection, events: list[dict[str, object]]) -> list[dict[str, object]]:
    """Store events by COPY as a tenant of the database, and return the analyst's view of them."""
    known = Snapshot()
    async with connections.connected(database, "nocontent_control") as connection:
        customer = await customers.add(connection, "acme", CustomerSpec())
    async with connections.connected(database, "nocontent_writer") as connection:
        await refresh(connection, known)
        decoded = decode(sample.body(*events), known.tenants[customer.tenant_id].vocabulary, window())
        copy = rows.encode(decoded, customer.tenant_id)
        digest = rows.digest(decoded)
        entry = batches.Entry(customer.tenant_id, digest, -1, digest, len(events), 0, (0, 0, 0, 0), copy)
        await batches.store(connection, [entry])
    return [dict(row.items()) for row in await analyst.fetch(_READABLE)]


def three_digits(time_ms: object) -> int | None:
    """Round half up to three significant digits, plainly."""
    assert time_ms is None or isinstance(time_ms, int)
    return time_ms if time_ms is None or time_ms < 1_000 else int(Context(3, ROUND_HALF_UP).create_decimal(time_ms))


@pytest.mark.parametrize("seed", range(4))
async def test_the_readable_view_gives_back_what_was_sent(database: str, analyst: Connection, seed: int) -> None:
    sent = sorted(
        (random_event(seed * 1_000 + place) for place in range(250)), key=lambda event: str(event["event_id"])
    )
    found = await stored(database, analyst, sent)
    for event, row in zip(sent, found, strict=True):
        assert json.loads(str(row.pop("tags"))) == event["tags"]
        at = datetime.fromtimestamp(int(str(event["event_id"]).replace("-", "")[:12], 16) / 1_000, UTC)
        assert row.pop("occurred_at") == at
        baseline, cost = event["baseline_cost_nanousd"], event["cost_nanousd"]
        savings = baseline - cost if isinstance(baseline, int) and isinstance(cost, int) else None
        assert row.pop("savings_nanousd") == savings
        assert (row.pop("tenant_id"), row.pop("annotation")) == (1, None)
        wanted = {name: value for name, value in event.items() if name != "tags"}
        wanted |= {name: three_digits(event[name]) for name in ("latency_ms", "ttft_ms")}
        assert row == {**wanted, "event_id": UUID(str(event["event_id"]))}


async def test_sums_leave_out_what_is_unknown(database: str, analyst: Connection) -> None:
    costs = [(3, 10), (None, 10), (5, None), (None, None)]
    await stored(
        database, analyst, [sample.event(cost_nanousd=cost, baseline_cost_nanousd=baseline) for cost, baseline in costs]
    )
    async with operator(database) as connection:
        found = await summary.totals(connection)
    assert (found.events, found.cost_nanousd, found.savings_nanousd) == (4, 8, 7)


async def test_copy_and_insert_write_the_same_row(database: str) -> None:
    decoded = decode(sample.body(*(random_event(seed) for seed in range(100))), VOCABULARIES[Mode.REFUSE], window())
    digest = rows.digest(decoded)
    query = "SELECT * FROM events ORDER BY event_id"
    tables = []
    for store in (batches.store, batches.store_skipping):
        async with connections.connected(database, "nocontent_writer") as connection:
            entry = batches.Entry(1, digest, -1, digest, 100, 0, (0, 0, 0, 0), rows.encode(decoded, 1))
            await store(connection, [entry])
        async with operator(database) as connection:
            tables.append([tuple(row.values()) for row in await connection.fetch(query)])
            await connection.execute("TRUNCATE events, batches")
    assert tables[0] == tables[1]
    assert len(tables[0]) == 100


def test_a_row_has_one_width_whatever_it_holds() -> None:
    decoded = decode(sample.body(*(random_event(seed) for seed in range(100))), VOCABULARIES[Mode.REFUSE], window())
    assert len(rows.encode(decoded, 1)) == 100 * rows.ROW_BYTES


def test_merging_keeps_every_row_and_sorts_by_the_key() -> None:
    parts = []
    for tenant_id in (3, 1, 2):
        decoded = decode(sample.body(*(random_event(seed) for seed in range(9))), VOCABULARIES[Mode.REFUSE], window())
        parts.append(rows.encode(decoded, tenant_id))
    columns = dict(zip(rows.COLUMNS, rows.columns(rows.merge(parts)), strict=True))
    keys = [(tenant, str(event_id)) for tenant, event_id in zip(columns["tenant_id"], columns["event_id"], strict=True)]
    assert keys == sorted(keys)
    assert len(keys) == 27


@given(st.binary(max_size=2_000) | st.text('a":{}', max_size=2_000).map(str.encode))
def test_bytes_are_counted_as_python_does(body: bytes) -> None:
    assert rows.count(body, b'"') == body.count(b'"')


def test_the_digest_is_of_the_ids_alone() -> None:
    event = sample.event()
    bodies = [sample.body(event), sample.body({**event, "input_tokens": 7}), sample.body(sample.event())]
    digests = [rows.digest(decode(body, VOCABULARIES[Mode.REFUSE], window())) for body in bodies]
    assert digests[0] == digests[1] != digests[2]


async def test_ids_of_terms_are_the_catalogues_or_the_tenants_half(database: str, analyst: Connection) -> None:
    await stored(database, analyst, [sample.event()])
    (row,) = await analyst.fetch("SELECT provider, requested_model, tag_1, tag_2 FROM events")
    assert 0 < row["provider"] < 128
    assert 0 < row["requested_model"] < 16_384
    assert (row["tag_1"] >= 8_192, row["tag_2"]) == (True, 0)
