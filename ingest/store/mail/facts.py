"""Looks up what a letter says, by its ids and numbers; the tenant is in every query. None: what it is about is gone.

| kind | ids | numbers |
|---|---|---|
| invitation, reset | | |
| new-place | session | |
| budget-alert | budget | threshold, spend, limit, first day of the period |
| weekly-review | | first day; in seconds, when the week before began, this one began and ended |
| invoice | | number of the document |
| export-ready | | rows |
| erasure-receipt | erasure | |
| subprocessor-notice | notice | |
| webhook-disabled | webhook | |

Days and seconds are counted from 1970-01-01, amounts are nano-USD. What is no row of a table, the sums of a week and a
notice, is found by `alerts.letters`.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Protocol
from uuid import UUID

from ingest.knowledge import day_numbers
from ingest.knowledge.billing import DocumentKind, document_name
from ingest.knowledge.letters import (
    About,
    BudgetAlert,
    ErasureReceipt,
    ExportReady,
    Invitation,
    InvoiceIssued,
    NewPlace,
    Period,
    Recipient,
    RefusedCause,
    Reset,
    Scope,
    WebhookDisabled,
)
from ingest.store.budgets import budgets, names
from ingest.store.connections import Connection
from ingest.store.mail.kinds import Kind

CAUSES_MAX = 5
_SCOPES: Mapping[budgets.Scope, Scope] = {
    budgets.Scope.TENANT: "tenant",
    budgets.Scope.TAG_VALUE: "tag-value",
    budgets.Scope.CATEGORY: "category",
    budgets.Scope.MODEL: "model",
}
_PERIODS: Mapping[budgets.PeriodKind, Period] = {
    budgets.PeriodKind.DAY: "day",
    budgets.PeriodKind.WEEK: "week",
    budgets.PeriodKind.MONTH: "month",
}


class Letter(Protocol):
    """A letter of the outbox, as far as its facts depend on it."""

    @property
    def tenant_id(self) -> int: ...
    @property
    def letter_id(self) -> UUID: ...
    @property
    def kind(self) -> Kind: ...
    @property
    def person_id(self) -> UUID: ...
    @property
    def ids(self) -> Sequence[UUID]: ...
    @property
    def numbers(self) -> Sequence[int]: ...


_RECIPIENT = """
SELECT person.email, person.name, own.name AS organisation, person.role, person.time_zone
FROM nocontent.people person
JOIN nocontent.tenants own ON own.tenant_id = person.tenant_id
WHERE person.tenant_id = $1 AND person.person_id = $2
"""


async def recipient(connection: Connection, letter: Letter) -> Recipient | None:
    """Return the person that a letter is for."""
    row = await connection.fetchrow(_RECIPIENT, letter.tenant_id, letter.person_id)
    return None if row is None else Recipient(*row.values())


async def _invitation(_connection: Connection, _letter: Letter) -> Invitation:
    return Invitation()


async def _reset(_connection: Connection, _letter: Letter) -> Reset:
    return Reset()


_MADE = "SELECT created_at FROM nocontent.outbox WHERE tenant_id = $1 AND letter_id = $2"


async def _made_at(connection: Connection, letter: Letter) -> datetime:
    at: datetime = await connection.fetchval(_MADE, letter.tenant_id, letter.letter_id)
    return at


_BROWSER = "SELECT browser FROM nocontent.sessions WHERE tenant_id = $1 AND session_id = $2"


async def _new_place(connection: Connection, letter: Letter) -> NewPlace:
    (session_id,) = letter.ids
    return NewPlace(
        await _made_at(connection, letter), await connection.fetchval(_BROWSER, letter.tenant_id, session_id)
    )


async def _budget_alert(connection: Connection, letter: Letter) -> BudgetAlert | None:
    (budget_id,) = letter.ids
    threshold, spend, limit, start = letter.numbers
    found = await budgets.read(connection, letter.tenant_id, budget_id)
    if found is None:
        return None
    term = names.of(found, await names.read(connection, letter.tenant_id, [found]))
    scope, period = _SCOPES[found.spec.scope], _PERIODS[found.spec.period]
    return BudgetAlert(scope, term, period, day_numbers.day(start), threshold, spend, limit)


_REFUSALS = """
SELECT cause, sum(requests)::bigint AS requests, sum(records)::bigint AS records FROM nocontent.refusals
WHERE tenant_id = $1 AND day BETWEEN $2 AND $3
GROUP BY cause ORDER BY sum(requests + records) DESC, cause LIMIT $4
"""


async def refusals(connection: Connection, tenant_id: int, first: date, last: date) -> tuple[RefusedCause, ...]:
    """Return the causes that were refused most on some days (UTC)."""
    rows = await connection.fetch(_REFUSALS, tenant_id, first, last, CAUSES_MAX)
    return tuple(RefusedCause(*row.values()) for row in rows)


_INVOICE = """
SELECT issuer, number, kind, month, total_cents, currency FROM nocontent.invoices
WHERE tenant_id = $1 AND number = $2 ORDER BY finalized_at DESC LIMIT 1
"""


async def _invoice(connection: Connection, letter: Letter) -> InvoiceIssued | None:
    (number,) = letter.numbers
    row = await connection.fetchrow(_INVOICE, letter.tenant_id, number)
    if row is None:
        return None
    name, is_credit_note = document_name(row["issuer"], row["number"]), row["kind"] == DocumentKind.CREDIT_NOTE
    return InvoiceIssued(name, is_credit_note, row["month"], row["total_cents"], row["currency"])


async def _export_ready(connection: Connection, letter: Letter) -> ExportReady:
    (rows,) = letter.numbers
    return ExportReady(await _made_at(connection, letter), rows)


_ERASURE = """
SELECT erasure_id, scope, requested_at, finished_at, (
    SELECT coalesce(sum(erased), 0)::bigint FROM nocontent.erasure_counts counted
    WHERE counted.tenant_id = $1 AND counted.erasure_id = $2
) AS rows
FROM nocontent.erasures WHERE tenant_id = $1 AND erasure_id = $2 AND finished_at IS NOT NULL
"""


async def _erasure_receipt(connection: Connection, letter: Letter) -> ErasureReceipt | None:
    (erasure_id,) = letter.ids
    row = await connection.fetchrow(_ERASURE, letter.tenant_id, erasure_id)
    return None if row is None else ErasureReceipt(UUID(int=row["erasure_id"].int), *list(row.values())[1:])


async def _webhook_disabled(connection: Connection, letter: Letter) -> WebhookDisabled:
    (webhook_id,) = letter.ids
    return WebhookDisabled(UUID(int=webhook_id.int), await _made_at(connection, letter))


READERS: Mapping[Kind, Callable[[Connection, Letter], Awaitable[About | None]]] = {
    "invitation": _invitation,
    "reset": _reset,
    "new-place": _new_place,
    "budget-alert": _budget_alert,
    "invoice": _invoice,
    "export-ready": _export_ready,
    "erasure-receipt": _erasure_receipt,
    "webhook-disabled": _webhook_disabled,
}
