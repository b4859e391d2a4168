"""Closing months: once, in order, numbered without a gap, with the digest of what they stand on."""

import asyncio
from datetime import date, timedelta

import asyncpg
import pytest

from ingest.errors import CannotStart
from ingest.knowledge.billing import DocumentKind, Invoice, Plan, State, Subscription
from ingest.store import connections
from ingest.store.billing import accounts, invoices, plans
from ingest.store.connections import Connection
from ingest.usage.billing import close, lines, periods
from tests.support import metering
from tests.support.cluster import operator
from tests.support.metering import utc

_MONTH = date(2026, 1, 1)
_CLOSING = utc(2026, 2) + periods.GRACE
_AMOUNTS = metering.terms(per_million=100 * 10**9)  # 1 cent for 100 events.
_NUMBERS = "SELECT number FROM nocontent.invoices ORDER BY number"


@pytest.fixture
async def plan(database: str) -> Plan:
    async with connections.connected(database, "nocontent_control") as control:
        return await metering.plan(control, "by-event", _AMOUNTS)


@pytest.fixture
async def tenant(database: str, plan: Plan) -> int:
    async with connections.connected(database, "nocontent_control") as control:
        return await metering.subscribe(control, "acme", plan, _MONTH)


async def _use(connection: Connection, tenant: int, month: int, events: int) -> None:
    await metering.put(connection, tenant, utc(2026, month, 5, 12, 15), events, (0, 0))


async def _all(connection: Connection, tenant: int) -> list[Invoice]:
    found = [await invoices.read(connection, tenant, each.name) for each in await invoices.listed(connection, tenant)]
    return [each for each in found if each]


async def _move(database: str, tenant: int, month: date, plan_id: int | None) -> None:
    async with connections.connected(database, "nocontent_control") as control:
        await plans.assign(control, tenant, Subscription(month=month, plan_id=plan_id, time_zone="UTC"))


async def test_a_month_is_due_72_hours_after_its_end(biller: Connection, tenant: int) -> None:
    await _use(biller, tenant, 1, 12_345)
    early = await close.close_at(biller, _CLOSING - timedelta(seconds=1), [tenant])
    assert early.documents == ()
    assert (await close.close_at(biller, _CLOSING, [tenant])).documents == ("NC-000001",)
    assert (await close.close_at(biller, _CLOSING, [tenant])).documents == ()
    (invoice,) = await _all(biller, tenant)
    assert (invoice.kind, invoice.state, invoice.total_cents) == (DocumentKind.INVOICE, State.FINALIZED, 123)
    assert (invoice.period.start, invoice.period.end) == (utc(2026, 1), utc(2026, 2))
    assert invoice.usage_digest == lines.digest(await accounts.quarters(biller, tenant, invoice.period))


async def test_the_job_closes_every_month_that_is_due(biller: Connection, tenant: int) -> None:
    closed = await close.close(biller)
    months = [invoice.period.month for invoice in await _all(biller, tenant)]
    assert len(closed.documents) == len(months) >= 9
    assert months == [periods.following(_MONTH, count) for count in range(len(months))]
    assert (await close.close(biller)).documents == ()


async def test_a_month_waits_for_the_sums_of_its_events(biller: Connection, tenant: int, database: str) -> None:
    async with operator(database) as connection:
        await connection.execute(
            "INSERT INTO usage_marks (tenant_id, first, last, events) VALUES ($1, $2, $2, 1)", tenant, utc(2026, 1, 9)
        )
        assert await close.close_at(biller, _CLOSING, [tenant]) == close.Closed(
            documents=(), waiting=1, is_complete=True
        )
        await connection.execute("DELETE FROM usage_marks")
    assert len((await close.close_at(biller, _CLOSING, [tenant])).documents) == 1


async def test_a_month_whose_sums_may_be_deleted_is_not_closed(biller: Connection, tenant: int, database: str) -> None:
    await _use(biller, tenant, 1, 500)
    await close.close_at(biller, _CLOSING, [tenant])
    async with operator(database) as connection:
        await connection.execute("UPDATE retention SET usage_days = 20, horizon = '2026-04-01', retention_days = 10")
        await connection.execute("DELETE FROM nocontent.usage WHERE at < '2026-02-20'")
    closed = await close.close_at(biller, utc(2026, 3) + periods.GRACE, [tenant])
    assert (closed.documents, closed.waiting) == ((), 1)
    assert await close.correct_at(biller, utc(2026, 3), tenant) is None


