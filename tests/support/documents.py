"""Issued documents of tenants: a plan, and lines of every kind and sign."""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from ingest.knowledge.billing import DocumentKind, Line, LineKind, Period, document_name
from ingest.store.billing import invoices
from ingest.store.billing.invoices import Heading
from ingest.store.connections import Connection
from tests.support import cluster

START, END = datetime(2026, 3, 31, 22, tzinfo=UTC), datetime(2026, 4, 30, 22, tzinfo=UTC)
PERIOD = Period(month=START.date().replace(month=4, day=1), start=START, end=END, time_zone="Europe/Berlin")
_PLAN = """
INSERT INTO invoice_counters VALUES ('NC');
INSERT INTO plans (plan_id, name, issuer, currency) VALUES (1, 'team-eur', 'NC', 'EUR');
INSERT INTO plan_versions (plan_id, version, since, per_million_events_nano, free_events, savings_share_ppm,
    usd_rate_ppm, flat_cents, minimum_cents)
VALUES (1, 1, '2026-01-01', 12345678901, 10, 125000, 921500, 4900, 1000000000);
"""
_SUBSCRIBE = """
INSERT INTO subscriptions (tenant_id, month, plan_id, time_zone) VALUES ($1, '2026-04-01', 1, 'Europe/Berlin')
"""
# More than a page of PDF holds, with both signs and every kind.
_KINDS = [*LineKind] * 15
LINES = [
    Line(
        kind=kind, is_correction=place > 3, month=PERIOD.month, start=START, end=END, plan_id=1, plan_version=1,
        quantity=10 ** (place % 15) + place, cents=(-1) ** place * (7 ** (place % 14)) + (place < 4) * 10**12,
    )
    for place, kind in enumerate(_KINDS)
]  # fmt: skip


def issue(dsn: str, lines: Mapping[int, Sequence[Line]]) -> dict[int, str]:
    """Issue an invoice to each tenant, of one issuer, and return its name by tenant."""

    async def run() -> dict[int, str]:
        async with cluster.operator(dsn) as connection:
            await connection.execute(_PLAN)
            return {tenant_id: await _issue(connection, tenant_id, charged) for tenant_id, charged in lines.items()}

    return asyncio.run(run())


async def _issue(connection: Connection, tenant_id: int, charged: Sequence[Line]) -> str:
    await connection.execute(_SUBSCRIBE, tenant_id)
    heading = Heading(
        tenant_id=tenant_id, issuer="NC", kind=DocumentKind.INVOICE, period=PERIOD, currency="EUR",
        usage_digest=hashlib.sha256(bytes([tenant_id])).digest(),
    )  # fmt: skip
    async with invoices.snapshot(connection):
        return document_name("NC", await invoices.issue(connection, heading, charged))


def credit(dsn: str, tenant_id: int, name: str) -> str:
    """Issue the credit note that mirrors an invoice, and return its name."""

    async def run() -> str:
        async with cluster.operator(dsn) as connection:
            read = await invoices.read(connection, tenant_id, name)
            assert read is not None
            return document_name("NC", await invoices.credit(connection, read, waived=False))

    return asyncio.run(run())
