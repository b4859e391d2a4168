"""Issued invoices and credit notes, and a process that hands them over to the Stripe account of `stripe_server`."""

import asyncio
import sys
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path

from ingest.store import connections
from ingest.store.billing.handovers import InvoiceKey
from ingest.usage.processor import factory, handing, stripe_calls
from ingest.usage.processor.processor import Processor
from ingest.usage.processor.settings import PaymentSettings
from tests.support import cluster
from tests.support.stripe_server import KEY, Server

_PLAN = """
WITH counter AS (INSERT INTO nocontent.invoice_counters (issuer) VALUES ('NC') ON CONFLICT DO NOTHING),
plan AS (
    INSERT INTO nocontent.plans (plan_id, name, issuer, currency) VALUES (1, 'basic', 'NC', 'EUR')
    ON CONFLICT DO NOTHING
)
INSERT INTO nocontent.plan_versions (plan_id, version, since, per_million_events_nano, free_events, savings_share_ppm,
    usd_rate_ppm, flat_cents, minimum_cents)
VALUES (1, 1, '2026-01-01', 0, 0, 0, 0, 0, 0) ON CONFLICT DO NOTHING
"""
_NUMBER = "UPDATE nocontent.invoice_counters SET last = last + 1 WHERE issuer = 'NC' RETURNING last"
_INVOICE = """
INSERT INTO nocontent.invoices (tenant_id, issuer, number, kind, state, month, period_start, period_end, time_zone,
    currency, total_cents, usage_digest)
VALUES ($1, 'NC', $2, $3, 1, date '2020-01-01' + make_interval(months => $2::bigint::integer), '2026-09-01',
    '2026-10-01', 'Etc/UTC', 'EUR', $4, sha256('usage'))
"""
_LINE = """
INSERT INTO nocontent.invoice_lines (tenant_id, issuer, number, line, kind, is_correction, month, period_start,
    period_end, plan_id, plan_version, quantity, cents)
VALUES ($1, 'NC', $2, $3, 1, false, '2026-09-01', '2026-09-01', '2026-10-01', 1, 1, 0, $4)
"""
_CREDIT = "SELECT nocontent.credit_invoice($1, $2, $3, true)"


async def issue(dsn: str, cents: Sequence[int], tenant_id: int = 1) -> InvoiceKey:
    """Issue an invoice, or a correction if it is negative, with a line for each amount."""
    async with cluster.operator(dsn) as connection, connection.transaction():
        await connection.execute(_PLAN)
        number = await connection.fetchval(_NUMBER)
        await connection.execute(_INVOICE, tenant_id, number, 1 if sum(cents) >= 0 else 2, sum(cents))
        await connection.executemany(_LINE, [(tenant_id, number, place, each) for place, each in enumerate(cents, 1)])
    return InvoiceKey(tenant_id, "NC", number)


async def credit(dsn: str, key: InvoiceKey) -> InvoiceKey:
    """Credit an invoice as `nocontent invoice credit` does."""
    async with connections.connected(dsn, "nocontent_biller") as connection, connection.transaction():
        return key._replace(number=await connection.fetchval(_CREDIT, *key))


def settings(server: Server, folder: Path, collection: str = "charge_automatically", key: str = KEY) -> PaymentSettings:
    """Return the settings for a server, with the key in a file."""
    path = folder / "stripe-key"
    path.write_text(f"{key}\n")
    path.chmod(0o600)
    assert collection in {"charge_automatically", "send_invoice"}
    return PaymentSettings(
        payment_processor="stripe", stripe_key_path=str(path), stripe_api_base=server.base,
        stripe_collection="send_invoice" if collection == "send_invoice" else "charge_automatically",
    )  # fmt: skip


def processor(wanted: PaymentSettings) -> Processor:
    """Return the processor, with back-off that a test has the time for."""
    stripe_calls.FIRST_DELAY_S = stripe_calls.DELAY_S_MAX = 0.01
    stripe_calls.READ_S = 0.3
    return factory.make(wanted)


async def run(dsn: str, wanted: PaymentSettings) -> handing.Handed:
    """Hand over all that is due, then follow."""
    made = processor(wanted)
    async with connections.connected(dsn, "nocontent_biller") as connection:
        handed = await handing.hand_over(connection, made)
        await handing.follow(connection, made)
    return handed


def hand_over(go: "Connection[str, str]", dsn: str, base: str, path: str) -> None:
    """Hand over in a process of its own, once its parent says so, and end it: with 0 if Stripe was reachable."""
    assert go.poll(60)
    wanted = PaymentSettings(
        payment_processor="stripe", stripe_key_path=path, stripe_api_base=base,
        stripe_collection="charge_automatically",
    )  # fmt: skip
    sys.exit(0 if asyncio.run(run(dsn, wanted)).is_reachable else 3)