async def test_late_and_erased_events_correct_the_next_invoice(biller: Connection, tenant: int) -> None:
    await _use(biller, tenant, 1, 1_000)
    await close.close_at(biller, _CLOSING, [tenant])
    await _use(biller, tenant, 1, 1_250)
    await _use(biller, tenant, 2, 500)
    await close.close_at(biller, utc(2026, 3) + periods.GRACE, [tenant])
    second = (await _all(biller, tenant))[1]
    assert [(line.is_correction, line.month.month, line.quantity, line.cents) for line in second.lines] == [
        (False, 2, 500, 5), (True, 1, 250, 3),
    ]  # fmt: skip  # 12.5 cents are 13, and 10 were billed.


async def test_what_an_invoice_cannot_hold_becomes_a_credit_note_beside_it(biller: Connection, tenant: int) -> None:
    await _use(biller, tenant, 1, 10_000)
    await close.close_at(biller, _CLOSING, [tenant])
    await _use(biller, tenant, 1, 0)
    await _use(biller, tenant, 2, 500)
    await close.close_at(biller, utc(2026, 3) + periods.GRACE, [tenant])
    _, invoice, note = await _all(biller, tenant)
    assert (invoice.kind, invoice.total_cents) == (DocumentKind.INVOICE, 5)
    assert (note.kind, note.total_cents, note.credits) == (DocumentKind.CREDIT_NOTE, -100, None)
    assert note.lines[0].month == _MONTH


async def test_what_was_billed_too_much_is_credited_on_demand_and_once(biller: Connection, tenant: int) -> None:
    await _use(biller, tenant, 1, 10_000)
    assert await close.correct(biller, tenant) is None
    await close.close_at(biller, _CLOSING, [tenant])
    assert await close.correct_at(biller, _CLOSING, tenant) is None
    await _use(biller, tenant, 1, 4_000)
    assert await close.correct_at(biller, _CLOSING, tenant) == "NC-000002"
    assert await close.correct_at(biller, _CLOSING, tenant) is None
    assert [each.total_cents for each in await _all(biller, tenant)] == [100, -60]


async def test_after_the_last_plan_a_month_only_corrects(biller: Connection, tenant: int, database: str) -> None:
    await _use(biller, tenant, 1, 10_000)
    await close.close_at(biller, _CLOSING, [tenant])
    await _move(database, tenant, date(2026, 2, 1), None)
    await _use(biller, tenant, 2, 77_777)  # On no plan: free.
    assert (await close.close_at(biller, utc(2026, 4) + periods.GRACE, [tenant])).documents == ()
    await _use(biller, tenant, 1, 12_000)
    assert (await close.close_at(biller, utc(2026, 4) + periods.GRACE, [tenant])).documents == ("NC-000002",)
    await _use(biller, tenant, 1, 13_000)
    assert (await close.close_at(biller, utc(2026, 4) + periods.GRACE, [tenant])).documents == ()  # One a month.
    assert (await close.close_at(biller, utc(2026, 5) + periods.GRACE, [tenant])).documents == ("NC-000003",)
    assert [each.total_cents for each in await _all(biller, tenant)] == [100, 20, 10]


async def test_a_credited_month_is_charged_again_unless_it_is_waived(biller: Connection, tenant: int) -> None:
    await _use(biller, tenant, 1, 10_000)
    await close.close_at(biller, utc(2026, 3) + periods.GRACE, [tenant])
    first, second = await _all(biller, tenant)
    assert await invoices.credit(biller, first, waived=True) == 3
    assert await invoices.credit(biller, second, waived=False) == 4
    for invoice in (first, second):
        with pytest.raises(invoices.NotCreditable):
            await invoices.credit(biller, invoice, waived=False)
    await _use(biller, tenant, 2, 300)
    await close.close_at(biller, utc(2026, 4) + periods.GRACE, [tenant])
    found = await _all(biller, tenant)
    assert [each.total_cents for each in found] == [100, 0, -100, 0, 3]
    assert [each.state for each in found[:2]] == [State.VOID, State.VOID]
    assert [row["number"] for row in await biller.fetch(_NUMBERS)] == [1, 2, 3, 4, 5]


async def test_a_credit_note_is_not_credited_and_a_paid_invoice_is(biller: Connection, tenant: int) -> None:
    await close.close_at(biller, _CLOSING, [tenant])
    (invoice,) = await _all(biller, tenant)
    assert await invoices.settle(biller, tenant, "NC", 1)
    assert not await invoices.settle(biller, tenant, "NC", 1)
    await invoices.credit(biller, invoice, waived=False)
    paid, note = await _all(biller, tenant)
    assert (paid.state, paid.paid_at is not None, paid.voided_at is not None) == (State.VOID, True, True)
    assert not await invoices.settle(biller, tenant, "NC", 1)
    with pytest.raises(invoices.NotCreditable):
        await invoices.credit(biller, note, waived=False)
    assert await invoices.settle(biller, tenant, "NC", 2)


