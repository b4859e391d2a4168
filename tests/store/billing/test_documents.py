"""Issued documents are frozen by the grants, and the tables of billing have no place for a card or a bank account."""

from collections.abc import AsyncIterator
from datetime import date

import asyncpg
import pytest

from ingest.store import connections
from ingest.store.connections import Connection
from ingest.usage.billing import close, periods
from tests.support import metering
from tests.support.cluster import operator
from tests.support.metering import utc

_TABLES = (
    *("invoice_counters", "plans", "plan_versions", "subscriptions", "invoices", "invoice_lines"),
    *("processor_customers", "handovers", "payments", "processor_events"),
)
_COLUMNS = """
SELECT relname || '.' || attname AS name, format_type(atttypid, NULL) AS type
FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
WHERE relnamespace = 'nocontent'::regnamespace AND relname = ANY ($1) AND attnum > 0 AND NOT attisdropped
"""
# Every column that is neither an integer, a time nor a boolean, with the grammar that its CHECK holds it to.
_WORDS = {
    "invoice_counters.issuer": "text",
    "plans.name": "text",
    "plans.issuer": "text",
    "plans.currency": "text",
    "subscriptions.time_zone": "text",
    "invoices.issuer": "text",
    "invoices.time_zone": "text",
    "invoices.currency": "text",
    "invoices.usage_digest": "bytea",
    "invoice_lines.issuer": "text",
    "processor_customers.customer": "text",
    "handovers.issuer": "text",
    "handovers.remote": "text",
    "payments.issuer": "text",
    "payments.reference": "text",
    "processor_events.event": "text",
    "processor_events.issuer": "text",
}
_NUMBERS = {"smallint", "integer", "bigint", "boolean", "date", "timestamp with time zone"}
_BANKING = (
    "card",
    "pan",
    "iban",
    "bic",
    "swift",
    "bank",
    "account",
    "cvc",
    "cvv",
    "expir",
    "holder",
    "address",
    "mail",
    "tax",
)


@pytest.fixture
async def biller(database: str) -> AsyncIterator[Connection]:
    """Yield the biller's connection, with one invoice issued to tenant 1."""
    async with connections.connected(database, "nocontent_control") as control:
        plan = await metering.plan(control, "flat", metering.terms(flat=4_900))
        tenant = await metering.subscribe(control, "acme", plan, date(2026, 1, 1))
    async with connections.connected(database, "nocontent_biller") as connection:
        await close.close_at(connection, utc(2026, 2) + periods.GRACE, [tenant])
        yield connection


async def test_no_column_of_billing_can_hold_a_card_or_a_bank_account(shared_database: str) -> None:
    async with operator(shared_database) as connection:
        columns = {row["name"]: row["type"] for row in await connection.fetch(_COLUMNS, list(_TABLES))}
    assert len(columns) > 50
    assert {name: kind for name, kind in columns.items() if kind not in _NUMBERS} == _WORDS
    parts = {part for name in columns if name != "plans.name" for part in name.partition(".")[2].split("_")}
    assert parts & set(_BANKING) == set()


@pytest.mark.parametrize("number", ["4111111111111111", "DE89370400440532013000", "5500 0000 0000 0004", "370400440"])
async def test_no_word_of_billing_passes_as_a_card_or_an_account(database: str, number: str) -> None:
    kept = []
    async with operator(database) as connection:
        for statement in (
            "INSERT INTO invoice_counters (issuer) VALUES ($1)",
            "INSERT INTO subscriptions (tenant_id, month, time_zone) VALUES (1, '2026-01-01', $1)",
            "INSERT INTO payments VALUES (1, 'NC', 1, 1, $1, 1, '2026-01-01')",
            "INSERT INTO processor_customers VALUES (1, 2, $1)",
        ):
            try:
                await connection.execute(statement, number)
            except asyncpg.CheckViolationError:
                continue
            kept.append(statement)
    assert kept == []


