"""From events that a writer stored, by their sums, to a draft and an invoice."""

from datetime import UTC, datetime, timedelta

from ingest.knowledge.billing import LineKind
from ingest.store import batches, connections
from ingest.store.billing import accounts
from ingest.store.usage import rollups
from ingest.usage.billing import close, periods
from tests.support import metering, sample
from tests.support.cluster import operator
from tests.support.entries import entry

_BILLED = (
    "SELECT count(*) AS events, sum(baseline_cost_nanousd - cost_nanousd) AS saved FROM events WHERE tenant_id = 1"
)


async def test_a_draft_follows_stored_late_and_deleted_events(database: str) -> None:
    month = periods.following(datetime.now(UTC).date().replace(day=1), -1)
    async with connections.connected(database, "nocontent_control") as control:
        plan = await metering.plan(control, "by-event", metering.terms(per_million=10**15, share=1_000_000))
        tenant = await metering.subscribe(control, "acme", plan, month)
    async with (
        connections.connected(database, "nocontent_writer") as writer,
        connections.connected(database, "nocontent_biller") as biller,
        operator(database) as owner,
    ):
        costs = {"cost_nanousd": 1_000_000_000, "baseline_cost_nanousd": 3_345_000_000}
        await batches.store(writer, [entry(*(sample.event(**costs) for _ in range(7)))])
        now = await accounts.now(biller)
        current = periods.current((await accounts.read(biller, tenant, month)).subscriptions, now, {})
        assert await accounts.is_pending(biller, tenant, current)
        assert not (await close.draft(biller, tenant, None)).documents[0][1][0].quantity
        await rollups.roll_up(biller)
        assert not await accounts.is_pending(biller, tenant, current)

        ((_, lines),) = (await close.draft(biller, tenant, None)).documents
        (stored,) = await owner.fetch(_BILLED)
        found = {line.kind: (line.quantity, line.cents) for line in lines}
        assert found == {LineKind.EVENTS: (7, 700), LineKind.SAVINGS: (7 * 2_345_000_000, 1_642)}
        assert (stored["events"], stored["saved"]) == (7, found[LineKind.SAVINGS][0])

        await batches.store(writer, [entry(sample.event(**costs))])
        await owner.execute(
            "DELETE FROM events WHERE event_id IN (SELECT event_id FROM events ORDER BY event_id LIMIT 3)"
        )
        await rollups.roll_up(biller)
        await rollups.recompute(biller, tenant, now - timedelta(hours=2), now + timedelta(hours=1))
        ((_, lines),) = (await close.draft(biller, tenant, None)).documents
        assert {line.kind: line.quantity for line in lines} == {
            LineKind.EVENTS: 5, LineKind.SAVINGS: 5 * 2_345_000_000,
        }  # fmt: skip