async def test_many_who_close_at_once_issue_each_invoice_once(biller: Connection, plan: Plan, database: str) -> None:
    async with connections.connected(database, "nocontent_control") as control:
        many = [await metering.subscribe(control, f"tenant-{number}", plan, _MONTH) for number in range(6)]
    for tenant in many:
        await _use(biller, tenant, 1, 1_000 * tenant)

    async def all_of_it(order: list[int]) -> list[str]:
        async with connections.connected(database, "nocontent_biller") as connection:
            return list((await close.close_at(connection, utc(2026, 4) + periods.GRACE, order)).documents)

    issued = await asyncio.gather(*(all_of_it(many if turn % 2 else many[::-1]) for turn in range(6)))
    names = sorted(name for found in issued for name in found)
    assert names == [f"NC-{number:06}" for number in range(1, 19)]
    assert [row["number"] for row in await biller.fetch(_NUMBERS)] == list(range(1, 19))
    assert [len(await invoices.listed(biller, tenant)) for tenant in many] == [3] * 6


async def test_a_document_of_an_outdated_snapshot_is_refused(biller: Connection, tenant: int, database: str) -> None:
    await close.close_at(biller, _CLOSING, [tenant])
    (invoice,) = await _all(biller, tenant)
    heading = invoices.Heading(
        tenant_id=tenant, issuer="NC", kind=DocumentKind.CREDIT_NOTE, period=invoice.period, currency="USD",
        usage_digest=invoice.usage_digest,
    )  # fmt: skip
    async with biller.transaction(isolation="repeatable_read"):
        await biller.fetchval("SELECT 1")  # The snapshot is of now.
        async with connections.connected(database, "nocontent_biller") as other:
            await invoices.credit(other, invoice, waived=False)
        with pytest.raises(invoices.Outdated):
            async with biller.transaction():
                await invoices.issue(biller, heading, invoice.lines)
    with pytest.raises(asyncpg.InvalidTransactionStateError):
        await invoices.issue(biller, heading, invoice.lines)
    assert [row["number"] for row in await biller.fetch(_NUMBERS)] == [1, 2]


async def test_two_issuers_count_by_themselves(biller: Connection, tenant: int, database: str) -> None:
    async with connections.connected(database, "nocontent_control") as control:
        euros = await metering.plan(control, "euros", metering.terms(flat=100), "EUR", "NCEU")
        other = await metering.subscribe(control, "beta", euros, _MONTH)
    closed = await close.close_at(biller, _CLOSING, [tenant, other])
    assert closed.documents == ("NC-000001", "NCEU-000001")
    assert (await _all(biller, other))[0].currency == "EUR"
    assert await invoices.read(biller, tenant, "NCEU-000001") is None


async def test_a_draft_stores_nothing_and_is_what_the_invoice_will_be(biller: Connection, tenant: int) -> None:
    await _use(biller, tenant, 1, 54_321)
    draft = await close.draft(biller, tenant, _MONTH)
    assert await invoices.listed(biller, tenant) == []
    await close.close_at(biller, _CLOSING, [tenant])
    (invoice,) = await _all(biller, tenant)
    assert draft.documents == ((DocumentKind.INVOICE, invoice.lines),)
    assert draft.usage_digest == invoice.usage_digest
    with pytest.raises(CannotStart, match="has its invoice"):
        await close.draft(biller, tenant, _MONTH)


@pytest.mark.parametrize(
    ("month", "says"),
    [(date(2025, 12, 1), "no plan yet"), (date(2020, 1, 1), "no plan yet"), (date(2199, 12, 1), "not begun")],
)
async def test_a_draft_of_another_decade_is_refused(biller: Connection, tenant: int, month: date, says: str) -> None:
    with pytest.raises(CannotStart, match=says):
        await close.draft(biller, tenant, month)


async def test_a_month_is_corrected_for_15_months(biller: Connection, tenant: int) -> None:
    await _use(biller, tenant, 1, 10_000)
    await close.close_at(biller, _CLOSING, [tenant])
    await _use(biller, tenant, 1, 0)
    assert await close.correct_at(biller, utc(2027, 5), tenant) is None
    assert await close.correct_at(biller, utc(2027, 4), tenant) == "NC-000002"
