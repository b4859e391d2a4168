"""Reads of refusals and arrivals under the console's role: sums, gaps, and nothing of another tenant."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from ingest.store import batches, connections, tenants, tokens, traffic_reads
from ingest.store.connections import Connection
from ingest.store.traffic import Arrived, Cell, Refused, Sender, add_arrivals, add_refusals
from ingest.store.traffic_reads import Gap, Losses
from ingest.store.visits import Visits
from tests.support import sample
from tests.support.cluster import operator
from tests.support.entries import entry

_SESSION = hashlib.sha256(b"a session").digest()
_PERSON = "INSERT INTO people (tenant_id, email, name, role) VALUES (1, 'owner@example.com', 'Owner', 'owner')"
_SIGNED_IN = """
INSERT INTO sessions (tenant_id, person_id, digest, awaits_totp, browser, expires_at)
SELECT tenant_id, person_id, $1, false, 'other', now() + interval '1 hour' FROM people
"""
_TODAY = datetime.now(UTC).date()
_WEEK = datetime.now(UTC) - timedelta(7)
FIRST, SECOND = UUID(sample.uuid7()), UUID(sample.uuid7())


@pytest.fixture(scope="module")
def tokens_of(shared_database: str) -> list[str]:
    return asyncio.run(_fill(shared_database))


async def _fill(shared_database: str) -> list[str]:
    """Fill the ledger and counts of two tenants, alike but for the counts, and sign somebody of the first one in."""
    made = []
    async with connections.connected(shared_database, "nocontent_control") as control:
        for name in ("acme", "globex"):
            tenant_id = await tenants.add(control, name)
            made.append((await tokens.issue(control, tenant_id, tokens.SCOPES_DEFAULT, None))[4:16])
    async with connections.connected(shared_database, "nocontent_writer") as writer:
        for tenant_id, token_id in enumerate(made, 1):
            for stream_id, sequence in ((FIRST, 0), (FIRST, 1), (FIRST, 4), (SECOND, 7), (SECOND, 8)):
                await batches.store(
                    writer,
                    [entry(sample.event(), tenant_id=tenant_id, stream_id=stream_id, sequence=sequence)],
                )
            await add_refusals(
                writer,
                {
                    Cell(tenant_id, "events", "content.prompt", None): Refused(tenant_id, 0),
                    Cell(tenant_id, "litellm", "shape.wrong-type", None): Refused(0, 3),
                    Cell(tenant_id, "events", "shape.wrong-type", "latency_ms"): Refused(1, 0),
                },
            )
            await add_arrivals(
                writer,
                {
                    Sender(tenant_id, token_id, "events", 1_002_003): Arrived(5, 2, 30, -4_000),
                    Sender(tenant_id, token_id, "litellm", 0): Arrived(1, 0, 4, 90),
                },
            )
    async with operator(shared_database) as owner:
        await owner.execute(_PERSON)
        await owner.execute(_SIGNED_IN, _SESSION)
    return made


@pytest.fixture
async def console(shared_database: str, tokens_of: list[str]) -> AsyncIterator[Connection]:
    assert tokens_of
    visits = Visits(shared_database)
    async with visits.read(1, _SESSION) as connection:
        yield connection
    await visits.close()


async def test_refusals_are_summed_by_cause_door_and_field(console: Connection) -> None:
    found = await traffic_reads.refusals(console, _TODAY)
    assert [tuple(row)[:5] for row in found] == [
        ("shape.wrong-type", "litellm", None, 0, 3),
        ("content.prompt", "events", None, 1, 0),
        ("shape.wrong-type", "events", "latency_ms", 1, 0),
    ]
    assert await traffic_reads.refusals(console, _TODAY, "content.prompt") == [found[1]]
    assert await traffic_reads.refusals(console, _TODAY + timedelta(1)) == []


async def test_days_have_requests_and_refusals(console: Connection) -> None:
    assert await traffic_reads.days(console, _TODAY) == [(_TODAY, 6, 2, 3)]
    assert await traffic_reads.days(console, _TODAY, "content.prompt") == [(_TODAY, 6, 1, 0)]


async def test_sources_are_tokens_with_versions_and_clocks(console: Connection, tokens_of: list[str]) -> None:
    (found,) = await traffic_reads.sources(console, _TODAY)
    assert found._replace(last_at=_WEEK) == (
        tokens_of[0], _WEEK, 6, 2, 34, ["events", "litellm"], 1_002_003, -4_000, True,
    )  # fmt: skip


async def test_streams_have_gaps_and_losses(console: Connection) -> None:
    ledger = await traffic_reads.streams(console, _WEEK)
    assert ledger.cut_at is None
    assert {stream.stream_id: (stream.batches, stream.accepted, stream.missing) for stream in ledger.streams} == {
        FIRST: (3, 3, 2),
        SECOND: (2, 2, 0),
    }
    assert {stream.losses for stream in ledger.streams} == {Losses(0, 0, 0, 0)}
    (gap,) = await traffic_reads.gaps(console, FIRST)
    assert gap == Gap(2, 3, gap.before)
    assert await traffic_reads.gaps(console, SECOND) == []
    assert await traffic_reads.stream(console, FIRST) in ledger.streams
    assert await traffic_reads.stream(console, UUID(sample.uuid7())) is None


async def test_a_batch_before_the_first_line_that_was_read_is_not_missing(
    console: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(traffic_reads, "LINES_MAX", 4)
    ledger = await traffic_reads.streams(console, _WEEK)
    assert ledger.cut_at is not None
    assert {stream.stream_id: stream.missing for stream in ledger.streams} == {FIRST: 2, SECOND: 0}


async def test_more_streams_than_a_page_has_are_not_passed_over_in_silence(
    console: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not (await traffic_reads.streams(console, _WEEK)).has_more
    monkeypatch.setattr(traffic_reads, "STREAMS_MAX", 1)
    ledger = await traffic_reads.streams(console, _WEEK)
    assert ([stream.stream_id for stream in ledger.streams], ledger.has_more) == ([SECOND], True)


async def test_nobody_sees_anything_without_a_session(shared_database: str, tokens_of: list[str]) -> None:
    assert tokens_of
    visits = Visits(shared_database)
    async with visits.read(1, bytes(32)) as nobody:
        assert await traffic_reads.refusals(nobody, _TODAY) == []
        assert await traffic_reads.days(nobody, _TODAY) == []
        assert await traffic_reads.sources(nobody, _TODAY) == []
        assert (await traffic_reads.streams(nobody, _WEEK)).streams == []
        assert await traffic_reads.stream(nobody, FIRST) is None
    await visits.close()
