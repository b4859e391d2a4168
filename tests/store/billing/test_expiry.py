"""Invoices expire once they are old and settled, with all that belongs to them, and no month is billed again."""

import asyncio
from datetime import UTC, datetime

import pytest

from ingest.store import connections, expiry, retention
from ingest.store.billing import accounts
from ingest.store.billing.handovers import InvoiceKey
from tests.support import bills, cluster

_TABLES = ("invoices", "invoice_lines", "handovers", "payments", "processor_events")
_BESIDE = (
    "INSERT INTO handovers (tenant_id, issuer, number, processor) VALUES (1, 'NC', {0}, 1)",
    "INSERT INTO payments VALUES (1, 'NC', {0}, 1, 'transfer', 1, '2010-01-01')",
    "INSERT INTO processor_events VALUES (1, 'evt_12345{0}', 1, 'NC', {0}, now())",
)


def _issue(dsn: str, cents: int, years: int, state: int = 2) -> InvoiceKey:
    """Issue a document some years ago, in a state: 1 open, 2 paid."""
    key = asyncio.run(bills.issue(dsn, [cents]))
    cluster.run(dsn, f"UPDATE invoices SET finalized_at = now() - interval '{years} years' WHERE number = {key.number}")
    if state == 2:
        cluster.run(dsn, f"UPDATE invoices SET state = 2, paid_at = finalized_at WHERE number = {key.number}")
    return key


def _trim(dsn: str) -> list[int]:
    """Run the deletions of maintenance, and return the numbers that are left."""

    async def trim() -> None:
        async with connections.connected(dsn, "nocontent_maintainer") as connection:
            assert await expiry.trim(connection) == 0

    asyncio.run(trim())
    return [row["number"] for row in cluster.fetch(dsn, "SELECT number FROM invoices ORDER BY 1")]


def test_settled_invoices_go_after_their_years_with_all_that_is_theirs(database: str) -> None:
    old, young = _issue(database, 100, 11), _issue(database, 100, 9)
    for key in (old, young):
        for statement in _BESIDE:
            cluster.run(database, statement.format(key.number))
    assert _trim(database) == [young.number]
    for table in _TABLES:
        assert [row["number"] for row in cluster.fetch(database, f"SELECT number FROM {table}")] == [young.number]


def test_an_invoice_that_waits_for_money_stays(database: str) -> None:
    open_, owed, settled = (_issue(database, cents, 50, state=1) for cents in (100, -100, 0))
    late = _issue(database, 100, 50)
    cluster.run(database, f"UPDATE invoices SET paid_at = now() - interval '1 year' WHERE number = {late.number}")
    assert settled.number not in _trim(database)
    assert _trim(database) == [open_.number, owed.number, late.number]


@pytest.mark.parametrize("was_paid", [True, False])
def test_an_invoice_goes_with_its_credit_note(database: str, was_paid: bool) -> None:  # noqa: FBT001 (a case)
    key = _issue(database, 100, 30, state=2 if was_paid else 1)
    mirror = asyncio.run(bills.credit(database, key))
    assert _trim(database) == [key.number, mirror.number]  # The credit is of today.
    cluster.run(database, "UPDATE invoices SET voided_at = finalized_at WHERE kind = 1")
    cluster.run(database, "UPDATE invoices SET finalized_at = now() - interval '20 years' WHERE kind = 2")
    # What was paid is to be paid back first.
    assert _trim(database) == ([key.number, mirror.number] if was_paid else [])
    cluster.run(database, "UPDATE invoices SET state = 2, paid_at = finalized_at WHERE kind = 2")
    assert _trim(database) == []


async def test_no_month_before_a_deleted_invoice_is_billed_again(database: str) -> None:
    async def since() -> datetime:
        async with connections.connected(database, "nocontent_biller") as connection:
            return await accounts.invoiced_since(connection)

    assert await since() == datetime.min.replace(tzinfo=UTC)
    await asyncio.to_thread(_issue, database, 100, 11)
    await asyncio.to_thread(_trim, database)
    first = await since()
    assert 9.9 < (datetime.now(UTC) - first).days / 365.25 < 10.1
    async with connections.connected(database, "nocontent_control") as connection:
        await retention.set_invoice_years(connection, 30)
    await asyncio.to_thread(_issue, database, 100, 31)
    await asyncio.to_thread(_trim, database)
    assert await since() == first


def test_invoices_may_be_kept_for_ever(database: str) -> None:
    key = _issue(database, 100, 90)

    async def keep() -> None:
        async with connections.connected(database, "nocontent_control") as connection:
            await retention.set_invoice_years(connection, None)

    asyncio.run(keep())
    assert _trim(database) == [key.number]
