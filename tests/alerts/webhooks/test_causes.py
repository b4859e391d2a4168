"""Acts that webhooks hear of: one delivery to each in the transaction of the act, and none for other tenants."""

from pathlib import Path
from uuid import UUID

import pytest

from ingest.knowledge.billing import DocumentKind, Line, LineKind, Period
from ingest.store import connections, tenants
from ingest.store.billing import invoices
from ingest.store.billing.invoices import Heading
from ingest.store.connections import Connection
from ingest.store.mail import outbox
from ingest.store.rights import erasures
from ingest.store.rights.erasures import Subject
from ingest.store.webhooks import webhooks
from tests.support import erasing, metering
from tests.support.cluster import operator

_PERIOD = Period(
    month=metering.utc(2026, 1).date(), start=metering.utc(2026, 1), end=metering.utc(2026, 2), time_zone="UTC"
)
_LINE = Line(
    kind=LineKind.FLAT, is_correction=False, month=_PERIOD.month, start=_PERIOD.start, end=_PERIOD.end, plan_id=1,
    plan_version=1, quantity=1, cents=100,
)  # fmt: skip
_FOUND = "SELECT tenant_id, webhook_id, event, ids, numbers, cause FROM webhook_deliveries ORDER BY webhook_id"


async def _add_two(dsn: str) -> list[UUID]:
    """Add two webhooks of the first tenant, and one of the second."""
    async with connections.connected(dsn, "nocontent_control") as control:
        made = [await webhooks.add(control, 1, f"https://hooks.example.com/{number}") for number in range(2)]
        await webhooks.add(control, 2, "https://hooks.example.com/")
    return sorted(made)


async def _issue(biller: Connection) -> None:
    heading = Heading(
        tenant_id=1, issuer="NC", kind=DocumentKind.INVOICE, period=_PERIOD, currency="USD", usage_digest=b"a" * 32
    )
    await invoices.issue(biller, heading, [_LINE])


async def test_an_invoice_is_posted_if_it_is_issued(database: str) -> None:
    async with connections.connected(database, "nocontent_control") as control:
        await metering.plan(control, "basic", metering.terms())
        for name in ("acme", "globex"):
            await tenants.add(control, name)
    own = await _add_two(database)
    async with connections.connected(database, "nocontent_biller") as biller, operator(database) as owner:
        transaction = biller.transaction(isolation="repeatable_read")
        await transaction.start()
        await _issue(biller)
        await transaction.rollback()
        assert await owner.fetch(_FOUND) == []
        async with biller.transaction(isolation="repeatable_read"):
            await _issue(biller)
        cause = outbox.cause_of("invoice", "NC", 1)
        assert [tuple(row) for row in await owner.fetch(_FOUND)] == [(1, each, 4, [], [1], cause) for each in own]


async def test_the_receipt_of_an_erasure_is_posted(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in erasing.settings(tmp_path / "erasures").items():
        monkeypatch.setenv(name, value)
    events = await erasing.fill(database)
    own = await _add_two(database)
    async with connections.connected(database, "nocontent_control") as control:
        subject = Subject(1, "range", erasing.at(events[0]), erasing.at(events[1]))
        recorded = await erasures.record(control, subject, ())
    await erasing.reach(database, "finished")
    wanted = recorded.erasure_id
    async with operator(database) as owner:
        found = [tuple(row) for row in await owner.fetch(_FOUND)]
    assert found == [(1, each, 5, [wanted], [], wanted) for each in own]


async def test_an_erasure_of_the_tenant_deletes_its_webhooks(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in erasing.settings(tmp_path / "erasures").items():
        monkeypatch.setenv(name, value)
    await erasing.fill(database)
    own = await _add_two(database)
    async with connections.connected(database, "nocontent_control") as control:
        await webhooks.test(control, 1, own[0])
        recorded = await erasures.record(control, Subject(1, "tenant"), ())
    await erasing.reach(database, "finished")
    async with operator(database) as owner:
        counts = {count.table: count.erased for count in await erasures.counts(owner, recorded)}
        assert (counts["webhooks"], counts["webhook_deliveries"]) == (2, 1)
        assert await owner.fetch(_FOUND) == []
        assert [row["tenant_id"] for row in await owner.fetch("SELECT tenant_id FROM webhooks")] == [2]
