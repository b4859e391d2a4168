"""Reads issued documents, and issues, credits and settles them by functions of the database: nothing else may."""

import json
from collections.abc import Sequence

import asyncpg
import msgspec

from ingest.knowledge.billing import DocumentKind, Invoice, Line, LineKind, Period, State, parse_name
from ingest.store.connections import Connection
from ingest.store.mail import outbox
from ingest.store.mail.kinds import KINDS
from ingest.store.mail.outbox import Notice
from ingest.store.webhooks import deliveries
from ingest.store.webhooks.deliveries import Event

_COLUMNS = """
tenant_id, issuer, number, kind, state, month, period_start, period_end, time_zone, currency, total_cents, usage_digest,
credits, waived, finalized_at, paid_at, voided_at
"""
_LISTED = f"""
SELECT {_COLUMNS} FROM nocontent.invoices
WHERE ($1::integer IS NULL OR tenant_id = $1) AND (issuer, number) > ($2, $3) ORDER BY issuer, number LIMIT $4
"""  # noqa: S608 (our own columns)
_READ = f"SELECT {_COLUMNS} FROM nocontent.invoices WHERE tenant_id = $1 AND issuer = $2 AND number = $3"  # noqa: S608 (our own columns)
_OWNER = "SELECT tenant_id FROM nocontent.invoices WHERE issuer = $1 AND number = $2"
_LINES = """
SELECT kind, is_correction, month, period_start, period_end, plan_id, plan_version, quantity, cents
FROM nocontent.invoice_lines WHERE tenant_id = $1 AND issuer = $2 AND number = $3 ORDER BY line
"""
_ISSUE = "SELECT nocontent.issue_document($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
_CREDIT = "SELECT nocontent.credit_invoice($1, $2, $3, $4)"
_SETTLE = "SELECT nocontent.settle_invoice($1, $2, $3)"
LIST_MAX = 1_000


class Outdated(Exception):
    """The issuer issued another document since this one was computed: compute it again."""


class NotCreditable(Exception):
    """Not an invoice, or void already."""


class Heading(msgspec.Struct, frozen=True, kw_only=True):
    """What a document that is about to be issued says above its lines."""

    tenant_id: int
    issuer: str
    kind: DocumentKind
    period: Period
    currency: str
    usage_digest: bytes


async def read(connection: Connection, tenant_id: int, name: str) -> Invoice | None:
    """Return a tenant's document with its lines by its name, such as NC-000042, or None if it has no such document."""
    parsed = parse_name(name)
    row = None if parsed is None else await connection.fetchrow(_READ, tenant_id, *parsed)
    if parsed is None or row is None:
        return None
    lines = [_line(each) for each in await connection.fetch(_LINES, tenant_id, *parsed)]
    return msgspec.structs.replace(_invoice(row), lines=tuple(lines))


async def listed(
    connection: Connection, tenant_id: int | None, after: tuple[str, int] = ("", 0), limit: int = LIST_MAX
) -> list[Invoice]:
    """Return documents without their lines, by number, after a given one; of all tenants if None is given."""
    rows = await connection.fetch(_LISTED, tenant_id, *after, min(limit, LIST_MAX))
    return [_invoice(row) for row in rows]


async def tenant_of(connection: Connection, name: str) -> int | None:
    """Return the tenant whose document has a name, or None."""
    parsed = parse_name(name)
    found = None if parsed is None else await connection.fetchval(_OWNER, *parsed)
    return None if found is None else int(found)


def snapshot(connection: Connection) -> "asyncpg.transaction.Transaction":
    """Return a transaction in which a document is computed and issued; the second fails if the first is outdated."""
    return connection.transaction(isolation="repeatable_read")


async def issue(connection: Connection, heading: Heading, lines: Sequence[Line]) -> int:
    """Issue a document in the caller's snapshot, with letters about it, and return its number; raises Outdated."""
    period = heading.period
    try:
        number = await connection.fetchval(
            _ISSUE, heading.tenant_id, heading.issuer, heading.kind, period.month, period.start, period.end,
            period.time_zone, heading.currency, heading.usage_digest, json.dumps([_plain(line) for line in lines]),
        )  # fmt: skip
        await _tell(connection, heading.tenant_id, heading.issuer, number)
    except (asyncpg.SerializationError, asyncpg.UniqueViolationError, asyncpg.DeadlockDetectedError):
        raise Outdated from None
    return int(number)


async def credit(connection: Connection, invoice: Invoice, *, waived: bool) -> int:
    """Issue the credit note that mirrors an invoice, with letters about it; return its number. Raises NotCreditable."""
    try:
        async with connection.transaction():
            number = int(await connection.fetchval(_CREDIT, invoice.tenant_id, invoice.issuer, invoice.number, waived))
            await _tell(connection, invoice.tenant_id, invoice.issuer, number)
    except asyncpg.InvalidParameterValueError:
        raise NotCreditable from None
    return number


async def _tell(connection: Connection, tenant_id: int, issuer: str, number: int) -> None:
    """Put letters and deliveries about a document; a tenant has one issuer, so the number says which it is."""
    notice = Notice("invoice", (), (int(number),), outbox.cause_of("invoice", issuer, number))
    await outbox.put_to_roles(connection, tenant_id, KINDS[notice.kind].roles, notice)
    await deliveries.put_to_all(connection, tenant_id, Event("invoice", notice.cause, numbers=notice.numbers))


async def settle(connection: Connection, tenant_id: int, issuer: str, number: int) -> bool:
    """Mark a document as paid, or a credit note as paid back; return False if it was, or is void."""
    return bool(await connection.fetchval(_SETTLE, tenant_id, issuer, number))


def _plain(line: Line) -> dict[str, object]:
    plain = msgspec.to_builtins(line)
    assert isinstance(plain, dict)
    return plain


def _invoice(row: asyncpg.Record) -> Invoice:
    values = dict(row)
    start, end = values.pop("period_start"), values.pop("period_end")
    period = Period(month=values.pop("month"), start=start, end=end, time_zone=values.pop("time_zone"))
    kind, state = DocumentKind(values.pop("kind")), State(values.pop("state"))
    return Invoice(**values, kind=kind, state=state, period=period)


def _line(row: asyncpg.Record) -> Line:
    values = dict(row)
    start, end = values.pop("period_start"), values.pop("period_end")
    return Line(**values | {"kind": LineKind(values["kind"])}, start=start, end=end)
