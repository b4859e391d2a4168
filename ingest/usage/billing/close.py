"""Computes drafts, and closes months: issues each due invoice once, whoever else does so at the same time.

A document is computed and issued in one snapshot of the database. If the issuer issued another one meanwhile,
PostgreSQL refuses, nothing is issued, no number is taken, and it is computed again.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

import msgspec

from ingest.errors import CannotStart
from ingest.knowledge.billing import Account, Billed, DocumentKind, Line, Period, Plan, Terms, document_name
from ingest.store.billing import accounts, invoices, plans
from ingest.store.billing.invoices import Heading, Outdated
from ingest.store.connections import Connection
from ingest.usage.billing import lines, periods

CORRECTED_MONTHS = 15  # A month is corrected for so many months: longer than events can be late or are kept.
DOCUMENTS_MAX = 200  # In one step of the job, which takes seconds; the next one goes on.
_SHORTEST = timedelta(days=26)  # No period is as short, even where a tenant moves around the world.
_TRIES_MAX = 50  # Each failure means that another process has issued a document.


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """What would be issued for a month as things stand: an invoice, sometimes a credit note beside it, or nothing."""

    period: Period
    issuer: str
    currency: str
    usage_digest: bytes
    documents: tuple[tuple[DocumentKind, tuple[Line, ...]], ...]


class Closed(msgspec.Struct, frozen=True, kw_only=True):
    """What a step of closing did. `waiting` months are due, and their usage is not summed yet."""

    documents: tuple[str, ...]
    waiting: int
    is_complete: bool  # Nothing else was due.


class _NotSummed(Exception):
    """Events of the month are not all in the sums: not yet, or the sums may have been deleted."""


async def draft(connection: Connection, tenant_id: int, month: date | None) -> Draft:
    """Compute what a month comes to so far, by default the one in progress; raises CannotStart."""
    async with invoices.snapshot(connection):
        now = await accounts.now(connection)
        account = await _account(connection, tenant_id, now, month)
        period = _period(account, now, month)
        if period.month in account.invoiced:
            raise CannotStart("That month has its invoice: see `nocontent invoice list`.")
        found = await _draft(connection, account, period)
    if found is None:
        raise CannotStart("The tenant was on no plan in that month, and nothing is to be corrected.")
    return found


async def close(connection: Connection) -> Closed:
    """Issue the documents that are due, of all tenants; safe to run twice, anywhere, and to kill."""
    now = await accounts.now(connection)
    return await close_at(connection, now, await plans.without_invoice(connection, now - periods.GRACE - _SHORTEST))


async def close_at(connection: Connection, now: datetime, tenants: Sequence[int]) -> Closed:
    """Issue the documents of tenants that are due at a time."""
    issued: list[str] = []
    waiting = 0
    since = await accounts.invoiced_since(connection)
    for tenant_id in tenants:
        account = await _account(connection, tenant_id, now, None)
        for period in _due(account, now, since):
            if len(issued) >= DOCUMENTS_MAX:
                return Closed(documents=tuple(issued), waiting=waiting, is_complete=False)
            try:
                issued += await _close(connection, tenant_id, now, period.month)
            except _NotSummed:
                waiting += 1
                break  # The months of a tenant are closed in their order.
    return Closed(documents=tuple(issued), waiting=waiting, is_complete=True)


async def correct(connection: Connection, tenant_id: int) -> str | None:
    """Issue a credit note for what was billed too much, without waiting for the next invoice; None if nothing was."""
    return await correct_at(connection, await accounts.now(connection), tenant_id)


async def correct_at(connection: Connection, now: datetime, tenant_id: int) -> str | None:
    """Issue a credit note for what was billed too much, as of a time."""
    for _ in range(_TRIES_MAX):
        try:
            async with invoices.snapshot(connection):
                account = await _account(connection, tenant_id, now, None)
                return await _correct(connection, account)
        except Outdated:
            continue
    raise CannotStart("Other documents are being issued: try again.")


async def _correct(connection: Connection, account: Account) -> str | None:
    if not account.invoiced:
        return None
    period = account.invoiced[max(account.invoiced)]
    corrected = await _corrections(connection, account, periods.following(period.month))
    if lines.total(corrected) >= 0:
        return None
    plan = _plan(account)
    digest = lines.digest(await accounts.quarters(connection, account.tenant_id, period))
    found = Draft(period=period, issuer=plan.issuer, currency=plan.currency, usage_digest=digest, documents=())
    return await _issue(connection, account, found, DocumentKind.CREDIT_NOTE, corrected)


async def _close(connection: Connection, tenant_id: int, now: datetime, month: date) -> list[str]:
    """Issue the documents of a month, in one transaction; raises _NotSummed."""
    for _ in range(_TRIES_MAX):
        try:
            async with invoices.snapshot(connection):
                account = await _account(connection, tenant_id, now, month)
                if month in account.invoiced:  # By another process.
                    return []
                found = await _draft(connection, account, _period(account, now, month))
                if found is None:
                    return []
                await _require_summed(connection, tenant_id, found.period)
                return [await _issue(connection, account, found, *each) for each in found.documents]
        except Outdated:
            continue
    return []


async def _require_summed(connection: Connection, tenant_id: int, period: Period) -> None:
    is_deleted = period.start < await accounts.kept_since(connection)
    if is_deleted or await accounts.is_pending(connection, tenant_id, period):
        raise _NotSummed


async def _issue(
    connection: Connection, account: Account, found: Draft, kind: DocumentKind, charged: tuple[Line, ...]
) -> str:
    heading = Heading(
        tenant_id=account.tenant_id, issuer=found.issuer, kind=kind, period=found.period, currency=found.currency,
        usage_digest=found.usage_digest,
    )  # fmt: skip
    return document_name(found.issuer, await invoices.issue(connection, heading, charged))


async def _account(connection: Connection, tenant_id: int, now: datetime, month: date | None) -> Account:
    since = periods.following(month or now.date().replace(day=1), -CORRECTED_MONTHS)
    account = await accounts.read(connection, tenant_id, since)
    if not account.subscriptions:
        raise CannotStart("The tenant has never been on a plan: run `nocontent plan assign` first.")
    return account


def _due(account: Account, now: datetime, since: datetime) -> list[Period]:
    """Return the ended periods without an invoice; of months without a plan the last one, which may correct others."""
    current = periods.current(account.subscriptions, now, account.invoiced).month
    due = []
    month = account.subscriptions[0].month
    while month < current:
        period = periods.period(account.subscriptions, month, account.invoiced)
        assert period is not None
        is_over = since <= period.end <= now - periods.GRACE
        if is_over and month not in account.invoiced and (_terms(account, month) or month == _last(current)):
            due.append(period)
        month = periods.following(month)
    return due


def _last(current: date) -> date:
    return periods.following(current, -1)


def _period(account: Account, now: datetime, month: date | None) -> Period:
    current = periods.current(account.subscriptions, now, account.invoiced)
    if month is None or month == current.month:
        return current
    if month > current.month:
        raise CannotStart("That month has not begun.")
    found = periods.period(account.subscriptions, month, account.invoiced)
    if found is None:
        raise CannotStart("The tenant was on no plan yet in that month.")
    return found


async def _draft(connection: Connection, account: Account, period: Period) -> Draft | None:
    terms = _terms(account, period.month)
    quarters = await accounts.quarters(connection, account.tenant_id, period)
    events = sum(each.events for each in quarters)
    saved = sum(each.savings_reported_nanousd + each.savings_priced_nanousd for each in quarters)
    charged = lines.charges(terms, period, events, saved) if terms else ()
    documents = lines.documents(charged, await _corrections(connection, account, period.month))
    if not documents:
        return None
    plan = _plan(account)
    return Draft(
        period=period, issuer=plan.issuer, currency=plan.currency, usage_digest=lines.digest(quarters),
        documents=tuple(documents),
    )  # fmt: skip


async def _corrections(connection: Connection, account: Account, before: date) -> tuple[Line, ...]:
    """Return what was billed wrongly, as known today, for the months before one."""
    kept_since = await accounts.kept_since(connection)
    billed = [each for each in account.billed if each.period.month < before and each.period.start >= kept_since]
    sums = await accounts.sums(connection, account.tenant_id, [each.period for each in billed])
    found: list[Line] = []
    for each, used in zip(billed, sums, strict=True):
        found += lines.corrections(_terms_of(account, each), each, *used)
    return tuple(found)


def _plan(account: Account) -> Plan:
    """Return a plan of the tenant's: all have one issuer and one currency."""
    known = next(each.plan_id for each in account.subscriptions if each.plan_id is not None)
    return account.plans[known]


def _terms(account: Account, month: date) -> Terms | None:
    own = periods.in_force(account.subscriptions, month)
    if own is None or own.plan_id is None:
        return None
    return next(each for each in reversed(account.plans[own.plan_id].versions) if each.since <= month)


def _terms_of(account: Account, billed: Billed) -> Terms:
    versions = account.plans[billed.plan_id].versions
    return next(each for each in versions if each.version == billed.plan_version)