@pytest.mark.parametrize(
    "role", ["nocontent_biller", "nocontent_control", "nocontent_usage_reader", "nocontent_writer"]
)
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE invoices SET total_cents = 0",
        "UPDATE invoices SET state = 2, paid_at = now()",
        "UPDATE invoice_lines SET cents = 0",
        "DELETE FROM invoices",
        "DELETE FROM invoice_lines",
        "TRUNCATE invoice_lines",
        "INSERT INTO invoices SELECT * FROM invoices",
        "INSERT INTO invoice_lines SELECT * FROM invoice_lines",
        "UPDATE invoice_counters SET last = 0",
        "DELETE FROM invoice_counters",
        "UPDATE plan_versions SET flat_cents = 0",
    ],
)
@pytest.mark.usefixtures("biller")
async def test_nobody_changes_what_was_issued(database: str, role: connections.Role, statement: str) -> None:
    async with connections.connected(database, role) as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)


_ISSUE = """
SELECT nocontent.issue_document(1, 'NC', $1::smallint, '2026-02-01', '2026-02-01Z', $2, 'UTC', 'USD', $3, $4::jsonb)
"""
_LINE = """{
    "kind": 1, "is_correction": false, "month": "2026-02-01", "start": "2026-02-01Z", "end": "2026-03-01Z",
    "plan_id": 1, "plan_version": 1, "quantity": 1, "cents": %s
}"""
_SUM = b"\0" * 32


@pytest.mark.parametrize(
    ("document", "refused"),
    [
        ((1, utc(2026, 3), _SUM, "[]"), asyncpg.CheckViolationError),
        ((1, utc(2198, 3), _SUM, f"[{_LINE % 1}]"), asyncpg.CheckViolationError),
        ((1, utc(2026, 1), _SUM, f"[{_LINE % 1}]"), asyncpg.CheckViolationError),
        ((1, utc(2026, 3), b"", f"[{_LINE % 1}]"), asyncpg.CheckViolationError),
        ((1, utc(2026, 3), _SUM, f"[{_LINE % -1}]"), asyncpg.CheckViolationError),
        ((2, utc(2026, 3), _SUM, f"[{_LINE % 1}]"), asyncpg.CheckViolationError),
        ((3, utc(2026, 3), _SUM, f"[{_LINE % 1}]"), asyncpg.CheckViolationError),
        ((1, utc(2026, 3), _SUM, f"[{_LINE % 10**16}]"), asyncpg.CheckViolationError),
        ((1, utc(2026, 3), _SUM, f"[{_LINE % 10**30}]"), asyncpg.NumericValueOutOfRangeError),
        ((1, utc(2026, 3), _SUM, f"[{_LINE % 1.5}]"), asyncpg.InvalidTextRepresentationError),
        ((1, utc(2026, 3), _SUM, "[{}]"), asyncpg.NotNullViolationError),
    ],
)
async def test_a_wrong_document_takes_no_number(
    biller: Connection, document: tuple[object, ...], refused: type[Exception]
) -> None:
    with pytest.raises(refused):
        async with biller.transaction(isolation="repeatable_read"):
            await biller.fetchval(_ISSUE, *document)
    assert await biller.fetchval("SELECT last FROM nocontent.invoice_counters") == 1
    async with biller.transaction(isolation="repeatable_read"):
        assert await biller.fetchval(_ISSUE, 1, utc(2026, 3), _SUM, f"[{_LINE % 7}, {_LINE % 8}]") == 2
    assert await biller.fetchval("SELECT total_cents FROM nocontent.invoices WHERE number = 2") == 15


async def test_every_act_on_a_document_is_audited(biller: Connection, database: str) -> None:
    await biller.fetchval("SELECT nocontent.settle_invoice(1, 'NC', 1)")
    await biller.fetchval("SELECT nocontent.credit_invoice(1, 'NC', 1, true)")
    async with connections.connected(database, "nocontent_control") as control:
        acts = [
            row["act"] for row in await control.fetch("SELECT act FROM audit WHERE tenant_id = 1 ORDER BY audit_id")
        ]
    assert acts == ["tenant.add", "plan.assign", "invoice.finalize", "invoice.settle", "invoice.credit"]
